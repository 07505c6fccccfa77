// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/fp8.h"

#include "planner/spec/integers.h"
#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/op_timer.h"

namespace argosy::ops {
namespace {

void check_matrix(const char* name, const Fp8Matrix& x, int64_t rows, int64_t cols) {
  CHECK(x.bytes.dtype() == DType::int32 && x.scale.size() == 1, name, " is no matrix of 8 bits");
  CHECK(x.rows() == rows && x.cols() == cols, name, " is (", x.rows(), ", ", x.cols(),
        "), expected (", rows, ", ", cols, ")");
}

void check_unit(int64_t size) {
  CHECK(size % kFp8Unit == 0, size, " is no multiple of ", kFp8Unit);
}

int64_t padded(int64_t rows) {
  return round_up(rows, kFp8Unit);
}

void check_groups(const char* name, const Fp8Groups& x, int64_t num_rows, int64_t cols) {
  CHECK(x.rows.size() == x.turned.size(), name, ": ", x.turned.size(), " transposes of ",
        x.rows.size(), " groups");
  int64_t sum = 0;
  for (size_t g = 0; g < x.rows.size(); ++g) {
    check_matrix(name, x.turned[g], cols, padded(x.rows[g]));
    sum += x.rows[g];
  }
  CHECK(sum == num_rows, name, " has groups of ", sum, " rows, expected ", num_rows);
}

Tensor scale_in(DeviceContext& ctx, MemoryCategory category) {
  const bool is_kept = category == MemoryCategory::parameters;  // counted to the byte
  return ctx.empty({1}, DType::fp32, is_kept ? MemoryCategory::buffers : category);
}

void multiply(DeviceContext& ctx, const Fp8Matrix& a, const Fp8Matrix& b, const Tensor& out,
              const MatmulOptions& options, detail::Ragged ragged) {
  check_rank("the output", out, 2);
  check_matrix("the first operand", a, out.dim(0), a.cols());
  check_matrix("the second operand", b, out.dim(1), a.cols());
  for (const int64_t size : {out.dim(1), a.cols()}) check_unit(size);
  if (options.bias.defined()) check_tensor("the bias", options.bias, {out.dim(1)}, out.dtype());
  if (out.size() == 0) return;
  const OpTimer timer(ctx, ctx.op_seconds.matmul_s);
  dispatch_device(ctx.device(),
                  [&]<Device D>() { detail::matmul_fp8<D>(ctx, a, b, out, options, ragged); });
}

Fp8Matrix rows_of(const Fp8Matrix& x, int64_t begin, int64_t end) {
  return {x.bytes.rows(begin, end), x.scale, x.format};
}

}  // namespace

void require_fp8(DeviceContext& ctx) {
  dispatch_device(ctx.device(), [&]<Device D>() { detail::require_fp8<D>(ctx); });
}

Fp8Matrix empty_fp8(DeviceContext& ctx, int64_t rows, int64_t cols, Fp8Format format,
                    MemoryCategory category) {
  check_unit(cols);
  return {ctx.empty({rows, cols / 4}, DType::int32, category), scale_in(ctx, category), format};
}

Fp8Groups empty_fp8_groups(DeviceContext& ctx, const std::vector<int64_t>& rows, int64_t cols,
                           Fp8Format format, MemoryCategory category) {
  check_unit(cols);
  int64_t num_words = 0;
  for (const int64_t count : rows) num_words += cols * padded(count) / 4;
  const Tensor words = ctx.empty({num_words}, DType::int32, category),
               scale = scale_in(ctx, category);
  Fp8Groups groups;
  groups.rows = rows;
  groups.turned.reserve(rows.size());
  int64_t begin = 0;
  for (const int64_t count : rows) {
    const int64_t end = begin + cols * padded(count) / 4;
    groups.turned.push_back({words.flat(begin, end, {cols, padded(count) / 4}), scale, format});
    begin = end;
  }
  return groups;
}

void quantize(DeviceContext& ctx, const Tensor& x, const Fp8Matrix& plain,
              const Fp8Matrix& turned) {
  quantize(ctx, x, plain, turned.defined() ? Fp8Groups{{x.dim(0)}, {turned}} : Fp8Groups{});
}

void quantize(DeviceContext& ctx, const Tensor& x, const Fp8Matrix& plain,
              const Fp8Groups& turned) {
  check_rank("the values", x, 2);
  check_dtype("the values", x, DType::bf16);
  if (plain.defined()) check_matrix("the result", plain, x.dim(0), x.dim(1));
  if (turned.defined()) check_groups("the transpose", turned, x.dim(0), x.dim(1));
  if (x.size() == 0) return;
  dispatch_device(ctx.device(), [&]<Device D>() { detail::quantize<D>(ctx, x, plain, turned); });
}

void matmul_fp8(DeviceContext& ctx, const Fp8Matrix& a, const Fp8Matrix& b, const Tensor& out,
                const MatmulOptions& options) {
  multiply(ctx, a, b, out, options, detail::Ragged::none);
  ctx.matmul_flops += 2 * out.size() * a.cols();
}

void grouped_matmul_fp8(DeviceContext& ctx, const Fp8Matrix& a, const std::vector<int64_t>& rows,
                        const std::vector<Fp8Matrix>& b, const Tensor& out,
                        const MatmulOptions& options) {
  CHECK(rows.size() == b.size(), b.size(), " matrices for ", rows.size(), " groups");
  int64_t begin = 0;
  for (size_t g = 0; g < rows.size(); ++g) {
    const int64_t end = begin + rows[g];
    multiply(ctx, rows_of(a, begin, end), b[g], out.rows(begin, end), options, detail::Ragged::m);
    begin = end;
  }
  CHECK(begin == out.dim(0), "the output has ", out.dim(0), " rows, its groups ", begin);
  ctx.matmul_flops += 2 * out.size() * a.cols();
}

void grouped_matmul_fp8_tn(DeviceContext& ctx, const Fp8Groups& a, const Fp8Groups& b,
                           const std::vector<Tensor>& out, const MatmulOptions& options) {
  CHECK(a.rows == b.rows && out.size() == a.rows.size(), out.size(), " results for groups of ",
        a.rows.size(), " and ", b.rows.size());
  for (size_t g = 0; g < out.size(); ++g) {
    if (a.rows[g] > 0) {
      multiply(ctx, a.turned[g], b.turned[g], out[g], options, detail::Ragged::k);
    } else if (!options.accumulate) {
      fill_zero(ctx, out[g]);
    }
    ctx.matmul_flops += 2 * out[g].size() * a.rows[g];
  }
}

}  // namespace argosy::ops
