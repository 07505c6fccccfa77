// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/trainer/ops/cuda/twin.h"
#include "trainer/ops/grouped_matmul.h"
#include "trainer/ops/matmul.h"

namespace argosy {
namespace {

struct Sizes {
  int64_t m, n, k, offset;
};
constexpr Sizes kSizes[] = {{0, 5, 3, 0},    {5, 0, 3, 0},    {5, 3, 0, 0},    {1, 1, 1, 0},
                            {37, 13, 29, 0}, {37, 13, 29, 1}, {64, 72, 40, 0}, {8, 131, 67, 4}};

struct Types {
  DType a, b, c;
};
constexpr Types kTypes[] = {{DType::fp32, DType::fp32, DType::fp32},
                            {DType::bf16, DType::bf16, DType::bf16},
                            {DType::bf16, DType::bf16, DType::fp32},
                            {DType::fp32, DType::bf16, DType::fp32},
                            {DType::bf16, DType::fp32, DType::bf16}};

class MatmulCuda : public CudaOpTest {};

TEST_F(MatmulCuda, Products) {
  for (const auto& [ta, tb, tc] : kTypes) {
    for (const auto& [m, n, k, begin] : kSizes) {
      for (const bool accumulate : {false, true}) {
        offset = begin;
        const auto out = [&](Shape shape) -> const Twin& {
          return accumulate ? added_to(shape, tc) : result(shape, tc);
        };
        const Twin &x = operand({m, k}, ta), &w = operand({n, k}, tb), &y = out({m, n}),
                   &bias = operand({n}, tc), &biased = out({m, n}), &w_nn = operand({k, n}, tb),
                   &dx = out({m, n}), &dy = operand({k, m}, ta), &dw = out({m, n});
        expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
          ops::matmul_nt(ctx, of(x), of(w), of(y), {.accumulate = accumulate});
          ops::matmul_nt(ctx, of(x), of(w), of(biased),
                         {.accumulate = accumulate, .alpha = 0.5, .bias = of(bias)});
          ops::matmul_nn(ctx, of(x), of(w_nn), of(dx), {.accumulate = accumulate, .alpha = -2});
          ops::matmul_tn(ctx, of(dy), of(w_nn), of(dw), {.accumulate = accumulate});
        });
      }
    }
  }
}

TEST_F(MatmulCuda, GroupedProducts) {
  for (const auto& [ta, tb, tc] : kTypes) {
    const std::vector<int64_t> rows = {0, 7, 1, 0, 20};
    const int64_t n = 19, k = 11;
    std::vector<const Twin*> w, dw;
    const Twin &x = operand({28, k}, ta), &y = result({28, n}, tc), &dy = operand({28, n}, ta),
               &dx = result({28, k}, tc), &input = operand({28, k}, tb);
    for (size_t g = 0; g < rows.size(); ++g) {
      w.push_back(&operand({n, k}, tb));
      dw.push_back(&added_to({n, k}, tc));
    }
    expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
      std::vector<Tensor> weights, gradients;
      for (size_t g = 0; g < rows.size(); ++g) {
        weights.push_back(of(*w[g]));
        gradients.push_back(of(*dw[g]));
      }
      ops::grouped_matmul_nt(ctx, of(x), rows, weights, of(y));
      ops::grouped_matmul_nn(ctx, of(dy), rows, weights, of(dx));
      ops::grouped_matmul_tn(ctx, of(dy), of(input), rows, gradients, {.accumulate = true});
    });
  }
}

TEST_F(MatmulCuda, NamesTheLibrary) {
  EXPECT_NE(ops::matmul_description(Device::cuda).find("cuBLASLt"), std::string::npos);
}

}  // namespace
}  // namespace argosy
