// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/matmul.h"

#include <omp.h>

#include <stdexcept>
#include <utility>

#include "tests/trainer/ops/ops_support.h"
#include "trainer/ops/activation.h"
#include "trainer/ops/cpu_kernels.h"
#include "trainer/ops/elementwise.h"

namespace argosy {
namespace {

struct Case {
  int64_t m, n, k;
};
const Case kCases[] = {{1, 1, 1}, {5, 7, 3},     {13, 1, 17}, {1, 19, 11},  {0, 3, 2},   {3, 0, 2},
                       {3, 2, 0}, {37, 41, 129}, {6, 16, 8},  {97, 33, 64}, {23, 101, 7}};

// alpha * op(a) op(b) + (accumulate ? c : 0), element by element.
Values reference(const Case& s, bool ta, bool tb, const Values& a, const Values& b, const Values& c,
                 const ops::MatmulOptions& options) {
  Values out(c.size());
  for (int64_t i = 0; i < s.m; ++i) {
    for (int64_t j = 0; j < s.n; ++j) {
      double sum = 0;
      for (int64_t p = 0; p < s.k; ++p) {
        sum += a[static_cast<size_t>(ta ? p * s.m + i : i * s.k + p)] *
               b[static_cast<size_t>(tb ? j * s.k + p : p * s.n + j)];
      }
      const auto at = static_cast<size_t>(i * s.n + j);
      out[at] = options.alpha * sum + (options.accumulate ? c[at] : 0.0);
    }
  }
  return out;
}

// All three products of one size; dtypes of the operands and of the output.
void check_products(const Case& s, DType da, DType db, DType dc, ops::MatmulOptions options) {
  DeviceContext ctx(Device::cpu);
  const Values a = random_values(s.m * s.k, 1), b = random_values(s.k * s.n, 2);
  const Values old = random_values(s.m * s.n, 3);
  const Values c = options.accumulate ? old : Values(old.size(), kPoison);
  const double tolerance = tolerance_of(dc == DType::fp32 ? DType::fp32 : dc);
  const auto expect = [&](const char* name, const Tensor& out, bool ta, bool tb) {
    EXPECT_LE(relative_error(values_of(out), reference(s, ta, tb, a, b, c, options)), tolerance)
        << name << " m=" << s.m << " n=" << s.n << " k=" << s.k;
  };
  Tensor out = make(ctx, {s.m, s.n}, dc, c);
  ops::matmul_nt(ctx, make(ctx, {s.m, s.k}, da, a), make(ctx, {s.n, s.k}, db, b), out, options);
  expect("nt", out, false, true);
  EXPECT_EQ(ctx.matmul_flops, 2 * s.m * s.n * s.k);
  out = make(ctx, {s.m, s.n}, dc, c);
  ops::matmul_nn(ctx, make(ctx, {s.m, s.k}, da, a), make(ctx, {s.k, s.n}, db, b), out, options);
  expect("nn", out, false, false);
  out = make(ctx, {s.m, s.n}, dc, c);
  ops::matmul_tn(ctx, make(ctx, {s.k, s.m}, da, a), make(ctx, {s.k, s.n}, db, b), out, options);
  expect("tn", out, true, false);
  EXPECT_EQ(ctx.matmul_flops, 6 * s.m * s.n * s.k);
}

TEST(Matmul, EqualsTheDefinition) {
  for (const Case& s : kCases) {
    for (const DType dtype : {DType::fp64, DType::fp32, DType::bf16}) {
      for (const bool accumulate : {false, true}) {
        check_products(s, dtype, dtype, dtype, {.accumulate = accumulate, .alpha = 1.0});
        check_products(s, dtype, dtype, dtype, {.accumulate = accumulate, .alpha = -0.375});
      }
    }
  }
}

TEST(Matmul, MixesFp32AndBf16) {
  const DType kinds[] = {DType::fp32, DType::bf16};
  for (const DType a : kinds) {
    for (const DType b : kinds) {
      for (const DType c : kinds) {
        check_products({37, 41, 129}, a, b, c, {.accumulate = true});
        check_products({3, 41, 129}, a, b, c, {.accumulate = true});  // few rows
      }
    }
  }
}

// A weight gradient of bf16 operands must not pass through bf16 on its way into the fp32 sum.
TEST(Matmul, AccumulatesBf16ProductsInFp32) {
  DeviceContext ctx(Device::cpu);
  const Tensor one = filled(ctx, {1, 1}, DType::bf16, 1.0);
  const Tensor small = filled(ctx, {1, 1}, DType::bf16, 0x1p-12);
  const Tensor sum = filled(ctx, {1, 1}, DType::fp32, 1.0);
  for (int i = 0; i < 8; ++i) ops::matmul_tn(ctx, one, small, sum, {.accumulate = true});
  EXPECT_EQ(values_of(sum)[0], 1.0 + 8 * 0x1p-12);
}

TEST(Matmul, ThreadsDoNotChangeBits) {
  DeviceContext ctx(Device::cpu);
  for (const DType dtype : {DType::fp64, DType::fp32, DType::bf16}) {
    for (const Case& s :
         {Case{211, 256, 256}, Case{256, 256, 509}, Case{64, 48, 2048}, Case{2, 300, 129}}) {
      const Tensor x = make(ctx, {s.m, s.k}, dtype, random_values(s.m * s.k, 4));
      const Tensor w = make(ctx, {s.n, s.k}, dtype, random_values(s.n * s.k, 5));
      const Tensor y = ctx.empty({s.m, s.n}, dtype, MemoryCategory::buffers);
      expect_same_on_any_threads([&] {
        ops::matmul_nt(ctx, x, w, y);
        return values_of(y);
      });
      const Tensor dw = ctx.empty({s.m, s.n}, dtype, MemoryCategory::buffers);
      expect_same_on_any_threads([&] {
        ops::matmul_tn(ctx, x.view({s.k, s.m}), w.view({s.k, s.n}), dw);
        return values_of(dw);
      });
    }
  }
}

TEST(Matmul, KeepsNaN) {
  DeviceContext ctx(Device::cpu);
  for (const DType dtype : {DType::fp64, DType::fp32, DType::bf16}) {
    const Tensor x = filled(ctx, {2, 3}, dtype, 1.0), w = filled(ctx, {2, 3}, dtype, 1.0);
    set_values(x.rows(1, 2), {1.0, kPoison, 1.0});
    const Tensor y = ctx.empty({2, 2}, dtype, MemoryCategory::buffers);
    ops::matmul_nt(ctx, x, w, y);
    const Values values = values_of(y);
    EXPECT_EQ(values[0], 3.0);
    EXPECT_TRUE(std::isnan(values[2]) && std::isnan(values[3]));
  }
}

TEST(Matmul, RefusesWhatDoesNotFit) {
  DeviceContext ctx(Device::cpu);
  const Tensor x = filled(ctx, {2, 3}, DType::fp32, 1.0), y = filled(ctx, {2, 2}, DType::fp32, 1.0);
  EXPECT_THROW(ops::matmul_nn(ctx, x, x, y), std::logic_error);
  EXPECT_THROW(ops::matmul_nt(ctx, x, x, x), std::logic_error);
  EXPECT_THROW(ops::matmul_nt(ctx, x, filled(ctx, {2, 3}, DType::fp64, 1.0), y), std::logic_error);
  EXPECT_THROW(ops::matmul_nt(ctx, x.view({6}), x, y), std::logic_error);
}

// A row's bias, of the output's dtype, is added once.
TEST(Matmul, AddsABias) {
  DeviceContext ctx(Device::cpu);
  for (const Case& s : {Case{37, 41, 129}, Case{2, 41, 129}}) {
    const Values a = random_values(s.m * s.k, 1), b = random_values(s.n * s.k, 2);
    const Values old = random_values(s.m * s.n, 3), bias = random_values(s.n, 4);
    for (const DType dtype : {DType::fp64, DType::fp32, DType::bf16}) {
      for (const bool accumulate : {false, true}) {
        const Tensor out = make(ctx, {s.m, s.n}, dtype, old);
        ops::MatmulOptions options = {.accumulate = accumulate, .alpha = 0.5};
        Values expected = reference(s, false, true, a, b, old, options);
        for (size_t i = 0; i < expected.size(); ++i)
          expected[i] += bias[i % static_cast<size_t>(s.n)];
        options.bias = make(ctx, {s.n}, dtype, bias);
        ops::matmul_nt(ctx, make(ctx, {s.m, s.k}, dtype, a), make(ctx, {s.n, s.k}, dtype, b), out,
                       options);
        EXPECT_LE(relative_error(values_of(out), expected), tolerance_of(dtype));
      }
    }
  }
}

// What follows a product equals the ops of these names after it.
TEST(Matmul, FollowedByOtherOps) {
  DeviceContext ctx(Device::cpu);
  const std::pair<DType, Case> cases[] = {{DType::fp64, {7, 5, 11}},
                                          {DType::fp32, {7, 5, 11}},
                                          {DType::bf16, {7, 5, 11}},
                                          {DType::bf16, {97, 331, 70}},
                                          {DType::bf16, {3, 5, 0}}};
  for (const auto& [dtype, sizes] : cases) {
    const auto [m, n, k] = sizes;
    const DType statistic = dtype == DType::fp64 ? DType::fp64 : DType::fp32;
    const Tensor x = make(ctx, {m, k}, dtype, random_values(m * k, 1)),
                 w = make(ctx, {n, k}, dtype, random_values(n * k, 2)),
                 bias = make(ctx, {n}, dtype, random_values(n, 3)),
                 w_nn = make(ctx, {k, n}, dtype, random_values(k * n, 4)),
                 at = make(ctx, {m, n}, dtype, random_values(m * n, 5)),
                 dy = make(ctx, {k, m}, dtype, random_values(k * m, 6));
    const auto empty = [&](Shape shape) { return filled(ctx, shape, dtype, kPoison); };
    const Tensor y = empty({m, n}), before = empty({m, n}), sum = empty({m, n}), z = empty({m, n});
    ops::matmul_nt(ctx, x, w, y, {.bias = bias, .gelu_input = before});
    ops::matmul_nt(ctx, x, w, sum, {.bias = bias});
    ops::gelu_forward(ctx, sum, z);
    EXPECT_EQ(values_of(before), values_of(sum));
    EXPECT_EQ(values_of(y), values_of(z));

    ops::matmul_nn(ctx, x, w_nn, y, {.gelu_gradient_at = at});
    ops::matmul_nn(ctx, x, w_nn, z);
    ops::gelu_backward(ctx, z, at, z);
    EXPECT_EQ(values_of(y), values_of(z));

    const Tensor dbias = filled(ctx, {m}, statistic, 0.5),
                 expected = filled(ctx, {m}, statistic, 0.5);
    ops::matmul_tn(ctx, dy, w_nn, y, {.bias_gradient = dbias});
    ops::bias_backward(ctx, dy, expected);
    EXPECT_EQ(values_of(dbias), values_of(expected));
  }
}

// By tiles or by a pass: the squares of what is there afterwards, added to what was, and the same
// bits on any number of threads.
TEST(Matmul, AddsTheSquaresOfAWeightsGradient) {
  DeviceContext ctx(Device::cpu);
  const int before = omp_get_max_threads();
  for (const DType dtype : {DType::fp64, DType::fp32, DType::bf16}) {
    const DType statistic = dtype == DType::fp64 ? DType::fp64 : DType::fp32;
    for (const auto& [m, n, k] : {Case{7, 5, 11}, Case{97, 331, 70}, Case{12, 32, 0}}) {
      const Tensor dy = make(ctx, {k, m}, dtype, random_values(k * m, 1)),
                   x = make(ctx, {k, n}, dtype, random_values(k * n, 2));
      Values totals;
      for (const int threads : {1, 2, 3}) {
        omp_set_num_threads(threads);
        const Tensor dw = filled(ctx, {m, n}, statistic, 0.25);
        const Tensor squares = filled(ctx, {1}, DType::fp64, 3.0),
                     dbias = filled(ctx, {m}, statistic, 0);
        ops::matmul_tn(ctx, dy, x, dw,
                       {.accumulate = true, .bias_gradient = dbias, .squares = squares});
        double expected = 3;
        for (const double v : values_of(dw)) expected += v * v;
        totals.push_back(values_of(squares)[0]);
        EXPECT_NEAR(totals.back(), expected, 1e-6 * expected);
        EXPECT_EQ(totals.back(), totals.front());
        const Tensor expected_bias = filled(ctx, {m}, statistic, 0);
        ops::bias_backward(ctx, dy, expected_bias);
        EXPECT_EQ(values_of(dbias), values_of(expected_bias));
      }
    }
  }
  omp_set_num_threads(before);
}

// Packed operands are blocks, not copies of whole matrices.
TEST(Matmul, KeepsItsWorkspaceSmallAndLeavesNoneBehind) {
  DeviceContext ctx(Device::cpu);
  const int64_t m = 4000, n = 2000, k = 500;
  const Tensor x = filled(ctx, {m, k}, DType::bf16, 1.0), w = filled(ctx, {n, k}, DType::bf16, 1.0);
  const Tensor y = filled(ctx, {m, n}, DType::bf16, 1.0);
  ops::matmul_nt(ctx, x, w, y);
  const auto workspace = static_cast<size_t>(MemoryCategory::workspace);
  EXPECT_EQ(ctx.memory().current[workspace], 0);
  if (ops::detail::kernel_choice(DType::bf16).kernel == nullptr)
    GTEST_SKIP() << "without a bf16 kernel operands are converted whole";
  EXPECT_LE(ctx.memory().peak[workspace],
            (int64_t{2} << 20) + omp_get_max_threads() * int64_t{400} * 1024);
}

TEST(Matmul, MeasuresARate) {
  DeviceContext ctx(Device::cpu);
  ctx.matmul_flops = 5;
  EXPECT_GT(ops::measure_matmul_rate(ctx, DType::fp32, 0.01), 1e8);
  EXPECT_EQ(ctx.matmul_flops, 5);
  const std::string text = ops::matmul_description();
  EXPECT_NE(text.find("fp32 by " + ops::detail::sgemm_description()), std::string::npos) << text;
  const auto* kernel = ops::detail::kernel_choice(DType::bf16).kernel;
  EXPECT_NE(text.find(kernel == nullptr ? "bf16 converted to fp32" : kernel->name),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace argosy
