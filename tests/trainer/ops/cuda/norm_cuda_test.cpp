// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <algorithm>

#include "tests/trainer/ops/cuda/twin.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/norm.h"

namespace argosy {
namespace {

constexpr double kEps = 1e-5;

struct Case {
  int64_t rows, cols, offset;
};
// A warp a row with 1 to 4 packs a lane, a block a row with one or several a thread, more rows than
// are there at once; one element at a time and 16 bytes.
constexpr Case kCases[] = {{0, 16, 0},   {1, 1, 0},    {3, 8, 0},    {37, 31, 0},
                           {19, 128, 0}, {37, 128, 1}, {5, 264, 0},  {5, 768, 0},
                           {3, 776, 0},  {2, 1003, 0}, {2, 1032, 0}, {2, 4104, 0},
                           {1, 9016, 0}, {300, 64, 0}, {2, 2081, 1}, {1, 40008, 0}};

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

// The row that is normalised is the one that is kept: what two ops give, to the bit.
TEST_F(NormCuda, AResidualIsRoundedBeforeItIsNormalised) {
  for (const DType dtype : kCudaDTypes) {
    for (const auto& [rows, cols, begin] : kCases) {
      offset = begin;
      const Shape shape{rows, cols};
      const Values first = random_values(shape.size(), 21),
                   second = random_values(shape.size(), 22), gains = random_values(cols, 23);
      const auto on_cuda = [&](Shape of, const Values& values) {
        const Tensor host = make(cpu, of, dtype, values);
        const Tensor x = cuda->empty(of, dtype, MemoryCategory::buffers);
        cuda->backend().upload(host.raw(), x.raw(), x.bytes());
        return x;
      };
      const auto bytes_of = [&](const Tensor& tensor) {
        std::vector<unsigned char> bytes(static_cast<size_t>(tensor.bytes()));
        cuda->backend().download(tensor.raw(), bytes.data(), tensor.bytes());
        return bytes;
      };
      const Tensor residual = on_cuda(shape, first), gain = on_cuda({cols}, gains),
                   x = on_cuda(shape, second), y = on_cuda(shape, second),
                   x_apart = on_cuda(shape, second), y_apart = on_cuda(shape, second),
                   inv = cuda->empty({rows}, DType::fp32, MemoryCategory::buffers);
      ops::add_rms_norm_forward(*cuda, residual, x, gain, kEps, y, inv);
      ops::add(*cuda, residual, x_apart);
      ops::rms_norm_forward(*cuda, x_apart, gain, kEps, y_apart, inv);
      EXPECT_TRUE(bytes_of(x) == bytes_of(x_apart)) << rows << " x " << cols;
      EXPECT_TRUE(bytes_of(y) == bytes_of(y_apart)) << rows << " x " << cols;
    }
  }
}

TEST_F(NormCuda, RowsOfZerosAndOfOneNumber) {
  const int64_t rows = 3, cols = 37;
  Values values(static_cast<size_t>(rows * cols), 0.0);
  std::fill(values.begin() + cols, values.begin() + 2 * cols, 0.001);
  for (const DType dtype : kCudaDTypes) {
    const Shape shape{rows, cols};
    const Twin &x = operand(shape, dtype, values), &gain = operand({cols}, dtype),
               &bias = operand({cols}, dtype), &y = result(shape, dtype),
               &inv = result({rows}, DType::fp32), &layer_y = result(shape, dtype),
               &mean = result({rows}, DType::fp32), &layer_inv = result({rows}, DType::fp32);
    expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
      ops::rms_norm_forward(ctx, of(x), of(gain), kEps, of(y), of(inv));
      ops::layer_norm_forward(ctx, of(x), of(gain), of(bias), kEps, of(layer_y), of(mean),
                              of(layer_inv));
    });
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

// A warp has several rows, or a block.
TEST_F(NormCuda, MoreRowsThanAreThereAtOnce) {
  for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{2100, 264}, {140, 8200}}) {
    const Twin &dy = operand({rows, cols}, DType::bf16), &x = operand({rows, cols}, DType::bf16),
               &gain = operand({cols}, DType::bf16), &mean = operand({rows}, DType::fp32),
               &inv = operand({rows}, DType::fp32), &dx = result({rows, cols}, DType::bf16),
               &dgain = added_to({cols}, DType::fp32), &dbias = added_to({cols}, DType::fp32);
    expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
      ops::layer_norm_backward(ctx, of(dy), of(x), of(gain), of(mean), of(inv), of(dx), of(dgain),
                               of(dbias), false);
    });
  }
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
