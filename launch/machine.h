// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the launcher must know of the machine that it runs on.
#pragma once

#include <filesystem>

namespace argosy {

// The folder of the running program, symbolic links resolved.
std::filesystem::path program_folder();

bool is_root();

}  // namespace argosy
