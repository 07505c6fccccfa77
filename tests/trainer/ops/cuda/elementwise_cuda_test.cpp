// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/trainer/ops/cuda/twin.h"
#include "trainer/ops/elementwise.h"

namespace argosy {
namespace {

constexpr int64_t kSizes[] = {0, 1, 7, 8, 31, 2053, 20011};

class ElementwiseCuda : public CudaOpTest {};

TEST_F(ElementwiseCuda, CopiesConvertAndAdd) {
  for (const DType from : kCudaDTypes) {
    for (const DType to : kCudaDTypes) {
      for (const int64_t size : kSizes) {
        for (const int64_t begin : {0, 1, 4}) {
          offset = begin;
          const Twin &x = operand({size}, from), &y = result({size}, to),
                     &sum = added_to({size}, to);
          expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
            ops::copy(ctx, of(x), of(y));
            ops::add(ctx, of(x), of(sum));
          });
        }
      }
    }
  }
}

TEST_F(ElementwiseCuda, CopiesIdsAndClears) {
  const Twin &x = ids({5}, {1, -2, 3, 1 << 20, -5}), &y = result({5}, DType::int32),
             &zero = result({5}, DType::bf16);
  expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
    ops::copy(ctx, of(x), of(y));
    ops::fill_zero(ctx, of(zero));
  });
}

TEST_F(ElementwiseCuda, RoundsToNearestEven) {
  // Between two bf16 numbers: ties, just below, just above; infinity and overflow.
  const Values values = {1.00390625,  1.01171875,   1.0039062, 1.0039064,
                         -1.00390625, 3.3895314e38, 1e-40,     -0.0};
  const Shape shape{static_cast<int64_t>(values.size())};
  const Twin &x = operand(shape, DType::fp32, values), &y = result(shape, DType::bf16);
  expect_twins_agree([&](DeviceContext& ctx, const auto& of) { ops::copy(ctx, of(x), of(y)); });
}

TEST_F(ElementwiseCuda, Scales) {
  for (const DType dtype : kCudaDTypes) {
    for (const int64_t size : kSizes) {
      const Twin& y = added_to({size}, dtype);
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) { ops::scale(ctx, 0.37, of(y)); });
    }
  }
}

TEST_F(ElementwiseCuda, Bias) {
  for (const DType dtype : kCudaDTypes) {
    for (const int64_t rows : {0, 1, 5, 37, 263}) {
      for (const int64_t cols : {1, 8, 13, 264, 521}) {
        for (const int64_t begin : {0, 1}) {
          offset = begin;
          const Twin &bias = operand({cols}, dtype), &y = added_to({rows, cols}, dtype);
          expect_twins_agree(
              [&](DeviceContext& ctx, const auto& of) { ops::add_bias(ctx, of(bias), of(y)); });
          const Twin &dy = operand({rows, cols}, dtype), &dbias = added_to({cols}, DType::fp32);
          expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
            ops::bias_backward(ctx, of(dy), of(dbias));
          });
        }
      }
    }
  }
}

TEST_F(ElementwiseCuda, SigmoidGate) {
  for (const DType dtype : kCudaDTypes) {
    for (const int64_t rows : {0, 1, 37}) {
      for (const int64_t cols : {1, 8, 13, 2056, 4099}) {
        const Shape shape{rows, cols};
        const Twin &x = operand(shape, dtype), &gate = operand({rows}, DType::fp32),
                   &y = result(shape, dtype);
        expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
          ops::sigmoid_gate_forward(ctx, of(x), of(gate), of(y));
        });
        const Twin &dy = operand(shape, dtype), &x2 = operand(shape, dtype),
                   &gate2 = operand({rows}, DType::fp32), &dx = result(shape, dtype),
                   &dgate = result({rows}, DType::fp32);
        expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
          ops::sigmoid_gate_backward(ctx, of(dy), of(x2), of(gate2), of(dx), of(dgate));
        });
      }
    }
  }
}

TEST_F(ElementwiseCuda, SumsInDouble) {
  for (const DType dtype : kCudaDTypes) {
    for (const int64_t size : {0, 1, 7, 300, 20011}) {
      for (const int64_t begin : {0, 1}) {
        offset = begin;
        const Twin &x = operand({size}, dtype), &sum = changed({1}, DType::fp64, {0.25});
        expect_twins_agree(
            [&](DeviceContext& ctx, const auto& of) { ops::add_sum(ctx, of(x), of(sum)); });
      }
    }
  }
}

// Fewer and more parts than a launch takes, some of several chunks, some empty.
TEST_F(ElementwiseCuda, SquaresOfManyParts) {
  for (const DType dtype : kCudaDTypes) {
    for (const int64_t count : {0, 1, 3, 700}) {
      std::vector<const Twin*> parts;
      for (int64_t i = 0; i < count; ++i) {
        offset = i % 3;
        const int64_t size = i == 1 ? 40009 : i * 7 % 31;
        parts.push_back(&operand({size}, dtype));
      }
      offset = 0;
      const Twin& total = result({1}, DType::fp64);
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        std::vector<Tensor> list;
        for (const Twin* part : parts) list.push_back(of(*part));
        ops::sum_of_squares(ctx, list, of(total));
      });
    }
  }
}

TEST_F(ElementwiseCuda, RefusesDoubles) {
  const Tensor x = cuda->empty({3}, DType::fp64, MemoryCategory::buffers);
  EXPECT_THROW(ops::scale(*cuda, 2, x), ConfigError);
}

}  // namespace
}  // namespace argosy
