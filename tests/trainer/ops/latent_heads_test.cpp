// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/latent_heads.h"

#include "tests/trainer/ops/op_fixture.h"

namespace argosy::ops {
namespace {

class LatentHeads : public OpTest {
 protected:
  static constexpr LatentHeadShape kShape = {
      .num_heads = 3, .nope_dim = 2, .rope_dim = 4, .value_dim = 5};
  static constexpr int64_t kRows = 2;
  static constexpr int64_t kv_width() { return 3 * (2 + 5); }
};

TEST_F(LatentHeads, EveryKeyEndsWithTheSharedPart) {
  Values kv_values, shared_values;
  for (int64_t i = 0; i < kRows * kv_width(); ++i) kv_values.push_back(static_cast<double>(i));
  for (int64_t i = 0; i < kRows * 4; ++i) shared_values.push_back(-1.0 - static_cast<double>(i));
  for (const DType dtype : {DType::fp64, DType::fp32, DType::bf16}) {
    const Tensor k = poisoned({kRows, 3 * 6}, dtype), v = poisoned({kRows, 3 * 5}, dtype);
    latent_heads_forward(ctx, kShape, make({kRows, kv_width()}, dtype, kv_values),
                         make({kRows, 4}, dtype, shared_values), k, v);
    EXPECT_EQ(values_of(k),
              Values({0,  1,  -1, -2, -3, -4, 7,  8,  -1, -2, -3, -4, 14, 15, -1, -2, -3, -4,
                      21, 22, -5, -6, -7, -8, 28, 29, -5, -6, -7, -8, 35, 36, -5, -6, -7, -8}));
    EXPECT_EQ(values_of(v), Values({2,  3,  4,  5,  6,  9,  10, 11, 12, 13, 16, 17, 18, 19, 20,
                                    23, 24, 25, 26, 27, 30, 31, 32, 33, 34, 37, 38, 39, 40, 41}));
  }
}

// <dk, k(kv, shared)> + <dv, v> = <dkv, kv> + <dshared, shared> for a linear map's transpose.
TEST_F(LatentHeads, GradientsAreTheTranspose) {
  const LatentHeadShape s = {.num_heads = 5, .nope_dim = 7, .rope_dim = 70, .value_dim = 3};
  const int64_t rows = 11, of_kv = 5 * (7 + 3), of_k = 5 * 77, of_v = 5 * 3;
  const Values kv = random_values(rows * of_kv, 1), shared = random_values(rows * 70, 2),
               dk = random_values(rows * of_k, 3), dv = random_values(rows * of_v, 4);
  const auto tensor = [&](int64_t columns, const Values& values) {
    return make({rows, columns}, DType::fp64, values);
  };
  const Tensor k = poisoned({rows, of_k}, DType::fp64), v = poisoned({rows, of_v}, DType::fp64),
               dkv = poisoned({rows, of_kv}, DType::fp64),
               dshared = poisoned({rows, 70}, DType::fp64);
  latent_heads_forward(ctx, s, tensor(of_kv, kv), tensor(70, shared), k, v);
  latent_heads_backward(ctx, s, tensor(of_k, dk), tensor(of_v, dv), dkv, dshared);
  EXPECT_NEAR(dot(dk, values_of(k)) + dot(dv, values_of(v)),
              dot(values_of(dkv), kv) + dot(values_of(dshared), shared), 1e-10);
}

// A sum of 300 heads in bf16: one rounding, at its end.
TEST_F(LatentHeads, SharedGradientsAreSummedInTheWiderType) {
  const LatentHeadShape s = {.num_heads = 300, .nope_dim = 1, .rope_dim = 1, .value_dim = 1};
  const Tensor dkv = poisoned({1, 600}, DType::bf16), dshared = poisoned({1, 1}, DType::bf16);
  latent_heads_backward(ctx, s, filled(ctx, {1, 600}, DType::bf16, 1.0),
                        filled(ctx, {1, 300}, DType::bf16, 1.0), dkv, dshared);
  EXPECT_EQ(values_of(dshared), Values({300}));
}

TEST_F(LatentHeads, CopiesColumns) {
  const Tensor from = make({2, 4}, DType::bf16, {0, 1, 2, 3, 4, 5, 6, 7});
  const Tensor to = filled(ctx, {2, 3}, DType::bf16, 9.0);
  copy_columns(ctx, {.from_begin = 1, .to_begin = 1, .width = 2}, from, to);
  EXPECT_EQ(values_of(to), Values({9, 1, 2, 9, 5, 6}));
  EXPECT_THROW(copy_columns(ctx, {.from_begin = 3, .to_begin = 0, .width = 2}, from, to),
               std::logic_error);
  EXPECT_THROW(copy_columns(ctx, {.from_begin = 0, .to_begin = 2, .width = 2}, from, to),
               std::logic_error);
}

TEST_F(LatentHeads, ChecksShapes) {
  const Tensor kv = poisoned({2, 21}, DType::fp32), shared = poisoned({2, 4}, DType::fp32),
               k = poisoned({2, 18}, DType::fp32), v = poisoned({2, 15}, DType::fp32);
  latent_heads_forward(ctx, kShape, kv, shared, k, v);
  EXPECT_THROW(latent_heads_forward(ctx, kShape, kv, shared, v, k), std::logic_error);
  EXPECT_THROW(latent_heads_forward(ctx, kShape, kv, poisoned({1, 4}, DType::fp32), k, v),
               std::logic_error);
}

}  // namespace
}  // namespace argosy::ops
