// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/microbatches.h"

#include <algorithm>
#include <cstdint>

#include "trainer/layers/context_attention.h"
#include "trainer/ops/elementwise.h"

namespace argosy {

namespace {

Tensor upload(const LayerContext& ctx, const int32_t* values, Shape shape) {
  Tensor tensor = ctx.device.empty(shape, DType::int32, MemoryCategory::buffers);
  std::copy(values, values + tensor.size(), tensor.data<int32_t>());
  return tensor;
}

Tensor upload(const LayerContext& ctx, const std::vector<double>& values) {
  const int64_t size = static_cast<int64_t>(values.size());
  Tensor tensor = ctx.device.empty({size}, ctx.statistic(), MemoryCategory::buffers);
  if (ctx.statistic() == DType::fp64) {
    std::copy(values.begin(), values.end(), tensor.data<double>());
  } else {
    std::transform(values.begin(), values.end(), tensor.data<float>(),
                   [](double value) { return static_cast<float>(value); });
  }
  return tensor;
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

// (n) int32: the values of this rank's tokens.
Tensor upload_tokens(const LayerContext& ctx, const std::vector<int32_t>& values,
                     const std::vector<int64_t>& tokens) {
  std::vector<int32_t> local;
  local.reserve(tokens.size());
  for (const int64_t token : tokens) local.push_back(values[static_cast<size_t>(token)]);
  return upload(ctx, local.data(), {static_cast<int64_t>(local.size())});
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

// Of the tokens of whole sequences, (batch * seq_len) each.
struct Places {
  std::vector<int32_t> document_begins;  // where in the sequence the token's document begins
  std::vector<int32_t> positions;        // in the document
  std::vector<int32_t> ids;              // in the global batch
};

// Without document masks a sequence is one document.
Places places_of(const LayerSettings& settings, const std::vector<int32_t>& inputs, int64_t seq_len,
                 int64_t first_slot) {
  const auto size = static_cast<int64_t>(inputs.size());
  CHECK(first_slot * seq_len + size <= INT32_MAX, "slot ", first_slot, " of sequences of ",
        seq_len);
  Places places;
  int32_t begin = 0;
  for (int64_t i = 0; i < size; ++i) {
    const auto position = static_cast<int32_t>(i % seq_len);
    const bool ended = settings.document_mask && position > 0 &&
                       inputs[static_cast<size_t>(i - 1)] == settings.end_of_text;
    if (position == 0 || ended) begin = position;
    places.document_begins.push_back(begin);
    places.positions.push_back(position - begin);
    places.ids.push_back(static_cast<int32_t>(first_slot * seq_len + i));
  }
  return places;
}

// The rows that attention works on: this rank's, or all of them where heads are exchanged.
Tensor upload_for_attention(const LayerContext& ctx, const std::vector<int32_t>& values,
                            const std::vector<int64_t>& tokens) {
  if (exchanges_heads(ctx))
    return upload(ctx, values.data(), {static_cast<int64_t>(values.size())});
  return upload_tokens(ctx, values, tokens);
}

}  // namespace

Microbatch make_microbatch(const LayerContext& ctx, const std::vector<int32_t>& inputs,
                           const std::vector<int32_t>& targets, int64_t batch, int64_t seq_len,
                           int64_t first_slot) {
  const int64_t size = batch * seq_len;
  CHECK(static_cast<int64_t>(inputs.size()) == size && static_cast<int64_t>(targets.size()) == size,
        inputs.size(), " inputs and ", targets.size(), " targets for ", batch, " x ", seq_len);
  const std::vector<int64_t> tokens = local_tokens(ctx, batch, seq_len);
  const Places places = places_of(ctx.settings, inputs, seq_len, first_slot);
  Microbatch microbatch;
  microbatch.batch = batch;
  microbatch.seq_len = seq_len;
  microbatch.local_len = seq_len / ctx.plan.mesh.cp;
  microbatch.inputs = upload_tokens(ctx, inputs, tokens);
  microbatch.targets = upload_tokens(ctx, targets, tokens);
  microbatch.positions = upload_tokens(ctx, places.positions, tokens);
  microbatch.token_ids = upload_tokens(ctx, places.ids, tokens);
  microbatch.attention_positions = upload_for_attention(ctx, places.positions, tokens);
  if (ctx.fault == Fault::positions_local) {
    int32_t* positions = microbatch.attention_positions.data<int32_t>();
    for (int64_t i = 0; i < microbatch.attention_positions.size(); ++i)
      positions[i] = static_cast<int32_t>(i % microbatch.local_len);
  }
  if (ctx.settings.document_mask)
    microbatch.document_begin = upload_for_attention(ctx, places.document_begins, tokens);

  const int64_t n = microbatch.tokens();
  const int64_t s = ctx.sequence_parallel() ? n / ctx.plan.mesh.tp : n;
  const int64_t first = ctx.sequence_parallel() ? ctx.groups.coordinates().tp * s : 0;
  std::vector<double> mask(static_cast<size_t>(s));
  for (int64_t i = 0; i < s; ++i)
    mask[static_cast<size_t>(i)] = microbatch.targets.data<int32_t>()[first + i] >= 0 ? 1 : 0;
  microbatch.mask = upload(ctx, mask);
  microbatch.unmasked = upload(ctx, count_unmasked(targets, batch, seq_len));
  return microbatch;
}

std::vector<Microbatch> read_microbatches(const LayerContext& ctx, const TokenSource& source,
                                          const SampleOrder& order, int64_t step, Epochs epochs) {
  const Plan& plan = ctx.plan;
  const int64_t slots = plan.global_batch / plan.mesh.dp;
  std::vector<Microbatch> microbatches;
  for (int64_t m = 0; m < plan.num_microbatches(); ++m) {
    const int64_t first_slot = ctx.groups.coordinates().dp * slots + m * plan.micro_batch;
    const Batch batch = read_batch(source, order, step, first_slot, plan.micro_batch, plan.seq_len,
                                   plan.global_batch, epochs);
    microbatches.push_back(make_microbatch(ctx, batch.inputs, batch.targets, plan.micro_batch,
                                           plan.seq_len, first_slot));
    microbatches.back().step = step;
  }
  return microbatches;
}

int64_t count_targets(const std::vector<Microbatch>& microbatches) {
  int64_t count = 0;
  for (const Microbatch& microbatch : microbatches) {
    const int32_t* targets = microbatch.targets.data<int32_t>();
    count += std::count_if(targets, targets + microbatch.targets.size(),
                           [](int32_t t) { return t >= 0; });
  }
  return count;
}

}  // namespace argosy
