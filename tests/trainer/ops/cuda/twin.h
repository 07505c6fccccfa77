// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// An op on CUDA against the same op on the CPU. A twin is one operand on both devices; its CUDA
// tensor lies between guards of huge numbers, others for each operand: reads beyond it show in the
// result, writes in the guards. It begins a given number of elements behind an aligned address.
#pragma once

#include <cstring>
#include <deque>
#include <vector>

#include "tests/trainer/ops/cuda/device.h"
#include "tests/trainer/ops/ops_support.h"

namespace argosy {

// Operand: what the op reads. Result: what it overwrites, poisoned before. Both: added to.
struct Twin {
  Values values;  // before the op
  Tensor cpu, cuda;
  Tensor guarded;                // cuda with its guards
  int64_t offset = 0;            // of cuda in it, in elements
  unsigned char guard_byte = 0;  // 0x71 and above: 1e30 in fp32 and bf16, beyond any index as int32
  double tolerance = 0;          // 0: an operand, which stays as it is
};

class CudaOpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    CudaUnderTest device = open_cuda();
    if (!device.ctx) GTEST_SKIP() << device.why_not;
    cuda = std::move(device.ctx);
  }
  void TearDown() override { twins_.clear(); }

  Twin& operand(Shape shape, DType dtype, const Values& values) {
    return add(shape, dtype, values, 0);
  }
  Twin& operand(Shape shape, DType dtype) {
    return operand(shape, dtype, random_values(shape.size(), ++seed_));
  }
  Twin& ids(Shape shape, const Values& values) { return operand(shape, DType::int32, values); }
  Twin& result(Shape shape, DType dtype) {
    const double poison = dtype == DType::int32 ? -99 : kPoison;
    return add(shape, dtype, Values(static_cast<size_t>(shape.size()), poison),
               default_tolerance(dtype));
  }
  Twin& added_to(Shape shape, DType dtype) {
    return add(shape, dtype, random_values(shape.size(), ++seed_), default_tolerance(dtype));
  }
  // The same, where what is added went through `precision`.
  Twin& added_to(Shape shape, DType dtype, DType precision) {
    Twin& twin = added_to(shape, dtype);
    twin.tolerance = default_tolerance(precision);
    return twin;
  }
  // As added_to(), from given values.
  Twin& changed(Shape shape, DType dtype, const Values& values) {
    return add(shape, dtype, values, default_tolerance(dtype));
  }

  // Runs op(ctx, of) on both devices, of(twin) being the tensor there; then every twin must agree:
  // to the bit between the orders of CUDA, within its tolerance with the CPU. Forgets the twins.
  template <typename Op>
  void expect_twins_agree(const Op& op) {
    expect_twins_agree_again(op);
    forget_twins();
  }
  // The same, and keeps the twins for another call: one that adds to nothing.
  template <typename Op>
  void expect_twins_agree_again(const Op& op) {
    op(cpu, [](const Twin& twin) -> const Tensor& { return twin.cpu; });
    std::vector<std::vector<unsigned char>> first;
    repeat_in_orders([&] {
      for (const Twin& twin : twins_) upload(twin);
      op(*cuda, [](const Twin& twin) -> const Tensor& { return twin.cuda; });
      for (size_t i = 0; i < twins_.size(); ++i) {
        const std::vector<unsigned char> bytes = bytes_of(twins_[i].guarded);
        if (first.size() == i) first.push_back(bytes);
        EXPECT_TRUE(bytes == first[i]) << "operand " << i << " depends on the order of threads";
      }
    });
    for (size_t i = 0; i < twins_.size(); ++i) compare(twins_[i], i);
  }

  void forget_twins() { twins_.clear(); }

  DeviceContext cpu{Device::cpu};
  std::unique_ptr<DeviceContext> cuda;
  int64_t offset = 0;  // of the operands that are made next

 private:
  static constexpr int64_t kGuard = 64;  // elements

  static double default_tolerance(DType dtype) {
    return dtype == DType::bf16 ? 1e-2 : dtype == DType::fp32 ? 1e-5 : 1e-13;
  }
  Twin& add(Shape shape, DType dtype, const Values& values, double tolerance) {
    Twin& twin = twins_.emplace_back();
    twin.values = values;
    twin.guard_byte = static_cast<unsigned char>(0x71 + twins_.size() % 7);
    twin.tolerance = tolerance;
    twin.offset = kGuard + offset;
    twin.cpu = make(cpu, shape, dtype, values);
    twin.guarded =
        cuda->empty({2 * kGuard + offset + shape.size()}, dtype, MemoryCategory::buffers);
    twin.cuda = twin.guarded.flat(twin.offset, twin.offset + shape.size(), shape);
    return twin;
  }
  std::vector<unsigned char> bytes_of(const Tensor& x) const {
    std::vector<unsigned char> bytes(static_cast<size_t>(x.bytes()));
    cuda->backend().download(x.raw(), bytes.data(), x.bytes());
    return bytes;
  }
  void upload(const Twin& twin) {
    const Tensor host =
        cpu.empty(twin.guarded.shape(), twin.guarded.dtype(), MemoryCategory::buffers);
    std::memset(host.raw(), twin.guard_byte, static_cast<size_t>(host.bytes()));
    set_values(host.flat(twin.offset, twin.offset + twin.cuda.size(), twin.cuda.shape()),
               twin.values);
    cuda->backend().upload(host.raw(), twin.guarded.raw(), host.bytes());
  }
  void compare(const Twin& twin, size_t index) {
    const Tensor host =
        cpu.empty(twin.guarded.shape(), twin.guarded.dtype(), MemoryCategory::buffers);
    cuda->backend().download(twin.guarded.raw(), host.raw(), host.bytes());
    const auto element_bytes = static_cast<size_t>(size_in_bytes(host.dtype()));
    const auto* bytes = static_cast<const unsigned char*>(host.raw());
    const size_t begin = static_cast<size_t>(twin.offset) * element_bytes,
                 end = begin + static_cast<size_t>(twin.cuda.bytes());
    for (size_t i = 0; i < static_cast<size_t>(host.bytes()); ++i) {
      if (i >= begin && i < end) continue;
      ASSERT_EQ(bytes[i], twin.guard_byte) << "operand " << index << " was written outside, byte "
                                           << static_cast<int64_t>(i) - static_cast<int64_t>(begin);
    }
    const Values got =
        values_of(host.flat(twin.offset, twin.offset + twin.cuda.size(), twin.cuda.shape()));
    const Values expected = values_of(twin.cpu);
    if (twin.tolerance == 0 || twin.cpu.dtype() == DType::int32) {
      EXPECT_EQ(got, expected) << "operand " << index;
      return;
    }
    expect_close(got, expected, twin.tolerance, index);
  }
  // By |a - b| / |b| and by the largest difference; where there should be an infinity there is one.
  static void expect_close(Values got, Values expected, double tolerance, size_t index) {
    double difference = 0, norm = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      if (std::isinf(expected[i]) && got[i] == expected[i]) got[i] = expected[i] = 0;
      difference += (got[i] - expected[i]) * (got[i] - expected[i]);
      norm += expected[i] * expected[i];
    }
    EXPECT_LE(std::sqrt(difference), tolerance * std::sqrt(norm)) << "operand " << index;
    EXPECT_LE(relative_error(got, expected), 2 * tolerance) << "operand " << index;
  }

  std::deque<Twin> twins_;
  uint32_t seed_ = 0;
};

inline constexpr DType kCudaDTypes[] = {DType::fp32, DType::bf16};

}  // namespace argosy
