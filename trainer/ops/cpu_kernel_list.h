// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The kernels by instruction set, of a build for x86 (cpu_kernel_list_x86.cpp; another processor
// has cpu_kernel_list_none.cpp). To be called only where cpu_features() names it.
#pragma once

#include "trainer/ops/cpu_kernels.h"
#include "trainer/ops/vector_rows.h"

namespace argosy::ops::detail {

// Without the user's cap.
CpuFeatures read_cpu_features();

const CpuKernel& avx512_fp32_kernel();
const CpuKernel& avx512_bf16_kernel();
const CpuKernel& amx_bf16_kernel();
const VectorRows& avx512_vector_rows();

}  // namespace argosy::ops::detail
