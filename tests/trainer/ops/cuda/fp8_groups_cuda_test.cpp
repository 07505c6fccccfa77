// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Experts in 8 bits: groups of rows.
#include <numeric>

#include "tests/trainer/ops/cuda/fp8_fixture.h"

namespace argosy {
namespace {

using ops::Fp8Format;
using ops::Fp8Matrix;

class Fp8GroupsCuda : public Fp8CudaTest {};

// Groups of any size, empty ones too; transposes have zeros behind their rows. More groups than a
// launch takes.
TEST_F(Fp8GroupsCuda, RoundsGroupsOfRows) {
  std::vector<int64_t> many(450, 1);
  for (size_t g = 0; g < many.size(); g += 50) many[g] = 0;
  for (const std::vector<int64_t>& rows :
       {std::vector<int64_t>{0, 5, 16, 0, 131, 1}, {0, 0}, {64}, many}) {
    const int64_t cols = 80, total = std::accumulate(rows.begin(), rows.end(), int64_t{0});
    const Values values = random_values(total * cols, 7);
    const Tensor x = values_on_cuda({total, cols}, values);
    double largest = 0;
    for (const double v : values) largest = std::max(largest, std::abs(v));
    const float scale = static_cast<float>(largest) / 448.0f;
    const Fp8Matrix plain = matrix(total, cols, Fp8Format::e4m3);
    const ops::Fp8Groups turned =
        ops::empty_fp8_groups(*cuda, rows, cols, Fp8Format::e4m3, MemoryCategory::buffers);
    for (const Fp8Matrix& one : turned.turned) spoil(one.bytes);
    ops::quantize(*cuda, x, plain, turned);
    const std::vector<uint8_t> bytes = bytes_of(plain);
    for (size_t i = 0; i < bytes.size(); ++i)
      ASSERT_EQ(bytes[i], nearest(values[i], scale, Fp8Format::e4m3)) << i;
    int64_t begin = 0;
    for (size_t g = 0; g < rows.size(); begin += rows[g++]) {
      if (total == 0) continue;  // nothing is read of groups without rows
      const std::vector<uint8_t> turned_bytes = bytes_of(turned.turned[g]);
      const int64_t padded = turned.turned[g].cols();
      ASSERT_LT(padded - rows[g], 16);
      for (int64_t c = 0; c < cols; ++c) {
        for (int64_t r = 0; r < padded; ++r) {
          const uint8_t expected =
              r < rows[g] ? bytes[static_cast<size_t>((begin + r) * cols + c)] : uint8_t{0};
          ASSERT_EQ(turned_bytes[static_cast<size_t>(c * padded + r)], expected) << g;
        }
      }
    }
  }
}

// The three products of experts, of whatever rows they get, against sums of what the rounded
// operands mean. Each weight has a scale of its own.
TEST_F(Fp8GroupsCuda, ProductsOfExperts) {
  const std::vector<int64_t> rows = {21, 0, 1, 42};
  const int64_t total = 64, out = 48, in = 32;
  const Values x = random_values(total * in, 1), dy = random_values(total * out, 2);
  const Tensor x_cuda = values_on_cuda({total, in}, x), dy_cuda = values_on_cuda({total, out}, dy);
  std::vector<Values> w;
  std::vector<Fp8Matrix> weights, turned_weights;
  std::vector<Tensor> dw, dw_set;
  const Values before = random_values(out * in, 9);
  for (size_t g = 0; g < rows.size(); ++g) {
    w.push_back(random_values(out * in, 10 + static_cast<uint32_t>(g)));
    for (double& v : w.back()) v *= std::ldexp(1.0, static_cast<int>(g));
    const Tensor weight = values_on_cuda({out, in}, w.back());
    weights.push_back(rounded(weight, false, Fp8Format::e4m3));
    turned_weights.push_back(rounded(weight, true, Fp8Format::e4m3));
    for (std::vector<Tensor>* list : {&dw, &dw_set})
      list->push_back(cuda->empty({out, in}, DType::fp32, MemoryCategory::buffers));
    copy_from_doubles(before, dw.back());
    spoil(dw_set.back());
  }
  const Tensor y = cuda->empty({total, out}, DType::bf16, MemoryCategory::buffers),
               dx = cuda->empty({total, in}, DType::bf16, MemoryCategory::buffers);
  spoil(y);
  spoil(dx);
  const auto groups = [&](const Tensor& values, Fp8Format format) {
    ops::Fp8Groups result =
        ops::empty_fp8_groups(*cuda, rows, values.dim(1), format, MemoryCategory::buffers);
    ops::quantize(*cuda, values, {}, result);
    return result;
  };
  const ops::Fp8Groups x_turned = groups(x_cuda, Fp8Format::e4m3),
                       dy_turned = groups(dy_cuda, Fp8Format::e5m2);
  const int64_t flops_before = cuda->matmul_flops;
  ops::grouped_matmul_fp8(*cuda, rounded(x_cuda, false, Fp8Format::e4m3), rows, weights, y);
  ops::grouped_matmul_fp8(*cuda, rounded(dy_cuda, false, Fp8Format::e5m2), rows, turned_weights,
                          dx);
  ops::grouped_matmul_fp8_tn(*cuda, dy_turned, x_turned, dw, {.accumulate = true});
  ops::grouped_matmul_fp8_tn(*cuda, dy_turned, x_turned, dw_set);
  EXPECT_EQ(cuda->matmul_flops - flops_before, 4 * 2 * total * out * in);

  const Values x_meant = meant(x, Fp8Format::e4m3), dy_meant = meant(dy, Fp8Format::e5m2);
  Values y_expected, dx_expected;
  int64_t begin = 0;
  const auto at = [](const Values& values, int64_t row, int64_t cols, int64_t col) {
    return values[static_cast<size_t>(row * cols + col)];
  };
  for (size_t g = 0; g < rows.size(); begin += rows[g++]) {
    const Values w_meant = meant(w[g], Fp8Format::e4m3);
    for (int64_t r = begin; r < begin + rows[g]; ++r) {
      for (int64_t o = 0; o < out; ++o) {
        double sum = 0;
        for (int64_t i = 0; i < in; ++i) sum += at(x_meant, r, in, i) * at(w_meant, o, in, i);
        y_expected.push_back(sum);
      }
      for (int64_t i = 0; i < in; ++i) {
        double sum = 0;
        for (int64_t o = 0; o < out; ++o) sum += at(dy_meant, r, out, o) * at(w_meant, o, in, i);
        dx_expected.push_back(sum);
      }
    }
    Values dw_expected, dw_set_expected;
    for (int64_t o = 0; o < out; ++o) {
      for (int64_t i = 0; i < in; ++i) {
        double sum = 0;
        for (int64_t r = begin; r < begin + rows[g]; ++r)
          sum += at(dy_meant, r, out, o) * at(x_meant, r, in, i);
        dw_set_expected.push_back(sum);
        dw_expected.push_back(at(before, o, in, i) + sum);
      }
    }
    EXPECT_LE(relative_error(on_host(dw[g]), dw_expected), tolerance_of_fp8_sums()) << g;
    EXPECT_LE(relative_error(on_host(dw_set[g]), dw_set_expected), tolerance_of_fp8_sums()) << g;
  }
  EXPECT_LE(relative_error(on_host(y), y_expected), 5e-3);
  EXPECT_LE(relative_error(on_host(dx), dx_expected), 5e-3);
}

}  // namespace
}  // namespace argosy
