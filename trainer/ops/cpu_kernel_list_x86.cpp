// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/cpu_kernel_list.h"

namespace argosy::ops::detail {

std::vector<const CpuKernel*> all_kernels() {
  return {&amx_bf16_kernel(), &avx512_bf16_kernel(), &avx512_fp32_kernel()};
}

std::vector<const CpuKernel*> supported_kernels(DType dtype) {
  const CpuFeatures& cpu = cpu_features();
  std::vector<const CpuKernel*> kernels;
  if (dtype == DType::bf16 && cpu.amx_bf16) kernels.push_back(&amx_bf16_kernel());
  if (dtype == DType::bf16 && cpu.avx512_bf16) kernels.push_back(&avx512_bf16_kernel());
  if (dtype == DType::fp32 && cpu.avx512) kernels.push_back(&avx512_fp32_kernel());
  return kernels;
}

const VectorRows* vector_rows() {
  static const bool supported = cpu_features().avx512_bf16;
  return supported ? &avx512_vector_rows() : nullptr;
}

}  // namespace argosy::ops::detail
