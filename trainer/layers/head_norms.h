// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// RMS norms of q and k, before the rotation: of each head (Qwen3), or of all heads of a token
// together (OLMoE). Then ranks that share a token's heads (tp, and cp where heads are exchanged)
// add up sums over their columns: one all-reduce of both tensors' sums forward, one backward.
#pragma once

#include "trainer/layers/context.h"
#include "trainer/layers/parameters.h"

namespace argosy {

// (N, hq*D), (N, hk*D).
struct QueryKey {
  Tensor q, k;
};

// Kept by forward: inverse RMS of q and k, (N*hq), (N*hk); of whole projections (N), (N).
struct HeadNormStatistics {
  Tensor q, k;
};

class HeadNorms {
 public:
  HeadNorms(const LayerContext& ctx, const ParameterStore& store, int layer);

  bool exist() const { return q_gain_ != nullptr; }

  // All need exist(). Into new memory; fills the statistics.
  QueryKey forward(const LayerContext& ctx, const QueryKey& x, HeadNormStatistics* statistics,
                   MemoryCategory kept) const;
  // The same from the kept statistics.
  QueryKey apply(const LayerContext& ctx, const QueryKey& x,
                 const HeadNormStatistics& statistics) const;
  // In place: gradients of what forward returned -> gradients of x.
  void backward(const LayerContext& ctx, const QueryKey& x, const HeadNormStatistics& statistics,
                const QueryKey& gradient) const;

 private:
  // One of the two norms as this rank computes it: its rows, its columns of the gain.
  struct Part {
    Tensor x, gain, dgain;  // (rows, cols), (cols), (cols) or undefined
    int64_t width;          // cols of all ranks, each copy of a key/value head counted
  };
  Part part(const LayerContext& ctx, const Parameter& gain, const Tensor& x) const;
  bool is_shared(const LayerContext& ctx) const;
  void sum_over_ranks(const LayerContext& ctx, const Tensor& sums) const;

  const Parameter* q_gain_;  // (D), or (hq*D); null without q_norm/k_norm
  const Parameter* k_gain_;
  int64_t head_dim_;
  bool is_whole_;
  double eps_;
};

}  // namespace argosy
