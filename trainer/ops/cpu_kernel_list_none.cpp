// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A processor that no kernel is written for: plain loops everywhere.
#include "trainer/ops/cpu_kernel_list.h"

namespace argosy::ops::detail {

CpuFeatures read_cpu_features() {
  return {};
}

std::vector<const CpuKernel*> all_kernels() {
  return {};
}

std::vector<const CpuKernel*> supported_kernels(DType) {
  return {};
}

const VectorRows* vector_rows() {
  return nullptr;
}

}  // namespace argosy::ops::detail
