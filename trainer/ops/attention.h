// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// Causal self-attention with grouped queries, blocked with an online softmax (Dao 2022): no T x T
// matrix in memory.
#pragma once

#include <string>
#include <vector>

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// Rows of a sequence that stand at consecutive positions: row row+i at position+i.
struct AttentionSpan {
  int64_t row = 0, position = 0, length = 0;
};

// Rows are tokens, sequence after sequence: N = batch * seq_len. Query head h reads key/value head
// h / (num_heads / num_kv_heads). A query sees its own key and those that stand before it.
struct AttentionShape {
  int64_t batch = 0, seq_len = 0, num_heads = 0, num_kv_heads = 0, head_dim = 0;
  double scale = 1.0;     // usually 1/sqrt(head_dim)
  int64_t window = 0;     // a query at p sees keys at max(0, p-window+1)..p; 0: at 0..p
  int64_t value_dim = 0;  // of a head of v and out; 0: head_dim, which q and k have
  // Where the rows of every sequence stand, ascending: a rank of a context-parallel group has some
  // chunks of a sequence and meets the keys of others. Empty: at 0..seq_len-1. Forward alone takes
  // keys of another number of rows: a text that goes on asks those that were kept.
  std::vector<AttentionSpan> queries = {}, keys = {};
  // (N) int32, or undefined: query row i sees no key that stands before document_begin[i].
  Tensor document_begin = {};
  // (D+1) int32, or undefined: the rows (of all N) where each document begins, ascending, then N;
  // at the end there may be empty documents. The same documents as document_begin's, for kernels
  // that go from document to document; they run without it, more slowly.
  Tensor document_rows = {};
};
// Rows of k and v of each sequence; seq_len is the queries'.
int64_t num_keys(const AttentionShape& shape);
int64_t value_dim(const AttentionShape& shape);

// Pairs (query, key) that are needed, per sequence and head: T(T+1)/2 when causal without a window.
// Nominal: documents are not looked at.
int64_t attention_pairs(int64_t seq_len, int64_t window);
int64_t attention_pairs(const AttentionShape& shape);

// Whether results replace what is there, or are its continuation with other keys.
enum class Merge { overwrite, accumulate };

// q: (N, hq*D); k: (batch * num_keys, hk*D); v: as many rows, hk*Dv; out: (N, hq*Dv); lse: (N, hq)
// log-sum-exp of the scaled scores, in the statistic dtype; out in that of q or in the statistic
// dtype. With Merge::accumulate out and lse hold the attention to other keys and come to hold the
// attention to all of them. A query that saw no key has out 0 and lse -infinity. Adds
// 2*(D+Dv)*hq*batch*pairs to ctx.matmul_flops.
void attention_forward(DeviceContext& ctx, const AttentionShape& shape, const Tensor& q,
                       const Tensor& k, const Tensor& v, const Tensor& out, const Tensor& lse,
                       Merge merge = Merge::overwrite);
// out and lse: over all keys; dq, dk, dv: due to these keys, in the dtype of q or in the statistic
// dtype, added to with Merge::accumulate. Adds 4*(D+Dv)*hq*batch*pairs (nominal: the scores
// computed again are not counted).
void attention_backward(DeviceContext& ctx, const AttentionShape& shape, const Tensor& dout,
                        const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                        const Tensor& lse, const Tensor& dq, const Tensor& dk, const Tensor& dv,
                        Merge merge = Merge::overwrite);

// What attends, for the start-up lines.
std::string attention_description(Device device);

// One specialisation a device: attention_forward_cpu.cpp, attention_backward_cpu.cpp.
namespace detail {
template <Device D>
std::string attention_description();
template <Device D>
void attention_forward(DeviceContext& ctx, const AttentionShape& shape, const Tensor& q,
                       const Tensor& k, const Tensor& v, const Tensor& out, const Tensor& lse,
                       Merge merge);
template <Device D>
void attention_backward(DeviceContext& ctx, const AttentionShape& shape, const Tensor& dout,
                        const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                        const Tensor& lse, const Tensor& dq, const Tensor& dk, const Tensor& dv,
                        Merge merge);
}  // namespace detail

}  // namespace argosy::ops
