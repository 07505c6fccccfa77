// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/check.h"
#include "tests/trainer/ops/cuda/device.h"

namespace argosy {

CudaUnderTest open_cuda() {
  try {
    return {std::make_unique<DeviceContext>(Device::cuda), ""};
  } catch (const Error& error) {
    return {nullptr, error.what()};
  }
}

double tolerance_of_fp8_sums() {
  return 1e-3;
}

void repeat_in_orders(const std::function<void()>& body) {
  for (int run = 0; run < 2; ++run) body();
}

bool without_epilogues(const std::function<void()>&) {
  return false;
}

}  // namespace argosy
