// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// The kernels by instruction set. To be called only where cpu_features() names it.
#pragma once

#include "trainer/ops/cpu_kernels.h"

namespace argosy::ops::detail {

const CpuKernel& avx512_fp32_kernel();
const CpuKernel& avx512_bf16_kernel();
const CpuKernel& amx_bf16_kernel();

}  // namespace argosy::ops::detail
