// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Causal attention when each context-parallel rank has a part of every sequence.
//
// Ring (Liu et al. 2023, arXiv 2310.01889): each rank keeps its queries, keys and values go round.
// A sequence is dealt out in 2*cp chunks in zig-zag, rank c gets chunks c and 2*cp-1-c, so that
// each step of the ring is the same number of query-key pairs on every rank. The exchange of the
// next keys and values runs while the current ones are computed on. Messages to the next rank, and
// as many from the previous one:
//   forward    cp-1 times k and v, in the compute dtype
//   backward   cp-1 times k and v, and cp-1 times dk and dv, in the statistic dtype: partial sums
//              that travel one step behind the keys they belong to until they are home
//
// Ulysses (Jacobs et al. 2023, arXiv 2309.14509): an all-to-all turns a part of all heads' tokens
// into all tokens of a part of the heads, and back.
//   forward    q, k, v there, out back       backward   out, dout there, dq, dk, dv back
#pragma once

#include <vector>

#include "trainer/layers/context.h"
#include "trainer/ops/attention.h"

namespace argosy {

// Rows of each sequence that `cp_index` has, by where they stand.
std::vector<ops::AttentionSpan> local_spans(const Plan& plan, int64_t seq_len, int64_t cp_index);

// True when attention works on all tokens of some heads.
bool exchanges_heads(const LayerContext& ctx);
// (n, heads*D) -> (B*T, heads/cp*D) in `category`: from all heads of this rank's tokens to all
// tokens of this rank's heads.
Tensor split_heads(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& x,
                   MemoryCategory category);
// The way back.
Tensor join_heads(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& x,
                  MemoryCategory category);

// ops::attention_* over all tokens of the sequences. `shape` says what this rank's tensors are:
// with the ring its own rows, spans unset.
void context_attention_forward(const LayerContext& ctx, const ops::AttentionShape& shape,
                               const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                               const Tensor& lse);
void context_attention_backward(const LayerContext& ctx, const ops::AttentionShape& shape,
                                const Tensor& dout, const Tensor& q, const Tensor& k,
                                const Tensor& v, const Tensor& out, const Tensor& lse,
                                const Tensor& dq, const Tensor& dk, const Tensor& dv);

}  // namespace argosy
