// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/attention_sink.h"

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/elementwise.h"

namespace argosy::ops {

namespace {

void check_operands(const Tensor& sinks, const Tensor& out, const Tensor& lse) {
  check_rank("sinks", sinks, 1);
  check_rank("out", out, 2);
  const int64_t num_heads = sinks.dim(0);
  CHECK(num_heads > 0 && out.dim(1) % num_heads == 0, "out is ", to_string(out.shape()), ", of ",
        num_heads, " heads");
  check_dtype("sinks", sinks, out.dtype());
  check_tensor("lse", lse, {out.dim(0), num_heads}, statistic_of(out.dtype()));
}

}  // namespace

void add_sinks(DeviceContext& ctx, const Tensor& sinks, const Tensor& out, const Tensor& lse) {
  check_operands(sinks, out, lse);
  dispatch_device(ctx.device(), [&]<Device D>() { detail::add_sinks<D>(sinks, out, lse); });
}

void sinks_backward(DeviceContext& ctx, const Tensor& sinks, const Tensor& dout, const Tensor& out,
                    const Tensor& lse, const Tensor& dsinks) {
  check_operands(sinks, out, lse);
  check_tensor("dout", dout, out.shape(), out.dtype());
  const Tensor terms = ctx.empty(lse.shape(), lse.dtype(), MemoryCategory::workspace);
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::sink_gradient_terms<D>(sinks, dout, out, lse, terms);
  });
  bias_backward(ctx, terms, dsinks);
}

}  // namespace argosy::ops
