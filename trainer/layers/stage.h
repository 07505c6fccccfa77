// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The layers of one pipeline stage on one rank: [embedding] blocks [head [modules for multi-token
// prediction]], and what they keep of each micro-batch.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "trainer/layers/block.h"
#include "trainer/layers/context.h"
#include "trainer/layers/embedding.h"
#include "trainer/layers/head.h"
#include "trainer/layers/mtp_module.h"

namespace argosy {

// What a stage keeps of one micro-batch between its forward and its backward.
struct StageState {
  std::vector<BlockState> blocks;
  HeadState head;
  std::vector<MtpState> modules;
};

class Stage {
 public:
  Stage(const LayerContext& ctx, const ParameterStore& store, int64_t stage);

  bool is_first() const { return is_first_; }
  bool is_last() const { return head_.has_value(); }

  // input: (s, H) from the previous stage; undefined on the first. Returns the stage's output (s,
  // H) in buffers; undefined on the last, where the losses are added to loss_sums, fp64 (1 +
  // modules) on the device: that of the next tokens, then each module's. Modules run with
  // Keep::for_backward alone. totals may be null.
  Tensor forward(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& input,
                 StageState* state, Keep keep, const Tensor& loss_sums, RouterTotals* totals);
  // gradient: (s, H) of the output; undefined on the last. Returns the gradient of the input;
  // undefined on the first.
  Tensor backward(const LayerContext& ctx, const Microbatch& microbatch, StageState* state,
                  Tensor gradient);
  // The weight gradients that a split backward had put off are done.
  void finish_backward(const LayerContext& ctx) const;
  // Logits (n, V) of this rank's vocabulary, on a stage that is first and last; nothing is kept.
  Tensor logits(const LayerContext& ctx, const Microbatch& microbatch);

  // An empty cache for a text of up to plan.seq_len tokens, on one rank.
  DecodingCache make_cache(const LayerContext& ctx) const;
  // Logits (1, V) of the token behind the micro-batch, one sequence that continues the text in the
  // cache and joins it; its positions say where it stands. On one rank.
  Tensor next_logits(const LayerContext& ctx, const Microbatch& microbatch, DecodingCache* cache);

  // Layer -> bytes that the latest forward kept for backward: the measured side of
  // Ledger::saved_bytes.
  const std::map<int, int64_t>& saved_bytes() const { return saved_bytes_; }
  RouterTotals make_totals(const LayerContext& ctx) const;

 private:
  // Index into units_ of what stands behind the blocks.
  size_t head_unit() const { return (is_first_ ? 1 : 0) + blocks_.size(); }
  // Modules are left out where nothing is kept for backward.
  size_t num_units(Keep keep) const {
    return keep == Keep::for_backward ? units_.size() : units_.size() - 2 * modules_.size();
  }
  // unit: index into units_.
  void run_forward(const LayerContext& ctx, size_t unit, Keep keep,
                   const std::function<void()>& run) const;
  void run_backward(const LayerContext& ctx, size_t unit, const std::function<void()>& run) const;
  Hidden run_blocks(const LayerContext& ctx, const Microbatch& microbatch, Hidden x,
                    StageState* state, Keep keep, RouterTotals* totals,
                    DecodingCache* cache = nullptr);
  // hidden: what the head before the modules multiplies.
  void run_modules(const LayerContext& ctx, const Microbatch& microbatch, Tensor hidden,
                   StageState* state, const Tensor& loss_sums, RouterTotals* totals);
  void run_modules_backward(const LayerContext& ctx, const Microbatch& microbatch,
                            StageState* state) const;

  std::optional<Embedding> embedding_;  // of the first stage, and of modules
  bool is_first_;
  std::vector<Block> blocks_;
  std::optional<Head> head_;
  std::vector<MtpModule> modules_;
  // What runs one after the other in a forward pass with modules, as hooks know it; backward runs
  // it from behind. A module is two: its embedding, then all else.
  std::vector<int> units_;
  ops::RopeTable rope_;  // (max seq_len, D/2)
  int num_moe_layers_ = 0;
  int64_t num_experts_;
  std::map<int, int64_t> saved_bytes_;
};

}  // namespace argosy
