// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/fp8.h"

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"
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

}  // namespace

void require_fp8(DeviceContext& ctx) {
  dispatch_device(ctx.device(), [&]<Device D>() { detail::require_fp8<D>(ctx); });
}

Fp8Matrix empty_fp8(DeviceContext& ctx, int64_t rows, int64_t cols, Fp8Format format,
                    MemoryCategory category) {
  check_unit(rows);
  check_unit(cols);
  const bool is_kept = category == MemoryCategory::parameters;  // counted to the byte
  return {ctx.empty({rows, cols / 4}, DType::int32, category),
          ctx.empty({1}, DType::fp32, is_kept ? MemoryCategory::buffers : category), format};
}

void quantize(DeviceContext& ctx, const Tensor& x, const Fp8Matrix& plain,
              const Fp8Matrix& turned) {
  check_rank("the values", x, 2);
  check_dtype("the values", x, DType::bf16);
  if (plain.defined()) check_matrix("the result", plain, x.dim(0), x.dim(1));
  if (turned.defined()) check_matrix("the transpose", turned, x.dim(1), x.dim(0));
  if (x.size() == 0) return;
  dispatch_device(ctx.device(), [&]<Device D>() { detail::quantize<D>(ctx, x, plain, turned); });
}

void matmul_fp8(DeviceContext& ctx, const Fp8Matrix& a, const Fp8Matrix& b, const Tensor& out,
                const MatmulOptions& options) {
  check_rank("the output", out, 2);
  check_matrix("the first operand", a, out.dim(0), a.cols());
  check_matrix("the second operand", b, out.dim(1), a.cols());
  for (const int64_t size : {out.dim(0), out.dim(1), a.cols()}) check_unit(size);
  if (options.bias.defined()) check_tensor("the bias", options.bias, {out.dim(1)}, out.dtype());
  const OpTimer timer(ctx, ctx.op_seconds.matmul_s);
  if (out.size() > 0) {
    dispatch_device(ctx.device(),
                    [&]<Device D>() { detail::matmul_fp8<D>(ctx, a, b, out, options); });
  }
  ctx.matmul_flops += 2 * out.size() * a.cols();
}

}  // namespace argosy::ops
