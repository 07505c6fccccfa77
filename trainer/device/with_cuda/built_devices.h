// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

namespace argosy {

// Which of two files of this name is compiled in is CMake's choice (ARGOSY_CUDA).
inline constexpr bool kHasCuda = true;

}  // namespace argosy
