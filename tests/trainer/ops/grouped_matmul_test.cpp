// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/grouped_matmul.h"

#include <numeric>
#include <stdexcept>

#include "tests/trainer/ops/op_fixture.h"

namespace argosy {
namespace {

using Rows = std::vector<int64_t>;

// Groups without rows at the start, the end and between; one row; odd numbers; one group.
const Rows kRows[] = {{3, 5, 2}, {0, 7, 0, 0, 1, 13, 0}, {1}, {0, 0}, {129, 0, 67, 301}};
// So many rows, outputs and inputs that a product is cut into several tasks.
const Rows kManyRows = {300, 0, 2001};
constexpr int64_t kManyOutputs = 250, kManyInputs = 201;

class GroupedMatmul : public OpTest {
 protected:
  // Of n outputs and k inputs.
  struct Operands {
    Tensor x, dy, y, dx;         // (R,k), (R,n), (R,n), (R,k)
    std::vector<Tensor> w, dw;   // [G] (n,k)
    std::vector<Tensor> dw_old;  // copies
  };

  Operands operands(const Rows& rows, int64_t n, int64_t k, DType dtype, DType gradient) {
    const int64_t all = std::accumulate(rows.begin(), rows.end(), int64_t{0});
    const auto some = [this](Shape shape, DType type, uint32_t seed) {
      return make(shape, type, random_values(shape.size(), seed));
    };
    Operands o{some({all, k}, dtype, 1),
               some({all, n}, dtype, 2),
               some({all, n}, dtype, 3),
               some({all, k}, dtype, 4),
               {},
               {},
               {}};
    for (uint32_t g = 0; g < rows.size(); ++g) {
      o.w.push_back(some({n, k}, dtype, 10 + g));
      o.dw.push_back(some({n, k}, gradient, 100 + g));
      o.dw_old.push_back(some({n, k}, gradient, 100 + g));
    }
    return o;
  }

  // Each group by a single product, of the same operands.
  Operands by_single_products(const Rows& rows, Operands o, const ops::MatmulOptions& options) {
    o.y = make(o.y.shape(), o.y.dtype(), values_of(o.y));
    o.dx = make(o.dx.shape(), o.dx.dtype(), values_of(o.dx));
    o.dw = o.dw_old;
    int64_t begin = 0;
    for (size_t g = 0; g < rows.size(); begin += rows[g++]) {
      const auto part = [&](const Tensor& x) { return x.rows(begin, begin + rows[g]); };
      ops::matmul_nt(ctx, part(o.x), o.w[g], part(o.y), options);
      ops::matmul_nn(ctx, part(o.dy), o.w[g], part(o.dx), options);
      ops::matmul_tn(ctx, part(o.dy), part(o.x), o.dw[g], options);
    }
    return o;
  }

  void run(const Rows& rows, const Operands& o, const ops::MatmulOptions& options) {
    ops::grouped_matmul_nt(ctx, o.x, rows, o.w, o.y, options);
    ops::grouped_matmul_nn(ctx, o.dy, rows, o.w, o.dx, options);
    ops::grouped_matmul_tn(ctx, o.dy, o.x, rows, o.dw, options);
  }

  // fp64 to the bit: it is the same sum.
  void compare(const Rows& rows, int64_t n, int64_t k, DType dtype, DType gradient,
               const ops::MatmulOptions& options) {
    const Operands o = operands(rows, n, k, dtype, gradient);
    const Operands expected = by_single_products(rows, o, options);
    ctx.matmul_flops = 0;
    run(rows, o, options);
    EXPECT_EQ(ctx.matmul_flops, 3 * 2 * o.x.dim(0) * n * k);
    if (dtype == DType::fp64) {
      EXPECT_EQ(results(o), results(expected)) << n << " " << k;
    } else {
      EXPECT_LE(relative_error(results(o), results(expected)), tolerance_of(dtype))
          << to_string(dtype) << " " << n << " " << k;
    }
  }

  // y, dx and all dw, one after the other.
  Values results(const Operands& o) {
    Values all = values_of(o.y);
    std::vector<Tensor> more = {o.dx};
    more.insert(more.end(), o.dw.begin(), o.dw.end());
    for (const Tensor& x : more) {
      const Values values = values_of(x);
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }
};

TEST_F(GroupedMatmul, ByHand) {
  const Tensor x = make({3, 2}, DType::fp64, {1, 2, 3, 4, 5, 6});
  const std::vector<Tensor> w = {make({1, 2}, DType::fp64, {1, 1}),
                                 make({1, 2}, DType::fp64, {7, 7}),
                                 make({1, 2}, DType::fp64, {1, -2})};
  const Rows rows = {1, 0, 2};
  const Tensor y = poisoned({3, 1}, DType::fp64);
  ops::grouped_matmul_nt(ctx, x, rows, w, y);
  EXPECT_EQ(values_of(y), Values({3, -5, -7}));
  const Tensor dx = poisoned({3, 2}, DType::fp64);
  ops::grouped_matmul_nn(ctx, y, rows, w, dx);
  EXPECT_EQ(values_of(dx), Values({3, 3, -5, 10, -7, 14}));
  std::vector<Tensor> dw;
  for (int g = 0; g < 3; ++g) dw.push_back(poisoned({1, 2}, DType::fp64));
  ops::grouped_matmul_tn(ctx, y, x, rows, dw);
  EXPECT_EQ(values_of(dw[0]), Values({3, 6}));
  EXPECT_EQ(values_of(dw[1]), Values({0, 0}));  // no rows
  EXPECT_EQ(values_of(dw[2]), Values({-50, -62}));
  EXPECT_EQ(ctx.matmul_flops, 3 * (2 * 3 * 2));
}

TEST_F(GroupedMatmul, EqualsSingleProducts) {
  for (const Rows& rows : kRows) {
    for (const auto& [n, k] : {std::pair<int64_t, int64_t>{1, 1}, {7, 3}, {40, 77}}) {
      for (const bool accumulate : {false, true}) {
        const ops::MatmulOptions options = {.accumulate = accumulate, .alpha = -0.375};
        compare(rows, n, k, DType::fp64, DType::fp64, options);
        compare(rows, n, k, DType::fp32, DType::fp32, options);
        compare(rows, n, k, DType::bf16, DType::fp32, options);
        compare(rows, n, k, DType::bf16, DType::bf16, options);
      }
    }
  }
}

TEST_F(GroupedMatmul, EqualsSingleProductsWhereItCutsThem) {
  for (const DType dtype : {DType::fp32, DType::bf16}) {
    compare(kManyRows, kManyOutputs, kManyInputs, dtype, DType::fp32, {.accumulate = true});
  }
}

TEST_F(GroupedMatmul, AddsTheSquaresOfWeightGradients) {
  if (!ops::takes_squares(Device::cpu)) GTEST_SKIP() << "squares are a pass of their own";
  const Rows rows = {0, 30, 1, 0, 200};
  const Operands o = operands(rows, 77, 45, DType::bf16, DType::fp32);
  const Tensor squares = make({1}, DType::fp64, {5});
  ops::grouped_matmul_tn(ctx, o.dy, o.x, rows, o.dw, {.squares = squares});
  double expected = 5;
  for (const Tensor& dw : o.dw) {
    for (const double v : values_of(dw)) expected += v * v;
  }
  EXPECT_NEAR(values_of(squares)[0], expected, 1e-6 * expected);
}

TEST_F(GroupedMatmul, GradientsOfOddGroups) {
  const Rows rows = {0, 3, 1, 0, 2};
  const Operands o = operands(rows, 5, 3, DType::fp64, DType::fp64);
  const auto loss = [&] {
    ops::grouped_matmul_nt(ctx, o.x, rows, o.w, o.y);
    return dot(values_of(o.y), values_of(o.dy));
  };
  ops::grouped_matmul_nn(ctx, o.dy, rows, o.w, o.dx);
  expect_gradient(o.x, values_of(o.dx), loss);
  ops::grouped_matmul_tn(ctx, o.dy, o.x, rows, o.dw);
  for (size_t g = 0; g < rows.size(); ++g) expect_gradient(o.w[g], values_of(o.dw[g]), loss);
}

TEST_F(GroupedMatmul, ThreadsDoNotChangeBits) {
  for (const DType dtype : {DType::fp64, DType::fp32, DType::bf16}) {
    const Operands o = operands(kManyRows, kManyOutputs, kManyInputs, dtype, dtype);
    expect_same_on_any_threads([&] {
      run(kManyRows, o, {});
      return results(o);
    });
  }
}

TEST_F(GroupedMatmul, RefusesWhatDoesNotFit) {
  const Operands o = operands({2, 3}, 4, 6, DType::fp32, DType::fp32);
  EXPECT_THROW(ops::grouped_matmul_nt(ctx, o.x, {2, 2}, o.w, o.y), std::logic_error);
  EXPECT_THROW(ops::grouped_matmul_nt(ctx, o.x, {6, -1}, o.w, o.y), std::logic_error);
  EXPECT_THROW(ops::grouped_matmul_nt(ctx, o.x, {5}, o.w, o.y), std::logic_error);
  EXPECT_THROW(ops::grouped_matmul_nn(ctx, o.x, {2, 3}, o.w, o.y), std::logic_error);
  EXPECT_THROW(ops::grouped_matmul_tn(ctx, o.x, o.dy, {2, 3}, o.dw), std::logic_error);
  const std::vector<Tensor> mixed = {o.w[0], filled(ctx, {4, 6}, DType::bf16, 1.0)};
  EXPECT_THROW(ops::grouped_matmul_nt(ctx, o.x, {2, 3}, mixed, o.y), std::logic_error);
}

TEST_F(GroupedMatmul, LeavesNoWorkspaceBehind) {
  const Operands o = operands({20, 30}, 16, 8, DType::bf16, DType::fp32);
  run({20, 30}, o, {});
  EXPECT_EQ(ctx.memory().current[static_cast<size_t>(MemoryCategory::workspace)], 0);
}

}  // namespace
}  // namespace argosy
