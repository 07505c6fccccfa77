// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// Causal self-attention with grouped queries, blocked with an online softmax (Dao 2022): no T x T
// matrix in memory.
#pragma once

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// Rows are tokens, sequence after sequence: N = batch * seq_len. Query head h reads key/value head
// h / (num_heads / num_kv_heads).
struct AttentionShape {
  int64_t batch = 0, seq_len = 0, num_heads = 0, num_kv_heads = 0, head_dim = 0;
  double scale = 1.0;  // usually 1/sqrt(head_dim)
  int64_t window = 0;  // query i sees keys max(0, i-window+1)..i; 0: keys 0..i
};
// Pairs (query, key) that are needed, per sequence and head: T(T+1)/2 when causal without a window.
int64_t attention_pairs(int64_t seq_len, int64_t window);

// q, out: (N, hq*D); k, v: (N, hk*D); lse: (N, hq) log-sum-exp of the scaled scores, in the
// statistic dtype. Adds 4*D*hq*batch*pairs to ctx.matmul_flops.
void attention_forward(DeviceContext& ctx, const AttentionShape& shape, const Tensor& q,
                       const Tensor& k, const Tensor& v, const Tensor& out, const Tensor& lse);
// Adds 8*D*hq*batch*pairs (nominal: the scores computed again are not counted).
void attention_backward(DeviceContext& ctx, const AttentionShape& shape, const Tensor& dout,
                        const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                        const Tensor& lse, const Tensor& dq, const Tensor& dk, const Tensor& dv);

// One specialisation a device: attention_forward_cpu.cpp, attention_backward_cpu.cpp.
namespace detail {
template <Device D>
void attention_forward(DeviceContext& ctx, const AttentionShape& shape, const Tensor& q,
                       const Tensor& k, const Tensor& v, const Tensor& out, const Tensor& lse);
template <Device D>
void attention_backward(DeviceContext& ctx, const AttentionShape& shape, const Tensor& dout,
                        const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                        const Tensor& lse, const Tensor& dq, const Tensor& dk, const Tensor& dv);
}  // namespace detail

}  // namespace argosy::ops
