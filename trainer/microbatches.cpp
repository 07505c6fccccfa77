// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/microbatches.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <numeric>
#include <utility>

#include "trainer/device/host_copy.h"
#include "trainer/layers/context_attention.h"
#include "trainer/ops/elementwise.h"
#include "trainer/token_places.h"

namespace argosy {

namespace {

// *to: as it is where it has the size, else made.
void make_room(const LayerContext& ctx, size_t num_values, DType dtype, Tensor* to) {
  const Shape shape = {static_cast<int64_t>(num_values)};
  if (to->defined() && to->size() == shape.size()) {
    *to = to->view(shape);
  } else {
    *to = ctx.device.empty(shape, dtype, MemoryCategory::buffers);
  }
}

void upload(const LayerContext& ctx, const std::vector<int32_t>& values, Tensor* to) {
  make_room(ctx, values.size(), DType::int32, to);
  copy_to_device(std::span<const int32_t>(values), *to);
}

void upload(const LayerContext& ctx, const std::vector<double>& values, Tensor* to) {
  make_room(ctx, values.size(), ctx.statistic(), to);
  copy_from_doubles(values, *to);
}

// (n): the tokens of this rank, as indices into the whole sequences (batch * seq_len).
std::vector<int64_t> local_tokens(const LayerContext& ctx, int64_t batch, int64_t seq_len) {
  const auto spans = local_spans(ctx.plan, seq_len, ctx.groups.coordinates().cp);
  std::vector<int64_t> tokens;
  for (int64_t b = 0; b < batch; ++b) {
    for (const ops::AttentionSpan& span : spans) {
      for (int64_t i = 0; i < span.length; ++i) tokens.push_back(b * seq_len + span.position + i);
    }
  }
  return tokens;
}

// (n): the values of this rank's tokens.
std::vector<int32_t> values_of(const std::vector<int32_t>& values,
                               const std::vector<int64_t>& tokens) {
  std::vector<int32_t> local;
  local.reserve(tokens.size());
  for (const int64_t token : tokens) local.push_back(values[static_cast<size_t>(token)]);
  return local;
}

// Predicted tokens of each whole sequence: what per-sequence losses are weighed with.
std::vector<double> count_unmasked(const std::vector<int32_t>& targets, int64_t batch,
                                   int64_t seq_len) {
  std::vector<double> unmasked(static_cast<size_t>(batch), 0.0);
  for (int64_t i = 0; i < batch * seq_len; ++i) {
    if (targets[static_cast<size_t>(i)] >= 0) unmasked[static_cast<size_t>(i / seq_len)] += 1;
  }
  return unmasked;
}

// The rows that attention works on: this rank's, or all of them where heads are exchanged.
std::vector<int32_t> for_attention(const LayerContext& ctx, const std::vector<int32_t>& values,
                                   const std::vector<int64_t>& tokens) {
  return exchanges_heads(ctx) ? values : values_of(values, tokens);
}

// First rows of all documents, then the end; the end once more for as many empty documents as make
// their number a power of two: kernels are prepared for a number of them.
std::vector<int32_t> document_rows(const TokenPlaces& places) {
  std::vector<int32_t> rows;
  for (size_t i = 0; i < places.positions.size(); ++i) {
    if (places.positions[i] == 0) rows.push_back(static_cast<int32_t>(i));
  }
  rows.resize(std::bit_ceil(rows.size()) + 1, static_cast<int32_t>(places.positions.size()));
  return rows;
}

int64_t count_unmasked(const std::vector<int32_t>& targets) {
  return std::count_if(targets.begin(), targets.end(), [](int32_t target) { return target >= 0; });
}

void upload_ahead(const LayerContext& ctx, const WholeTokensAhead& whole,
                  const std::vector<int64_t>& tokens, TokensAhead* to) {
  const std::vector<int32_t> targets = values_of(whole.targets, tokens);
  upload(ctx, values_of(whole.inputs, tokens), &to->inputs);
  upload(ctx, targets, &to->targets);
  to->num_targets = count_unmasked(targets);
}

}  // namespace

Microbatch make_microbatch(const LayerContext& ctx, const Batch& batch_tokens, int64_t batch,
                           int64_t seq_len, int64_t first_slot, Microbatch before) {
  const auto& [inputs, targets, begins, ends] = batch_tokens;
  const int64_t size = batch * seq_len;
  CHECK(static_cast<int64_t>(inputs.size()) == size && static_cast<int64_t>(targets.size()) == size,
        inputs.size(), " inputs and ", targets.size(), " targets for ", batch, " x ", seq_len);
  CHECK(begins.empty() || begins.size() == inputs.size(), begins.size(), " beginnings");
  CHECK(ends.size() == begins.size(), ends.size(), " ends of ", begins.size(), " documents");
  const std::vector<int64_t> tokens = local_tokens(ctx, batch, seq_len);
  const TokenPlaces places = places_of(ctx.settings, batch_tokens, seq_len, first_slot);
  Microbatch microbatch = std::move(before);
  microbatch.batch = batch;
  microbatch.seq_len = seq_len;
  microbatch.local_len = seq_len / ctx.plan.mesh.cp;
  const std::vector<int32_t> local_targets = values_of(targets, tokens);
  upload(ctx, values_of(inputs, tokens), &microbatch.inputs);
  upload(ctx, local_targets, &microbatch.targets);
  microbatch.num_targets = count_unmasked(local_targets);
  microbatch.ahead.resize(static_cast<size_t>(ctx.plan.model.num_mtp_modules));
  for (size_t i = 0; i < microbatch.ahead.size(); ++i) {
    const WholeTokensAhead ahead =
        tokens_ahead(ctx.settings, batch_tokens, places, seq_len, static_cast<int64_t>(i) + 1);
    upload_ahead(ctx, ahead, tokens, &microbatch.ahead[i]);
  }
  upload(ctx, values_of(places.positions, tokens), &microbatch.positions);
  upload(ctx, values_of(places.ids, tokens), &microbatch.token_ids);
  if (ctx.plan.moe_capacity_factor > 0) {
    std::vector<int32_t> of_tokens;
    of_tokens.reserve(tokens.size());
    for (const int64_t token : tokens) of_tokens.push_back(static_cast<int32_t>(token));
    upload(ctx, of_tokens, &microbatch.places);
    microbatch.places = microbatch.places.view({microbatch.tokens(), 1});
  }
  std::vector<int32_t> attention_positions = for_attention(ctx, places.positions, tokens);
  if (ctx.fault == Fault::positions_local) {
    for (size_t i = 0; i < attention_positions.size(); ++i)
      attention_positions[i] = static_cast<int32_t>(static_cast<int64_t>(i) % microbatch.local_len);
  }
  upload(ctx, attention_positions, &microbatch.attention_positions);
  if (ctx.settings.document_mask) {
    upload(ctx, for_attention(ctx, places.document_begins, tokens), &microbatch.document_begin);
    if (ctx.plan.mesh.cp == 1 || exchanges_heads(ctx))
      upload(ctx, document_rows(places), &microbatch.document_rows);
  }

  const int64_t n = microbatch.tokens();
  const int64_t s = ctx.sequence_parallel() ? n / ctx.plan.mesh.tp : n;
  const int64_t first = ctx.sequence_parallel() ? ctx.groups.coordinates().tp * s : 0;
  std::vector<double> mask(static_cast<size_t>(s));
  for (int64_t i = 0; i < s; ++i)
    mask[static_cast<size_t>(i)] = local_targets[static_cast<size_t>(first + i)] >= 0 ? 1 : 0;
  upload(ctx, mask, &microbatch.mask);
  upload(ctx, count_unmasked(targets, batch, seq_len), &microbatch.unmasked);
  return microbatch;
}

Microbatch make_text_microbatch(const LayerContext& ctx, const std::vector<int32_t>& tokens,
                                int64_t position) {
  CHECK(!ctx.settings.document_mask && ctx.plan.mesh.cp == 1, "a text on ", ctx.plan.mesh.cp,
        " ranks");
  const std::vector<int32_t> no_targets(tokens.size(), -1);
  Microbatch microbatch =
      make_microbatch(ctx, {tokens, no_targets}, 1, static_cast<int64_t>(tokens.size()));
  std::vector<int32_t> positions(tokens.size());
  std::iota(positions.begin(), positions.end(), static_cast<int32_t>(position));
  upload(ctx, positions, &microbatch.positions);
  microbatch.attention_positions = microbatch.positions;
  return microbatch;
}

std::vector<Microbatch> read_microbatches(const LayerContext& ctx, const TokenSource& source,
                                          const SampleOrder& order, int64_t step, Epochs epochs,
                                          std::vector<Microbatch> before) {
  const Plan& plan = ctx.plan;
  const int64_t slots = plan.global_batch / plan.mesh.dp;
  std::vector<Microbatch> microbatches = std::move(before);
  microbatches.resize(static_cast<size_t>(plan.num_microbatches()));
  for (int64_t m = 0; m < plan.num_microbatches(); ++m) {
    const int64_t first_slot = ctx.groups.coordinates().dp * slots + m * plan.micro_batch;
    const Batch batch = read_batch(source, order, step, first_slot, plan.micro_batch, plan.seq_len,
                                   plan.global_batch, epochs);
    Microbatch& microbatch = microbatches[static_cast<size_t>(m)];
    microbatch = make_microbatch(ctx, batch, plan.micro_batch, plan.seq_len, first_slot,
                                 std::move(microbatch));
    if (ctx.settings.dropout > 0) {
      CHECK(step <= INT32_MAX, "step ", step);
      upload(ctx, std::vector<int32_t>{static_cast<int32_t>(step)}, &microbatch.step);
    }
  }
  return microbatches;
}

int64_t count_targets(const std::vector<Microbatch>& microbatches) {
  int64_t count = 0;
  for (const Microbatch& microbatch : microbatches) count += microbatch.num_targets;
  return count;
}

std::vector<double> count_all_targets(const Plan& plan,
                                      const std::vector<Microbatch>& microbatches) {
  std::vector<double> counts(static_cast<size_t>(1 + plan.model.num_mtp_modules), 0.0);
  for (const Microbatch& microbatch : microbatches) {
    counts[0] += static_cast<double>(microbatch.num_targets);
    for (size_t i = 0; i < microbatch.ahead.size(); ++i)
      counts[i + 1] += static_cast<double>(microbatch.ahead[i].num_targets);
  }
  return counts;
}

void weigh_tokens_ahead(const std::vector<double>& num_targets, double scaling_factor,
                        std::vector<Microbatch>* microbatches) {
  for (Microbatch& microbatch : *microbatches) {
    const auto num_modules = static_cast<double>(microbatch.ahead.size());
    for (size_t i = 0; i < microbatch.ahead.size(); ++i) {
      const double of_module = std::max(num_targets.at(i + 1), 1.0);
      microbatch.ahead[i].loss_weight =
          scaling_factor / num_modules * num_targets.at(0) / of_module;
    }
  }
}

}  // namespace argosy
