// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/matmul.h"

#include "planner/spec/clock.h"
#include "trainer/ops/activation.h"
#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/op_timer.h"

namespace argosy::ops {
namespace {

using detail::Product;

bool is_fusion(const MatmulOptions& o) {
  return o.gelu_input.defined() || o.gelu_gradient_at.defined() || o.bias_gradient.defined() ||
         o.squares.defined();
}

void check_options(const Product& p, const Tensor& c, const MatmulOptions& o) {
  if (o.bias.defined()) check_tensor("the bias", o.bias, {p.n}, c.dtype());
  for (const Tensor* x : {&o.gelu_input, &o.gelu_gradient_at}) {
    if (!x->defined()) continue;
    check_tensor("the input of gelu", *x, {p.m, p.n}, c.dtype());
    CHECK(!o.accumulate, "a sum goes through gelu once, when it is whole");
  }
  if (o.bias_gradient.defined()) {
    check_tensor("the bias's gradient", o.bias_gradient, {p.m}, statistic_of(c.dtype()));
    CHECK(p.transpose_a, "a bias has a gradient beside its weight's");
  }
  if (o.squares.defined()) {
    check_tensor("the sum of squares", o.squares, {1}, DType::fp64);
    CHECK(p.transpose_a && !o.bias.defined(), "squares are taken of a weight's gradient");
  }
  CHECK(o.gelu_input.defined() + o.gelu_gradient_at.defined() + o.bias_gradient.defined() <= 1,
        "one op follows a product");
}

bool run_fused(DeviceContext& ctx, const Product& p, const Tensor& a, const Tensor& b,
               const Tensor& c, const MatmulOptions& options) {
  const OpTimer timer(ctx, ctx.op_seconds.matmul_s);
  return dispatch_device(
      ctx.device(), [&]<Device D>() { return detail::fused_matmul<D>(ctx, p, a, b, c, options); });
}

// The product, and what follows it as an op of its own.
void run_apart(DeviceContext& ctx, const Product& p, const Tensor& a, const Tensor& b,
               const Tensor& c, const MatmulOptions& options) {
  const bool has_gelu = options.gelu_input.defined();
  {
    const OpTimer timer(ctx, ctx.op_seconds.matmul_s);
    dispatch_device(ctx.device(), [&]<Device D>() {
      detail::matmul<D>(ctx, p, a, b, has_gelu ? options.gelu_input : c, options);
    });
  }
  if (has_gelu) gelu_forward(ctx, options.gelu_input, c);
  if (options.gelu_gradient_at.defined()) gelu_backward(ctx, c, options.gelu_gradient_at, c);
  if (options.bias_gradient.defined()) bias_backward(ctx, a, options.bias_gradient);
  if (options.squares.defined()) {
    const Tensor of_this = ctx.empty({1}, DType::fp64, MemoryCategory::workspace);
    sum_of_squares(ctx, {&c, 1}, of_this);
    add(ctx, of_this, options.squares);
  }
}

void run(DeviceContext& ctx, const Product& p, const Tensor& a, const Tensor& b, const Tensor& c,
         const MatmulOptions& options) {
  const int64_t of_a = p.transpose_b ? 0 : p.gap, of_c = p.gap - of_a;
  check_shape("the first operand", a,
              p.transpose_a ? Shape{p.k, p.m + of_a} : Shape{p.m, p.k + of_a});
  check_shape("the second operand", b, p.transpose_b ? Shape{p.n, p.k} : Shape{p.k, p.n});
  check_shape("the output", c, {p.m, p.n + of_c});
  check_one_precision(a, b, c);
  check_options(p, c, options);
  CHECK(p.gap == 0 || (p.gap > 0 && !is_fusion(options) && !options.bias.defined()), "a gap of ",
        p.gap, " columns");
  if (!is_fusion(options) || !run_fused(ctx, p, a, b, c, options))
    run_apart(ctx, p, a, b, c, options);
  ctx.matmul_flops += 2 * p.m * p.n * p.k;
}

void check_matrices(const Tensor& a, const Tensor& b, const Tensor& c) {
  check_rank("the first operand", a, 2);
  check_rank("the second operand", b, 2);
  check_rank("the output", c, 2);
}

}  // namespace

void matmul_nt(DeviceContext& ctx, const Tensor& x, const Tensor& w, const Tensor& y,
               const MatmulOptions& options) {
  check_matrices(x, w, y);
  run(ctx,
      {.transpose_b = true,
       .m = x.dim(0),
       .n = w.dim(0),
       .k = x.dim(1),
       .gap = y.dim(1) - w.dim(0)},
      x, w, y, options);
}

void matmul_nn(DeviceContext& ctx, const Tensor& dy, const Tensor& w, const Tensor& dx,
               const MatmulOptions& options) {
  check_matrices(dy, w, dx);
  run(ctx, {.m = dy.dim(0), .n = w.dim(1), .k = w.dim(0), .gap = dy.dim(1) - w.dim(0)}, dy, w, dx,
      options);
}

void matmul_tn(DeviceContext& ctx, const Tensor& dy, const Tensor& x, const Tensor& dw,
               const MatmulOptions& options) {
  check_matrices(dy, x, dw);
  run(ctx,
      {.transpose_a = true,
       .m = dw.dim(0),
       .n = x.dim(1),
       .k = dy.dim(0),
       .gap = dy.dim(1) - dw.dim(0)},
      dy, x, dw, options);
}

int64_t padded_columns(Device device, DType dtype, int64_t n) {
  return dispatch_device(device, [&]<Device D>() { return detail::padded_columns<D>(dtype, n); });
}

bool takes_squares(Device device) {
  return dispatch_device(device, []<Device D>() { return detail::takes_squares<D>(); });
}

double measure_matmul_rate(DeviceContext& ctx, DType dtype, double measure_s) {
  // Three fp32 matrices of 4 MiB: larger than a core's L2. A GPU needs more to be busy, and several
  // products on their way before somebody waits.
  const bool is_cpu = ctx.device() == Device::cpu;
  const int64_t size = is_cpu ? 1024 : 8192;
  const int products_at_once = is_cpu ? 1 : 8;
  const int64_t flops_before = ctx.matmul_flops;
  const Tensor x = ctx.empty({size, size}, dtype, MemoryCategory::workspace);
  const Tensor w = ctx.empty({size, size}, dtype, MemoryCategory::workspace);
  const Tensor y = ctx.empty({size, size}, dtype, MemoryCategory::workspace);
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::fill_pattern<D>(x);
    detail::fill_pattern<D>(w);
  });
  matmul_nt(ctx, x, w, y);  // warms up: the library chooses its kernel, pages get memory
  ctx.synchronize();
  const Clock::time_point begin = Clock::now();
  int64_t products = 0;
  double elapsed_s = 0;
  while (elapsed_s < measure_s) {
    for (int i = 0; i < products_at_once; ++i) matmul_nt(ctx, x, w, y);
    ctx.synchronize();
    products += products_at_once;
    elapsed_s = seconds_since(begin);
  }
  ctx.matmul_flops = flops_before;
  return static_cast<double>(products) * 2.0 * static_cast<double>(size * size * size) / elapsed_s;
}

std::string matmul_description(Device device) {
  return dispatch_device(device, []<Device D>() { return detail::matmul_description<D>(); });
}

}  // namespace argosy::ops
