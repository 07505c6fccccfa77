// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The CUDA device that a test of ops runs on: a GPU (device_gpu.cpp) or the emulation of one
// (device_emulated.cpp). CMake links one of them.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "trainer/device/device_context.h"

namespace argosy {

struct CudaUnderTest {
  std::unique_ptr<DeviceContext> ctx;  // null: there is none
  std::string why_not;
};
CudaUnderTest open_cuda();

// Relative error that a product of 8 bits into fp32 may have where operands are exact. The
// emulation adds in fp32. Hopper's tensor cores keep about 14 bits of a sum of 32 products
// (DeepSeek-V3, arXiv 2412.19437, section 3.3.2): a few times 2^-14.
double tolerance_of_fp8_sums();

// Calls `body` several times; what it computes must not depend on the call. On a GPU that is two
// runs, on the emulation each has another order of threads and blocks.
void repeat_in_orders(const std::function<void()>& body);

// Runs `body` with a library of products that has no epilogues. False, with nothing done: that of a
// GPU has what it has.
bool without_epilogues(const std::function<void()>& body);

}  // namespace argosy
