// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/stage.h"

#include "trainer/layers/unit_hooks.h"
#include "trainer/ops/elementwise.h"

namespace argosy {

namespace {

constexpr int kEmbeddingUnit = -1;

int64_t kept_bytes(const LayerContext& ctx) {
  return ctx.device.memory().current[static_cast<size_t>(MemoryCategory::activations)];
}

// The micro-batch as module `index` sees it.
Microbatch tokens_ahead(const Microbatch& microbatch, size_t index) {
  const TokensAhead& ahead = microbatch.ahead.at(index);
  Microbatch seen = microbatch;
  seen.inputs = ahead.inputs;
  seen.targets = ahead.targets;
  seen.num_targets = ahead.num_targets;
  seen.loss_weight = ahead.loss_weight;
  return seen;
}

}  // namespace

Stage::Stage(const LayerContext& ctx, const ParameterStore& store, int64_t stage)
    : is_first_(stage == 0), num_experts_(ctx.plan.model.moe.num_experts) {
  const ModelSpec& model = ctx.plan.model;
  const bool is_end = stage == ctx.plan.num_stages() - 1;
  const auto next_moe_index = [&](int64_t layer) {
    const bool is_moe = model.layer_is_moe[static_cast<size_t>(model.kind_layer(layer))];
    return is_moe ? num_moe_layers_++ : -1;
  };
  if (is_first_ || (is_end && model.num_mtp_modules > 0)) embedding_.emplace(ctx, store);
  if (is_first_) units_.push_back(kEmbeddingUnit);
  const Range layers = layers_of_stage(ctx.plan, stage);
  for (int64_t layer = layers.begin; layer < layers.end; ++layer) {
    blocks_.emplace_back(ctx, store, static_cast<int>(layer), next_moe_index(layer));
    units_.push_back(static_cast<int>(layer));
  }
  if (is_end) {
    units_.push_back(static_cast<int>(model.num_layers));
    head_.emplace(ctx, store, units_.back());
    for (int64_t module = 0; module < model.num_mtp_modules; ++module) {
      modules_.emplace_back(ctx, store, module, next_moe_index(model.mtp_layer(module)));
      units_.insert(units_.end(), {kEmbeddingUnit, modules_.back().layer()});
    }
  }
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

void Stage::run_forward(const LayerContext& ctx, size_t unit, Keep keep,
                        const std::function<void()>& run) const {
  const auto next = unit + 1 == num_units(keep) ? std::nullopt : std::optional(units_[unit + 1]);
  if (ctx.hooks != nullptr) ctx.hooks->before_forward(units_[unit], next, keep);
  run();
  if (ctx.hooks != nullptr) ctx.hooks->after_forward(units_[unit], keep);
}

void Stage::run_backward(const LayerContext& ctx, size_t unit,
                         const std::function<void()>& run) const {
  const auto next = unit == 0 ? std::nullopt : std::optional(units_[unit - 1]);
  if (ctx.hooks != nullptr) ctx.hooks->before_backward(units_[unit], next);
  run();
  if (ctx.hooks != nullptr && ctx.deferred == nullptr) ctx.hooks->after_backward(units_[unit]);
}

void Stage::finish_backward(const LayerContext& ctx) const {
  if (ctx.hooks == nullptr) return;
  for (size_t unit = units_.size(); unit-- > 0;) ctx.hooks->after_backward(units_[unit]);
}

Hidden Stage::run_blocks(const LayerContext& ctx, const Microbatch& microbatch, Hidden x,
                         StageState* state, Keep keep, RouterTotals* totals, DecodingCache* cache) {
  state->blocks.resize(blocks_.size());
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const size_t unit = head_unit() - blocks_.size() + i;
    const int layer = units_[unit];
    const int64_t before = kept_bytes(ctx);
    run_forward(ctx, unit, keep, [&] {
      x = blocks_[i].forward(ctx, microbatch, rope_, x, &state->blocks[i], keep, totals,
                             cache == nullptr ? nullptr : &cache->layers[i]);
    });
    if (keep == Keep::for_backward) saved_bytes_[layer] = kept_bytes(ctx) - before;
    if (keep == Keep::discard) state->blocks[i] = {};
  }
  return x;
}

Tensor Stage::forward(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& input,
                      StageState* state, Keep keep, const Tensor& loss_sums, RouterTotals* totals) {
  Hidden x = {input, Tensor()};
  if (is_first_) {
    run_forward(ctx, 0, keep, [&] { x.branch = embedding_->forward(ctx, microbatch); });
  }
  x = run_blocks(ctx, microbatch, x, state, keep, totals);
  if (!head_) {
    if (x.residual.defined()) ops::add(ctx.device, x.residual, x.branch);
    return x.branch;
  }
  const int64_t before = kept_bytes(ctx);
  Tensor hidden;
  run_forward(ctx, head_unit(), keep, [&] {
    hidden = head_->forward(ctx, microbatch, x, &state->head, keep, loss_sums.rows(0, 1));
  });
  if (keep != Keep::for_backward) return Tensor();
  saved_bytes_[units_[head_unit()]] = kept_bytes(ctx) - before;
  x = {};
  run_modules(ctx, microbatch, std::move(hidden), state, loss_sums, totals);
  return Tensor();
}

void Stage::run_modules(const LayerContext& ctx, const Microbatch& microbatch, Tensor hidden,
                        StageState* state, const Tensor& loss_sums, RouterTotals* totals) {
  constexpr Keep kKeep = Keep::for_backward;
  state->modules.resize(modules_.size());
  size_t unit = head_unit();
  for (size_t i = 0; i < modules_.size(); ++i) {
    const MtpModule& module = modules_[i];
    const Microbatch ahead = tokens_ahead(microbatch, i);
    const int64_t before = kept_bytes(ctx);
    const auto row = static_cast<int64_t>(i) + 1;
    Tensor embedding;
    run_forward(ctx, ++unit, kKeep,
                [&] { embedding = embedding_->forward(ctx, ahead, module.layer()); });
    run_forward(ctx, ++unit, kKeep, [&] {
      hidden = module.forward(ctx, ahead, rope_, embedding, hidden, &state->modules[i],
                              loss_sums.rows(row, row + 1), totals);
    });
    saved_bytes_[module.layer()] = kept_bytes(ctx) - before;
  }
}

void Stage::run_modules_backward(const LayerContext& ctx, const Microbatch& microbatch,
                                 StageState* state) const {
  size_t unit = units_.size();
  for (size_t i = modules_.size(); i-- > 0;) {
    const MtpModule& module = modules_[i];
    const Microbatch ahead = tokens_ahead(microbatch, i);
    const HeadState& read = i == 0 ? state->head : state->modules[i - 1].head;
    Tensor gradient;  // of the embedding
    run_backward(ctx, --unit, [&] {
      gradient = module.backward(ctx, ahead, rope_, Head::normed(ctx, read), read.dnormed,
                                 &state->modules[i]);
    });
    run_backward(ctx, --unit, [&] {
      if (gradient.defined()) embedding_->backward(ctx, ahead, gradient, module.layer());
    });
  }
}

Tensor Stage::backward(const LayerContext& ctx, const Microbatch& microbatch, StageState* state,
                       Tensor gradient) {
  size_t unit = head_unit();
  if (head_) {
    run_modules_backward(ctx, microbatch, state);
    run_backward(ctx, unit, [&] { gradient = head_->backward(ctx, &state->head); });
  }
  for (size_t i = blocks_.size(); i-- > 0;) {
    run_backward(ctx, --unit,
                 [&] { blocks_[i].backward(ctx, microbatch, rope_, &state->blocks[i], gradient); });
  }
  if (!is_first_) return gradient;
  run_backward(ctx, --unit, [&] { embedding_->backward(ctx, microbatch, gradient); });
  return Tensor();
}

Tensor Stage::logits(const LayerContext& ctx, const Microbatch& microbatch) {
  CHECK(is_first_ && head_, "logits of a stage that is not the whole model");
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
  CHECK(is_first_ && head_, "logits of a stage that is not the whole model");
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
