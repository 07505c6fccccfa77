// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What makes queries, keys and values: three Linears of the normed input, or (latent attention)
// small vectors of the rank's own tokens and, from these gathered, the heads of the rank.
#include <utility>

#include "planner/spec/work_shape.h"

namespace argosy {

namespace {

AttentionWork latent_linears(const RankShape& shape) {
  const LatentAttention& latent = shape.model.latent;
  const int64_t n = shape.tokens, s = shape.split_tokens, hidden = shape.hidden;
  AttentionWork work;
  if (latent.q_rank > 0) {
    work.in = {linear(shape, TensorRole::q_a, s, hidden, latent.q_rank),
               linear(shape, TensorRole::q_b, n, latent.q_rank, shape.q_heads * shape.head_dim)};
  } else {
    work.in = {linear(shape, TensorRole::q, n, hidden, shape.q_heads * shape.head_dim)};
  }
  const int64_t kv_width = latent.kv_rank + latent.rope_dim;
  work.in.push_back(linear(shape, TensorRole::kv_a, s, hidden, kv_width));
  work.in.push_back(linear(shape, TensorRole::kv_b, n, latent.kv_rank,
                           shape.q_heads * (latent.nope_dim + latent.value_dim)));
  work.o = linear(shape, TensorRole::o, n, shape.q_heads * shape.value_dim, hidden);
  work.latent_width = latent.q_rank + kv_width;
  return work;
}

// Queries are made of the whole normed input: it is gathered as well.
bool gathers_input(const RankShape& shape, const AttentionWork& attention) {
  return attention.latent_width == 0 || shape.model.latent.q_rank == 0;
}

int64_t latent_bytes(const RankShape& shape, const AttentionWork& attention) {
  return shape.tokens * attention.latent_width * shape.element_bytes;
}

void add_latent_gather(Pass& pass, const RankShape& shape, const AttentionWork& attention) {
  if (!shape.sequence_parallel) return;
  add_collective(pass, CollectiveKind::all_gather, Axis::tp, latent_bytes(shape, attention),
                 shape.tp);
}

}  // namespace

AttentionWork attention_linears(const RankShape& shape) {
  if (shape.model.has_latent_attention()) return latent_linears(shape);
  const int64_t n = shape.tokens, hidden = shape.hidden;
  const int64_t q_width = shape.q_heads * shape.head_dim;
  const int64_t kv_width = shape.kv_heads * shape.head_dim;
  AttentionWork work;
  work.in = {linear(shape, TensorRole::q, n, hidden, q_width),
             linear(shape, TensorRole::k, n, hidden, kv_width),
             linear(shape, TensorRole::v, n, hidden, kv_width)};
  work.o = linear(shape, TensorRole::o, n, q_width, hidden);
  return work;
}

RankShape seen_by_layer(RankShape shape, bool is_windowed) {
  if (is_windowed) shape.pairs = shape.window_pairs;
  return shape;
}

int64_t qk_statistic_bytes(const RankShape& shape) {
  if (!shape.model.qk_norm) return 0;
  if (!shape.model.qk_norm_is_whole) {
    return shape.tokens * (shape.q_heads + shape.kv_heads) * shape.statistic_bytes;
  }
  // Where heads are exchanged a rank knows the statistics of all tokens.
  const int64_t parts = shape.cp_kind == ContextParallel::ulysses ? shape.cp : 1;
  return 2 * parts * shape.tokens * shape.statistic_bytes;
}

int64_t query_bytes(const RankShape& shape) {
  return shape.tokens * shape.q_heads * shape.head_dim * shape.element_bytes;
}
int64_t key_bytes(const RankShape& shape) {
  return shape.tokens * shape.kv_heads * shape.head_dim * shape.element_bytes;
}
int64_t value_bytes(const RankShape& shape) {
  return shape.tokens * shape.kv_heads * shape.value_dim * shape.element_bytes;
}
int64_t attention_output_bytes(const RankShape& shape) {
  return shape.tokens * shape.q_heads * shape.value_dim * shape.element_bytes;
}

void add_attention_gather(Pass& pass, const RankShape& shape, const AttentionWork& attention) {
  if (gathers_input(shape, attention)) add_tp_gather(pass, shape);
  add_latent_gather(pass, shape, attention);
}

void add_attention_input_reduce(Pass& pass, const RankShape& shape,
                                const AttentionWork& attention) {
  if (gathers_input(shape, attention)) add_tp_reduce(pass, shape);
  add_collective(
      pass, shape.sequence_parallel ? CollectiveKind::reduce_scatter : CollectiveKind::all_reduce,
      Axis::tp, latent_bytes(shape, attention), shape.tp);
}

namespace {

// Elements of what is read and written, and launches, by the ops that latent attention has between
// its Linears; the trainer's are in trainer/layers/latent_projections.cpp.
struct LatentOps {
  explicit LatentOps(const RankShape& rank) : shape(rank), latent(rank.model.latent) {}

  int64_t kv_width() const { return latent.kv_rank + latent.rope_dim; }
  int64_t width() const { return latent.q_rank + kv_width(); }
  int64_t num_latents() const { return latent.q_rank > 0 ? 3 : 2; }  // a key's shared part is one
  int64_t norm_elements() const {
    return 2 * shape.split_tokens * (latent.q_rank + latent.kv_rank);
  }
  int64_t num_norms() const { return latent.q_rank > 0 ? 2 : 1; }

  void add(Pass& pass, int64_t elements, int64_t launches) const {
    add_memory(pass, elements * shape.element_bytes, launches);
  }
  // Columns that others read and write where they are.
  void add_copies(Pass& pass, int64_t elements, int64_t launches) const {
    add_memory_of_trainer(pass, 2 * elements * shape.element_bytes, launches);
  }
  // The normed latents, and a key's shared part, of the rank's tokens; then of all of the group's.
  void add_latents(Pass& pass) const {
    add(pass, norm_elements(), num_norms());
    add_copies(pass, shape.split_tokens * kv_width(), 2);
    if (shape.sequence_parallel) add_side_by_side(pass);
  }
  // Into one tensor, and out of it behind a collective over tp.
  void add_side_by_side(Pass& pass) const {
    add_copies(pass, (shape.tokens + shape.split_tokens) * width(), 2 * num_latents());
  }
  // Keys and values of the products' outputs, and what turns: or their gradients.
  void add_heads(Pass& pass) const {
    const int64_t of_head = 2 * (latent.nope_dim + latent.value_dim) + latent.rope_dim;
    const int64_t turning = 2 * (shape.q_heads + 1) * latent.rope_dim;
    add(pass, shape.tokens * (shape.q_heads * of_head + latent.rope_dim + turning), 1 + 2);
  }

  const RankShape& shape;
  const LatentAttention& latent;
};

}  // namespace

void add_latent_ops(Pass& pass, const RankShape& shape) {
  const LatentOps ops(shape);
  ops.add_latents(pass);
  ops.add_heads(pass);
}

void add_latent_ops_backward(Pass& pass, const RankShape& shape) {
  const LatentOps ops(shape);
  ops.add_heads(pass);
  if (shape.tp > 1) ops.add_side_by_side(pass);
  // Norms backward: x, dy, dx. The columns that were normed, and both gradients side by side.
  ops.add(pass, ops.norm_elements() / 2 * 3, ops.num_norms() * norm_backward_launches(shape));
  ops.add_copies(pass, shape.split_tokens * (ops.latent.kv_rank + ops.kv_width()), 1 + 2);
}

void add_attention_inputs_again(Pass& pass, const RankShape& shape,
                                const AttentionWork& attention) {
  const auto reads = [&](size_t i) { return attention.in[i].reads_input_in_backward(); };
  const bool is_latent = attention.latent_width > 0;
  const size_t last = attention.in.size() - 1;
  const bool reads_input = reads(0) || reads(last - 1) || (!is_latent && reads(last));
  if (reads_input) add_memory_again(pass, 2 * shape.split_bytes());  // normed
  if (gathers_input(shape, attention) && (is_latent ? reads(0) : reads_input)) {
    add_tp_gather(pass, shape);
  }
  const bool reads_latents = reads(last) || (shape.model.latent.q_rank > 0 && reads(1));
  if (!is_latent || !reads_latents) return;
  const size_t first = pass.ops.size();
  LatentOps(shape).add_latents(pass);
  for (size_t i = first; i < pass.ops.size(); ++i) pass.ops[i].is_computed_again = true;
  add_latent_gather(pass, shape, attention);
}

int64_t attention_inputs_bytes(const RankShape& shape, const AttentionWork& attention) {
  const auto reads = [&](size_t i) { return attention.in[i].reads_input_in_backward(); };
  const auto input_bytes = [&](size_t i) {
    const LinearWork& linear = attention.in[i];
    return reads(i) ? linear.num_rows() * linear.inputs * shape.element_bytes : 0;
  };
  if (attention.latent_width == 0) {
    return reads(0) || reads(1) || reads(2) ? shape.full_bytes() : 0;
  }
  const size_t kv_b = attention.in.size() - 1, kv_a = kv_b - 1;
  // kv_a shares the normed input with q_a, and with q where that gathers nothing.
  const bool is_shared = reads(0) && (!gathers_input(shape, attention) || !shape.sequence_parallel);
  int64_t bytes = input_bytes(0) + (is_shared ? 0 : input_bytes(kv_a)) + input_bytes(kv_b);
  if (shape.model.latent.q_rank > 0) bytes += input_bytes(1);  // q_b
  return bytes;
}

int64_t latent_saved_bytes(const RankShape& shape, const AttentionWork& attention) {
  if (attention.latent_width == 0) return 0;
  const int64_t num_norms = shape.model.latent.q_rank > 0 ? 2 : 1;
  return shape.split_tokens * attention.latent_width * shape.element_bytes +
         num_norms * norm_statistic_bytes(shape, shape.split_tokens);
}

}  // namespace argosy
