// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/attention.h"

#include <algorithm>

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops {
namespace {

void check_attention(const AttentionShape& s, const Tensor& q, const Tensor& k, const Tensor& v,
                     const Tensor& out, const Tensor& lse) {
  CHECK(s.batch >= 0 && s.seq_len >= 0 && s.num_kv_heads > 0 && s.head_dim > 0 && s.window >= 0 &&
            s.num_heads > 0 && s.num_heads % s.num_kv_heads == 0,
        "batch ", s.batch, ", seq_len ", s.seq_len, ", heads ", s.num_heads, "/", s.num_kv_heads,
        ", head_dim ", s.head_dim, ", window ", s.window);
  const int64_t rows = s.batch * s.seq_len;
  const Shape queries{rows, s.num_heads * s.head_dim}, keys{rows, s.num_kv_heads * s.head_dim};
  check_shape("q", q, queries);
  check_tensor("k", k, keys, q.dtype());
  check_tensor("v", v, keys, q.dtype());
  check_tensor("out", out, queries, q.dtype());
  check_tensor("lse", lse, {rows, s.num_heads}, statistic_of(q.dtype()));
}

int64_t pair_products(const AttentionShape& s) {
  return s.head_dim * s.num_heads * s.batch * attention_pairs(s.seq_len, s.window);
}

}  // namespace

int64_t attention_pairs(int64_t seq_len, int64_t window) {
  const int64_t w = window == 0 ? seq_len : std::min(window, seq_len);
  return w * (w + 1) / 2 + (seq_len - w) * w;
}

void attention_forward(DeviceContext& ctx, const AttentionShape& shape, const Tensor& q,
                       const Tensor& k, const Tensor& v, const Tensor& out, const Tensor& lse) {
  check_attention(shape, q, k, v, out, lse);
  dispatch_device(ctx.device(),
                  [&]<Device D>() { detail::attention_forward<D>(ctx, shape, q, k, v, out, lse); });
  ctx.matmul_flops += 4 * pair_products(shape);
}

void attention_backward(DeviceContext& ctx, const AttentionShape& shape, const Tensor& dout,
                        const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                        const Tensor& lse, const Tensor& dq, const Tensor& dk, const Tensor& dv) {
  check_attention(shape, q, k, v, out, lse);
  check_tensor("dout", dout, q.shape(), q.dtype());
  check_tensor("dq", dq, q.shape(), q.dtype());
  check_tensor("dk", dk, k.shape(), q.dtype());
  check_tensor("dv", dv, k.shape(), q.dtype());
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::attention_backward<D>(ctx, shape, dout, q, k, v, out, lse, dq, dk, dv);
  });
  ctx.matmul_flops += 8 * pair_products(shape);
}

}  // namespace argosy::ops
