// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include "trainer/ops/cpu_kernels.h"

namespace argosy::ops::detail {

// The AMX kernel on emulated tiles; packing and the rest run on AVX512-BF16.
const CpuKernel& emulated_amx_kernel();

}  // namespace argosy::ops::detail
