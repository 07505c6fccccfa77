// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/trainer/ops/cuda/twin.h"
#include "trainer/ops/norm.h"

namespace argosy {
namespace {

constexpr double kEps = 1e-5;

struct Case {
  int64_t rows, cols, offset;
};
// A warp a row, a block a row, several packs a thread; one element at a time and 16 bytes.
constexpr Case kCases[] = {{0, 16, 0},   {1, 1, 0},    {3, 8, 0},    {37, 31, 0},  {19, 128, 0},
                           {37, 128, 1}, {3, 776, 0},  {2, 1003, 0}, {2, 4104, 0}, {1, 9016, 0},
                           {300, 64, 0}, {2, 2081, 1}, {1, 40008, 0}};

class NormCuda : public CudaOpTest {};

TEST_F(NormCuda, Forward) {
  for (const DType dtype : kCudaDTypes) {
    for (const auto& [rows, cols, begin] : kCases) {
      offset = begin;
      const Shape shape{rows, cols};
      const Twin &x = operand(shape, dtype), &gain = operand({cols}, dtype),
                 &bias = operand({cols}, dtype), &y = result(shape, dtype),
                 &again = result(shape, dtype), &inv = result({rows}, DType::fp32),
                 &layer_y = result(shape, dtype), &layer_again = result(shape, dtype),
                 &mean = result({rows}, DType::fp32), &layer_inv = result({rows}, DType::fp32);
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        ops::rms_norm_forward(ctx, of(x), of(gain), kEps, of(y), of(inv));
        ops::rms_norm_apply(ctx, of(x), of(gain), of(inv), of(again));
        ops::layer_norm_forward(ctx, of(x), of(gain), of(bias), kEps, of(layer_y), of(mean),
                                of(layer_inv));
        ops::layer_norm_apply(ctx, of(x), of(gain), of(bias), of(mean), of(layer_inv),
                              of(layer_again));
      });
    }
  }
}

TEST_F(NormCuda, ForwardWithAResidual) {
  for (const DType dtype : kCudaDTypes) {
    for (const auto& [rows, cols, begin] : kCases) {
      offset = begin;
      const Shape shape{rows, cols};
      const Twin &residual = operand(shape, dtype), &gain = operand({cols}, dtype),
                 &bias = operand({cols}, dtype), &x = added_to(shape, dtype),
                 &y = result(shape, dtype), &inv = result({rows}, DType::fp32),
                 &layer_x = added_to(shape, dtype), &layer_y = result(shape, dtype),
                 &mean = result({rows}, DType::fp32), &layer_inv = result({rows}, DType::fp32);
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        ops::add_rms_norm_forward(ctx, of(residual), of(x), of(gain), kEps, of(y), of(inv));
        ops::add_layer_norm_forward(ctx, of(residual), of(layer_x), of(gain), of(bias), kEps,
                                    of(layer_y), of(mean), of(layer_inv));
      });
    }
  }
}

TEST_F(NormCuda, RmsBackward) {
  for (const DType dtype : kCudaDTypes) {
    for (const auto& [rows, cols, begin] : kCases) {
      for (const bool accumulate : {false, true}) {
        offset = begin;
        const Shape shape{rows, cols};
        const Twin &dy = operand(shape, dtype), &x = operand(shape, dtype),
                   &gain = operand({cols}, dtype), &inv = operand({rows}, DType::fp32),
                   &dx = accumulate ? added_to(shape, dtype) : result(shape, dtype),
                   &dgain = added_to({cols}, DType::fp32);
        expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
          ops::rms_norm_backward(ctx, of(dy), of(x), of(gain), of(inv), of(dx), of(dgain),
                                 accumulate);
        });
      }
    }
  }
}

TEST_F(NormCuda, LayerNormBackward) {
  for (const DType dtype : kCudaDTypes) {
    for (const auto& [rows, cols, begin] : kCases) {
      for (const bool gradients : {false, true}) {
        offset = begin;
        const Shape shape{rows, cols};
        const Twin &dy = operand(shape, dtype), &x = operand(shape, dtype),
                   &gain = operand({cols}, dtype), &mean = operand({rows}, DType::fp32),
                   &inv = operand({rows}, DType::fp32), &dx = result(shape, dtype),
                   &dgain = added_to({cols}, DType::fp32), &dbias = added_to({cols}, DType::fp32);
        expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
          ops::layer_norm_backward(ctx, of(dy), of(x), of(gain), of(mean), of(inv), of(dx),
                                   gradients ? of(dgain) : Tensor(),
                                   gradients ? of(dbias) : Tensor(), false);
        });
      }
    }
  }
}

// A group of threads has several rows.
TEST_F(NormCuda, MoreRowsThanGroups) {
  const int64_t rows = 515, cols = 264;
  const Twin &dy = operand({rows, cols}, DType::bf16), &x = operand({rows, cols}, DType::bf16),
             &gain = operand({cols}, DType::bf16), &mean = operand({rows}, DType::fp32),
             &inv = operand({rows}, DType::fp32), &dx = result({rows, cols}, DType::bf16),
             &dgain = added_to({cols}, DType::fp32), &dbias = added_to({cols}, DType::fp32);
  expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
    ops::layer_norm_backward(ctx, of(dy), of(x), of(gain), of(mean), of(inv), of(dx), of(dgain),
                             of(dbias), false);
  });
}

TEST_F(NormCuda, GradientInPlace) {
  const Shape shape{9, 264};
  const Twin &dy = added_to(shape, DType::bf16), &x = operand(shape, DType::bf16),
             &gain = operand({264}, DType::bf16), &inv = operand({9}, DType::fp32);
  expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
    ops::rms_norm_backward(ctx, of(dy), of(x), of(gain), of(inv), of(dy), Tensor(), false);
  });
}

}  // namespace
}  // namespace argosy
