// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/stage.h"

#include "trainer/layers/unit_hooks.h"
#include "trainer/ops/elementwise.h"

namespace argosy {

namespace {

int64_t kept_bytes(const LayerContext& ctx) {
  return ctx.device.memory().current[static_cast<size_t>(MemoryCategory::activations)];
}

}  // namespace

Stage::Stage(const LayerContext& ctx, const ParameterStore& store, int64_t stage)
    : first_layer_(static_cast<int>(layers_of_stage(ctx.plan, stage).begin)),
      num_layers_(static_cast<int>(ctx.plan.model.num_layers)),
      num_experts_(ctx.plan.model.moe.num_experts) {
  const ModelSpec& model = ctx.plan.model;
  if (stage == 0) embedding_.emplace(ctx, store);
  const Range layers = layers_of_stage(ctx.plan, stage);
  for (int64_t layer = layers.begin; layer < layers.end; ++layer) {
    const bool is_moe = model.layer_is_moe[static_cast<size_t>(layer)];
    blocks_.emplace_back(ctx, store, static_cast<int>(layer), is_moe ? num_moe_layers_++ : -1);
  }
  if (stage == ctx.plan.num_stages() - 1) head_.emplace(ctx, store);
  if (model.position == PositionKind::rope) {
    rope_ =
        ops::make_rope_table(ctx.device, rope_inverse_frequencies(model.rope, model.turning_dim()),
                             ctx.plan.seq_len, ctx.statistic(), model.rope.attention_factor);
  }
}

RouterTotals Stage::make_totals(const LayerContext& ctx) const {
  RouterTotals totals;
  if (num_moe_layers_ > 0) {
    totals.on_device =
        ctx.device.zeros({num_moe_layers_, num_experts_ + 2}, DType::fp64, MemoryCategory::buffers);
  }
  totals.dropped.assign(static_cast<size_t>(num_moe_layers_), 0.0);
  return totals;
}

void Stage::run_forward(const LayerContext& ctx, int layer, Keep keep,
                        const std::function<void()>& run) const {
  const auto next = layer == last_unit() ? std::nullopt : std::optional(layer + 1);
  if (ctx.hooks != nullptr) ctx.hooks->before_forward(layer, next, keep);
  run();
  if (ctx.hooks != nullptr) ctx.hooks->after_forward(layer, keep);
}

void Stage::run_backward(const LayerContext& ctx, int layer,
                         const std::function<void()>& run) const {
  const auto next = layer == first_unit() ? std::nullopt : std::optional(layer - 1);
  if (ctx.hooks != nullptr) ctx.hooks->before_backward(layer, next);
  run();
  if (ctx.hooks != nullptr && ctx.deferred == nullptr) ctx.hooks->after_backward(layer);
}

void Stage::finish_backward(const LayerContext& ctx) const {
  if (ctx.hooks == nullptr) return;
  for (int layer = last_unit(); layer >= first_unit(); --layer) ctx.hooks->after_backward(layer);
}

Hidden Stage::run_blocks(const LayerContext& ctx, const Microbatch& microbatch, Hidden x,
                         StageState* state, Keep keep, RouterTotals* totals, DecodingCache* cache) {
  state->blocks.resize(blocks_.size());
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const int layer = first_layer_ + static_cast<int>(i);
    const int64_t before = kept_bytes(ctx);
    run_forward(ctx, layer, keep, [&] {
      x = blocks_[i].forward(ctx, microbatch, rope_, x, &state->blocks[i], keep, totals,
                             cache == nullptr ? nullptr : &cache->layers[i]);
    });
    if (keep == Keep::for_backward) saved_bytes_[layer] = kept_bytes(ctx) - before;
    if (keep == Keep::discard) state->blocks[i] = {};
  }
  return x;
}

Tensor Stage::forward(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& input,
                      StageState* state, Keep keep, const Tensor& loss_sum, RouterTotals* totals) {
  Hidden x = {input, Tensor()};
  if (embedding_)
    run_forward(ctx, -1, keep, [&] { x.branch = embedding_->forward(ctx, microbatch); });
  x = run_blocks(ctx, microbatch, x, state, keep, totals);
  if (!head_) {
    if (x.residual.defined()) ops::add(ctx.device, x.residual, x.branch);
    return x.branch;
  }
  const int64_t before = kept_bytes(ctx);
  run_forward(ctx, num_layers_, keep,
              [&] { head_->forward(ctx, microbatch, x, &state->head, keep, loss_sum); });
  if (keep == Keep::for_backward) saved_bytes_[num_layers_] = kept_bytes(ctx) - before;
  return Tensor();
}

Tensor Stage::backward(const LayerContext& ctx, const Microbatch& microbatch, StageState* state,
                       Tensor gradient) {
  if (head_) run_backward(ctx, num_layers_, [&] { gradient = head_->backward(ctx, &state->head); });
  for (size_t i = blocks_.size(); i-- > 0;) {
    run_backward(ctx, first_layer_ + static_cast<int>(i),
                 [&] { blocks_[i].backward(ctx, microbatch, rope_, &state->blocks[i], gradient); });
  }
  if (!embedding_) return gradient;
  run_backward(ctx, -1, [&] { embedding_->backward(ctx, microbatch, gradient); });
  return Tensor();
}

Tensor Stage::logits(const LayerContext& ctx, const Microbatch& microbatch) {
  CHECK(embedding_ && head_, "logits of a stage that is not the whole model");
  StageState state;
  const Hidden x = run_blocks(ctx, microbatch, {embedding_->forward(ctx, microbatch), Tensor()},
                              &state, Keep::discard, nullptr);
  return head_->logits(ctx, x);
}

DecodingCache Stage::make_cache(const LayerContext& ctx) const {
  const ModelSpec& model = ctx.plan.model;
  const int64_t tokens = ctx.plan.seq_len, heads = model.num_kv_heads;
  // Buffers, as what flows between blocks: it waits for no backward pass, and is no op's scratch.
  const auto empty = [&](int64_t head_size) {
    return ctx.device.empty({tokens, heads * head_size}, ctx.compute(), MemoryCategory::buffers);
  };
  DecodingCache cache;
  cache.layers.reserve(blocks_.size());
  for (size_t i = 0; i < blocks_.size(); ++i)
    cache.layers.push_back({empty(model.head_dim), empty(model.value_dim())});
  return cache;
}

Tensor Stage::next_logits(const LayerContext& ctx, const Microbatch& microbatch,
                          DecodingCache* cache) {
  CHECK(embedding_ && head_, "logits of a stage that is not the whole model");
  CHECK(ctx.plan.mesh.tp == 1 && microbatch.tokens() > 0, microbatch.tokens(), " tokens on ",
        ctx.plan.mesh.tp, " ranks of tp");
  StageState state;
  const Hidden x = run_blocks(ctx, microbatch, {embedding_->forward(ctx, microbatch), Tensor()},
                              &state, Keep::discard, nullptr, cache);
  const auto last_row = [](const Tensor& rows) {
    return rows.defined() ? rows.rows(rows.dim(0) - 1, rows.dim(0)) : rows;
  };
  return head_->logits(ctx, {last_row(x.branch), last_row(x.residual)});
}

}  // namespace argosy
