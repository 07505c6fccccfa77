// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <cublasLt.h>

#include "tests/support/cuda_emulation/backend.h"
#include "tests/support/cuda_emulation/emulation.h"
#include "tests/trainer/ops/cuda/device.h"

namespace argosy {

CudaUnderTest open_cuda() {
  return {std::make_unique<DeviceContext>(Device::cuda, cuda_emulation::make_backend()), ""};
}

double tolerance_of_fp8_sums() {
  return 1e-5;
}

void repeat_in_orders(const std::function<void()>& body) {
  using cuda_emulation::Order;
  for (const Order order : {Order::ascending, Order::descending, Order::shuffled}) {
    cuda_emulation::set_order(order, 1);
    body();
  }
}

bool without_epilogues(const std::function<void()>& body) {
  cuda_emulation::refuse_epilogues(true);
  body();
  cuda_emulation::refuse_epilogues(false);
  return true;
}

}  // namespace argosy
