// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/trainer/ops/cuda/twin.h"
#include "trainer/ops/activation.h"

namespace argosy {
namespace {

// Sizes around a pack, a block and the grid; offsets that leave 16-byte boundaries.
constexpr int64_t kSizes[] = {0, 1, 7, 8, 31, 2053, 20011};
constexpr int64_t kOffsets[] = {0, 1, 4};

class ActivationCuda : public CudaOpTest {};

TEST_F(ActivationCuda, Swiglu) {
  for (const DType dtype : kCudaDTypes) {
    for (const int64_t size : kSizes) {
      for (const int64_t begin : kOffsets) {
        offset = begin;
        const Shape shape{size};
        const Twin &gate = operand(shape, dtype), &up = operand(shape, dtype),
                   &y = result(shape, dtype);
        expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
          ops::swiglu_forward(ctx, of(gate), of(up), of(y));
        });
        const Twin &dy = operand(shape, dtype), &gate2 = operand(shape, dtype),
                   &up2 = operand(shape, dtype), &dgate = result(shape, dtype),
                   &dup = result(shape, dtype);
        expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
          ops::swiglu_backward(ctx, of(dy), of(gate2), of(up2), of(dgate), of(dup));
        });
        const Twin &grad = operand(shape, dtype), &in_place = added_to(shape, dtype),
                   &in_place_up = added_to(shape, dtype);
        expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
          ops::swiglu_backward(ctx, of(grad), of(in_place), of(in_place_up), of(in_place),
                               of(in_place_up));
        });
      }
    }
  }
}

TEST_F(ActivationCuda, ClampedSwiglu) {
  constexpr ops::ClampedSwiglu kClamped = {.limit = 0.5, .alpha = 1.702};  // in the operands' midst
  for (const DType dtype : kCudaDTypes) {
    for (const int64_t size : kSizes) {
      for (const int64_t begin : kOffsets) {
        offset = begin;
        const Shape shape{size};
        const Twin &gate = operand(shape, dtype), &up = operand(shape, dtype),
                   &y = result(shape, dtype);
        expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
          ops::clamped_swiglu_forward(ctx, kClamped, of(gate), of(up), of(y));
        });
        const Twin &dy = added_to(shape, dtype), &gate2 = operand(shape, dtype),
                   &up2 = operand(shape, dtype), &dgate = result(shape, dtype);
        expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
          ops::clamped_swiglu_backward(ctx, kClamped, of(dy), of(gate2), of(up2), of(dgate),
                                       of(dy));
        });
      }
    }
  }
}

TEST_F(ActivationCuda, Gelu) {
  for (const DType dtype : kCudaDTypes) {
    for (const int64_t size : kSizes) {
      for (const int64_t begin : kOffsets) {
        offset = begin;
        const Shape shape{size};
        const Twin &x = operand(shape, dtype), &y = result(shape, dtype);
        expect_twins_agree(
            [&](DeviceContext& ctx, const auto& of) { ops::gelu_forward(ctx, of(x), of(y)); });
        const Twin &dy = operand(shape, dtype), &x2 = operand(shape, dtype),
                   &dx = result(shape, dtype);
        expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
          ops::gelu_backward(ctx, of(dy), of(x2), of(dx));
        });
      }
    }
  }
}

// Where e^x overflows or vanishes the functions have limits.
TEST_F(ActivationCuda, FarFromZero) {
  const Values far = {-200, -90, -30, 30, 90, 200, 1e30, -1e30};
  const Shape shape{static_cast<int64_t>(far.size())};
  const Twin &gate = operand(shape, DType::fp32, far),
             &up = operand(shape, DType::fp32, Values(far.size(), 1)),
             &y = result(shape, DType::fp32);
  expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
    ops::swiglu_forward(ctx, of(gate), of(up), of(y));
  });
}

}  // namespace
}  // namespace argosy
