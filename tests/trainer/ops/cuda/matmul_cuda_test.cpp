// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <numeric>
#include <set>

#include "tests/trainer/ops/cuda/twin.h"
#include "trainer/device/cuda_device.h"
#include "trainer/device/host_copy.h"
#include "trainer/ops/cublaslt_product.h"
#include "trainer/ops/cuda_matmul.h"
#include "trainer/ops/device_policy.h"
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

class MatmulCuda : public CudaOpTest {
 protected:
  void check_groups(const std::vector<int64_t>& rows, int64_t n, int64_t k, DType dtype) {
    const int64_t total = std::accumulate(rows.begin(), rows.end(), int64_t{0});
    std::vector<const Twin*> w, dw, dw_set;
    const Twin &x = operand({total, k}, DType::bf16), &y = result({total, n}, dtype),
               &dy = operand({total, n}, DType::bf16), &dx = added_to({total, k}, dtype);
    for (size_t g = 0; g < rows.size(); ++g) {
      w.push_back(&operand({n, k}, DType::bf16));
      dw.push_back(&added_to({n, k}, dtype));
      dw_set.push_back(&result({n, k}, dtype));
    }
    const auto tensors = [](const std::vector<const Twin*>& twins, const auto& of) {
      std::vector<Tensor> all;
      for (const Twin* twin : twins) all.push_back(of(*twin));
      return all;
    };
    expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
      ops::grouped_matmul_nt(ctx, of(x), rows, tensors(w, of), of(y));
      ops::grouped_matmul_nn(ctx, of(dy), rows, tensors(w, of), of(dx),
                             {.accumulate = true, .alpha = 0.5});
      ops::grouped_matmul_tn(ctx, of(dy), of(x), rows, tensors(dw, of), {.accumulate = true});
      ops::grouped_matmul_tn(ctx, of(dy), of(x), rows, tensors(dw_set, of));
    });
  }

  // A bias that is added by an op of its own is added to a product that was rounded before: where
  // both nearly cancel, that is more of what is left.
  void check_products(double tolerance_of_apart = 0) {
    for (const auto& [ta, tb, tc] : kTypes) {
      for (const auto& [m, n, k, begin] : kSizes) {
        for (const bool accumulate : {false, true}) {
          offset = begin;
          const auto out = [&](Shape shape) -> Twin& {
            return accumulate ? added_to(shape, tc) : result(shape, tc);
          };
          const Twin &x = operand({m, k}, ta), &w = operand({n, k}, tb), &y = out({m, n}),
                     &bias = operand({n}, tc), &w_nn = operand({k, n}, tb), &dx = out({m, n}),
                     &dy = operand({k, m}, ta), &dw = out({m, n});
          Twin& biased = out({m, n});
          if (tc == DType::bf16 && tolerance_of_apart > 0) biased.tolerance = tolerance_of_apart;
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
  void check_what_follows() {
    for (const auto& [ta, tb, tc] : kTypes) {
      for (const auto& [m, n, k, begin] : kSizes) {
        offset = begin;
        const Twin &x = operand({m, k}, ta), &w = operand({n, k}, tb), &bias = operand({n}, tc),
                   &before = result({m, n}, tc), &y = result({m, n}, tc),
                   &plain_before = result({m, n}, tc), &plain = result({m, n}, tc);
        expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
          ops::matmul_nt(ctx, of(x), of(w), of(y), {.bias = of(bias), .gelu_input = of(before)});
          ops::matmul_nt(ctx, of(x), of(w), of(plain),
                         {.alpha = 0.5, .gelu_input = of(plain_before)});
        });
        const Twin &dy = operand({m, k}, ta), &w_nn = operand({k, n}, tb),
                   &at = operand({m, n}, tc), &dx = result({m, n}, tc);
        expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
          ops::matmul_nn(ctx, of(dy), of(w_nn), of(dx), {.gelu_gradient_at = of(at)});
        });
        for (const bool accumulate : {false, true}) {
          const Twin &dy_tn = operand({k, m}, ta), &x_tn = operand({k, n}, tb),
                     &dw = accumulate ? added_to({m, n}, tc) : result({m, n}, tc),
                     &dbias = added_to({m}, DType::fp32, tc);
          expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
            ops::matmul_tn(ctx, of(dy_tn), of(x_tn), of(dw),
                           {.accumulate = accumulate, .bias_gradient = of(dbias)});
          });
        }
      }
    }
  }

  ops::detail::LibraryProduct detail_product_;
};

TEST_F(MatmulCuda, Products) {
  check_products();
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

// Our own kernel and the library, whole tiles and parts of them, empty groups, more groups than one
// launch takes.
TEST_F(MatmulCuda, GroupsOfBf16ByBothKernels) {
  struct Case {
    std::vector<int64_t> rows;
    int64_t n, k;
  };
  std::vector<int64_t> many(70, 0);
  many[0] = many[3] = 2, many[68] = 3;
  for (const auto& [rows, n, k] : {Case{{0, 130, 1, 0, 20}, 136, 72}, Case{{5, 40}, 8, 256},
                                   Case{{3, 128}, 264, 40}, Case{many, 16, 24}}) {
    for (const ops::GroupedKernel kernel : {ops::GroupedKernel::own, ops::GroupedKernel::library}) {
      cuda_of(*cuda).state<ops::CudaMatmulPolicy>().grouped = kernel;
      for (const DType result_dtype : {DType::bf16, DType::fp32}) {
        check_groups(rows, n, k, result_dtype);
      }
    }
  }
}

// What follows a product; sizes that the library fuses and others.
TEST_F(MatmulCuda, WhatFollowsAProduct) {
  check_what_follows();
}

TEST_F(MatmulCuda, OpsOfTheirOwnFollowWhereTheLibraryRefuses) {
  const bool can_refuse = without_epilogues([&] {
    check_products(0.03);
    check_what_follows();
  });
  if (!can_refuse) GTEST_SKIP() << "the library of a GPU has the epilogues that it has";
  std::string lines;
  for (const std::string& line : ops::slow_paths(*cuda)) lines += line + "\n";
  for (const char* epilogue : {", bias:", ", gelu:", ", gradient of gelu:", ", gradient of bias:"})
    EXPECT_NE(lines.find(epilogue), std::string::npos) << lines;
}

// Random values have 8 bits of mantissa; these need more than TF32 keeps.
TEST_F(MatmulCuda, RoundsToTf32WhereItMay) {
  for (const bool allowed : {false, true}) {
    ops::apply_policy(*cuda, {.allow_tf32 = allowed});
    const int64_t size = 256;  // smaller ones need no tensor cores
    Values values = random_values(size * size, 5);
    for (size_t i = 0; i < values.size(); ++i) values[i] *= 1 + 1e-3 * static_cast<double>(i % 7);
    const Tensor x_cpu = make(cpu, {size, size}, DType::fp32, values),
                 y_cpu = filled(cpu, {size, size}, DType::fp32, kPoison),
                 x = cuda->empty({size, size}, DType::fp32, MemoryCategory::buffers),
                 y = cuda->empty({size, size}, DType::fp32, MemoryCategory::buffers);
    copy_from_doubles(values, x);
    ops::matmul_nt(cpu, x_cpu, x_cpu, y_cpu);
    ops::matmul_nt(*cuda, x, x, y);
    const double error = relative_error(copy_to_doubles(y), values_of(y_cpu));
    EXPECT_LE(error, allowed ? 2e-3 : 1e-5);
    EXPECT_EQ(error > 1e-5, allowed) << error;
  }
}

// A refusal is kept for the log: here for rows of aux matrices that are no whole 16 bytes.
TEST_F(MatmulCuda, FusesWhereTheLibraryDoes) {
  const auto ops_of = [&](int64_t n) {
    const Twin &x = operand({16, 24}, DType::bf16), &w = operand({n, 24}, DType::bf16),
               &before = result({16, n}, DType::bf16), &y = result({16, n}, DType::bf16);
    detail_product_.sizes = {.transpose_b = true, .m = 16, .n = n, .k = 24};
    detail_product_.a = {x.cuda.raw(), ops::detail::MatrixType::bf16};
    detail_product_.b = {w.cuda.raw(), ops::detail::MatrixType::bf16};
    detail_product_.c = y.cuda.raw();
    detail_product_.result = ops::detail::MatrixType::bf16;
    detail_product_.epilogue = ops::detail::Epilogue::gelu;
    detail_product_.aux = before.cuda.raw();
    return ops::detail::run_product(*cuda, detail_product_);
  };
  EXPECT_TRUE(ops_of(40));
  EXPECT_FALSE(ops_of(42));
  forget_twins();
}

TEST(MatmulKeys, RaggedSizesShareFewAlgorithms) {
  std::set<int64_t> keys;
  for (int64_t size = 1; size <= 8192; ++size) {
    const int64_t key = ops::detail::key_size(size);
    EXPECT_GE(key, size);
    EXPECT_LE(static_cast<double>(key), std::max(64.0, 1.125 * static_cast<double>(size) + 8));
    keys.insert(key);
  }
  EXPECT_LE(keys.size(), 8 * 7 + 1);
}

TEST_F(MatmulCuda, NamesTheLibrary) {
  EXPECT_NE(ops::matmul_description(Device::cuda).find("cuBLASLt"), std::string::npos);
}

// Logits of a vocabulary that is no whole 16 bytes, in rows that are: what is behind is neither
// read nor written.
TEST_F(MatmulCuda, RowsWithColumnsBehind) {
  constexpr int64_t kRows = 11, kHidden = 24;
  constexpr float kBehind = 7;
  const auto on_cuda = [&](const Tensor& x) {
    const Tensor copy = cuda->empty(x.shape(), x.dtype(), MemoryCategory::buffers);
    cuda->backend().upload(x.raw(), copy.raw(), x.bytes());
    return copy;
  };
  const auto random = [&](Shape shape, DType dtype, uint32_t seed) {
    return make(cpu, shape, dtype, random_values(shape.size(), seed));
  };
  // The first columns of each row, and kBehind or a NaN after them.
  const auto padded = [&](const Tensor& x, int64_t cols, double behind) {
    Values values(static_cast<size_t>(x.dim(0) * cols), behind);
    const Values own = values_of(x);
    for (int64_t i = 0; i < x.size(); ++i)
      values[static_cast<size_t>(i / x.dim(1) * cols + i % x.dim(1))] = own[static_cast<size_t>(i)];
    return on_cuda(make(cpu, {x.dim(0), cols}, x.dtype(), values));
  };
  const auto expect_equal = [&](const Tensor& got, const Tensor& expected, double tolerance) {
    const Tensor host = cpu.empty(got.shape(), got.dtype(), MemoryCategory::buffers);
    cuda->backend().download(got.raw(), host.raw(), got.bytes());
    const Values values = values_of(host), wanted = values_of(expected);
    Values own;
    for (int64_t i = 0; i < got.size(); ++i) {
      const double value = values[static_cast<size_t>(i)];
      if (i % got.dim(1) < expected.dim(1))
        own.push_back(value);
      else
        EXPECT_EQ(value, kBehind) << i;
    }
    EXPECT_LE(relative_error(own, wanted), tolerance);
  };
  EXPECT_EQ(ops::padded_columns(Device::cpu, DType::bf16, 13), 13);
  EXPECT_EQ(ops::padded_columns(Device::cuda, DType::fp32, 13), 13);
  for (const int64_t vocab : {13, 5, 50}) {
    SCOPED_TRACE(vocab);
    const int64_t cols = ops::padded_columns(Device::cuda, DType::bf16, vocab);
    EXPECT_EQ(cols, (vocab + 7) / 8 * 8);
    const Tensor x = random({kRows, kHidden}, DType::bf16, 1),
                 w = random({vocab, kHidden}, DType::bf16, 2),
                 dy = random({kRows, vocab}, DType::bf16, 3),
                 dw = random({vocab, kHidden}, DType::fp32, 4),
                 y = cpu.zeros({kRows, vocab}, DType::fp32, MemoryCategory::buffers),
                 dx = cpu.zeros({kRows, kHidden}, DType::bf16, MemoryCategory::buffers);
    const Tensor cuda_x = on_cuda(x), cuda_w = on_cuda(w), cuda_dw = on_cuda(dw),
                 cuda_y = padded(y, cols, kBehind),
                 cuda_dx = on_cuda(make(cpu, dx.shape(), DType::bf16,
                                        Values(static_cast<size_t>(dx.size()), kPoison))),
                 cuda_dy = padded(dy, cols, kPoison);
    cuda->matmul_flops = cpu.matmul_flops = 0;
    ops::matmul_nt(cpu, x, w, y);
    ops::matmul_nn(cpu, dy, w, dx);
    ops::matmul_tn(cpu, dy, x, dw, {.accumulate = true});
    ops::matmul_nt(*cuda, cuda_x, cuda_w, cuda_y);
    ops::matmul_nn(*cuda, cuda_dy, cuda_w, cuda_dx);
    ops::matmul_tn(*cuda, cuda_dy, cuda_x, cuda_dw, {.accumulate = true});
    expect_equal(cuda_y, y, 1e-5);
    expect_equal(cuda_dx, dx, 2e-2);  // rounded once more
    expect_equal(cuda_dw, dw, 1e-5);
    EXPECT_EQ(cuda->matmul_flops, cpu.matmul_flops);
  }
}

}  // namespace
}  // namespace argosy
