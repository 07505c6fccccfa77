// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What tests of ops in 8 bits share.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "planner/spec/check.h"
#include "tests/support/cuda_emulation/float8.h"
#include "tests/trainer/ops/cuda/twin.h"
#include "trainer/device/host_copy.h"
#include "trainer/ops/fp8.h"

namespace argosy {

class Fp8CudaTest : public CudaOpTest {
 protected:
  void SetUp() override {
    CudaOpTest::SetUp();
    if (IsSkipped()) return;
    try {
      ops::require_fp8(*cuda);
    } catch (const ConfigError& error) {
      GTEST_SKIP() << error.what();
    }
  }

  Tensor values_on_cuda(Shape shape, const Values& values) {
    const Tensor host = make(cpu, shape, DType::bf16, values);
    const Tensor tensor = cuda->empty(shape, DType::bf16, MemoryCategory::buffers);
    cuda->backend().upload(host.raw(), tensor.raw(), tensor.bytes());
    return tensor;
  }
  ops::Fp8Matrix matrix(int64_t rows, int64_t cols, ops::Fp8Format format) {
    return ops::empty_fp8(*cuda, rows, cols, format, MemoryCategory::buffers);
  }
  std::vector<uint8_t> bytes_of(const ops::Fp8Matrix& x) {
    std::vector<uint8_t> bytes(static_cast<size_t>(x.bytes.bytes()));
    cuda->backend().download(x.bytes.raw(), bytes.data(), x.bytes.bytes());
    return bytes;
  }
  float scale_of(const ops::Fp8Matrix& x) { return copy_to_host<float>(x.scale).front(); }
  ops::Fp8Matrix rounded(const Tensor& x, bool turn, ops::Fp8Format format) {
    const int64_t rows = x.dim(turn ? 1 : 0), cols = x.dim(turn ? 0 : 1);
    const ops::Fp8Matrix result = matrix(rows, cols, format);
    ops::quantize(*cuda, x, turn ? ops::Fp8Matrix{} : result, turn ? result : ops::Fp8Matrix{});
    return result;
  }
  static uint8_t nearest(double value, float scale, ops::Fp8Format format) {
    const float scaled = static_cast<float>(bfloat16(value)) / scale;
    return format == ops::Fp8Format::e4m3 ? cuda_emulation::to_e4m3(scaled)
                                          : cuda_emulation::to_e5m2(scaled);
  }
  // What the values mean once they are rounded, all with one scale.
  static Values meant(const Values& values, ops::Fp8Format format) {
    double largest = 0;
    for (const double v : values) largest = std::max(largest, std::abs(v));
    const float limit = format == ops::Fp8Format::e4m3 ? 448.0f : 57344.0f,
                scale = static_cast<float>(largest) / limit;
    Values rounded;
    for (const double v : values) {
      const uint8_t bits = nearest(v, scale, format);
      rounded.push_back(double{scale} * (format == ops::Fp8Format::e4m3
                                             ? cuda_emulation::from_e4m3(bits)
                                             : cuda_emulation::from_e5m2(bits)));
    }
    return rounded;
  }
  // What earlier ops left in memory.
  void spoil(const Tensor& x) {
    const std::vector<unsigned char> bytes(static_cast<size_t>(x.bytes()), 0x7b);
    cuda->backend().upload(bytes.data(), x.raw(), x.bytes());
  }
  Values on_host(const Tensor& x) {
    const Tensor host = cpu.empty(x.shape(), x.dtype(), MemoryCategory::buffers);
    cuda->backend().download(x.raw(), host.raw(), host.bytes());
    return values_of(host);
  }
};

}  // namespace argosy
