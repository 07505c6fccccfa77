// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A transformer block: x + attention(norm(x)), then x + mlp(norm(x)). The sequence of ops and
// collectives is the trainer's; bytes of memory-bound ops count each tensor read or written once.
#include <algorithm>
#include <initializer_list>

#include "planner/spec/work_shape.h"

namespace argosy {

namespace {

// Launches of position ops on q, and on k.
struct PositionLaunches {
  int64_t norm = 1, rope = 1;
};

// RoPE and the norms of q and k: each reads and writes both.
void add_position_ops(Pass& pass, const RankShape& shape, PositionLaunches launches = {}) {
  const int64_t bytes = 2 * (query_bytes(shape) + key_bytes(shape));
  if (shape.model.qk_norm) add_memory(pass, bytes, 2 * launches.norm);
  if (shape.model.position == PositionKind::rope) add_memory(pass, bytes, 2 * launches.rope);
}

// Sums over the columns of a norm over all heads, which ranks share: `num_tensors` of q's and k's
// are read by `launches` kernels each, one collective has the sums of both.
void add_shared_norm_sums(Pass& pass, const RankShape& shape, int64_t num_tensors,
                          int64_t launches) {
  const int64_t exchanged = shape.cp_kind == ContextParallel::ulysses ? shape.cp : 1;
  if (!shape.model.qk_norm || !shape.model.qk_norm_is_whole || shape.tp * exchanged == 1) return;
  add_memory(pass, num_tensors * (query_bytes(shape) + key_bytes(shape)), 2 * launches);
  const int64_t bytes = qk_statistic_bytes(shape);
  add_collective(pass, CollectiveKind::all_reduce, Axis::tp, bytes, shape.tp);
  add_collective(pass, CollectiveKind::all_reduce, Axis::cp, bytes, exchanged);
}

// Over cp (trainer/layers/context_attention.h): the ring's messages to the next rank and from the
// previous one, or all-to-alls of heads.
void add_hops(Pass& pass, const RankShape& shape, int64_t key_bytes, int64_t value_bytes) {
  for (int64_t i = 0; i < shape.cp - 1; ++i) {  // to every other rank
    for (const int64_t bytes : {key_bytes, value_bytes}) {
      add_collective(pass, CollectiveKind::send, Axis::cp, bytes, shape.cp);
      add_collective(pass, CollectiveKind::recv, Axis::cp, bytes, shape.cp);
    }
  }
}

void add_head_exchanges(Pass& pass, const RankShape& shape, std::initializer_list<int64_t> bytes) {
  for (const int64_t of_tensor : bytes) {
    if (shape.cp > 1) pass.num_launches += 2;  // before and behind
    add_collective(pass, CollectiveKind::all_to_all, Axis::cp, of_tensor, shape.cp);
  }
}

// cuDNN's kernel and the turn of its statistics, backward three kernels and the turn. In a ring our
// own kernels, one and three a block of keys, add to sums in fp32: backward clears dk and dv of
// each block and adds them up on their way; sums are cleared before and copied out behind.
int64_t attention_launches(const RankShape& shape, bool is_backward) {
  const bool is_ring = shape.cp > 1 && shape.cp_kind == ContextParallel::ring;
  if (!is_ring) return is_backward ? 4 : 2;
  return is_backward ? (3 + 2) * shape.cp + 2 * (shape.cp - 1) + 1 + 3 : shape.cp + 1;
}

// forward: q k^T and p v, 4 D FLOPs a pair and head (values of another size: 2 D + 2 Dv). Backward:
// dv, dp, dq, dk, twice as many; that a fused kernel computes p again is not counted. The ring
// shares the pairs of a head, an exchange of heads the heads.
void add_attention(Pass& pass, const RankShape& shape, bool is_backward) {
  OpWork op;
  op.kind = OpKind::attention;
  op.flops = (is_backward ? 4 : 2) * (shape.head_dim + shape.value_dim) *
             (shape.q_heads * shape.pairs / shape.cp);
  op.bytes = (is_backward ? 2 : 1) * (query_bytes(shape) + attention_output_bytes(shape) +
                                      key_bytes(shape) + value_bytes(shape));
  pass.ops.push_back(op);
  pass.num_launches += attention_launches(shape, is_backward);
}

// A gradient of the bias of a Linear comes with its weight's, and is added by a launch more; of one
// that is added behind a sum over tp, by two kernels over rows.
constexpr int64_t kBiasGradientLaunches = 1, kAddedBiasGradientLaunches = 2;
int64_t bias_gradient_launches(const RankShape& shape, bool has_bias, int64_t launches) {
  return has_bias && !shape.is_frozen ? launches : 0;
}

// The result is scaled by what the sink of a head leaves to its keys, then the statistics; backward
// each row's share of the sinks' gradient, and their sum.
constexpr int64_t kSinkLaunches = 2, kSinkTermLaunches = 1;
void add_sinks(Pass& pass, const RankShape& shape) {
  if (!shape.model.attention_sinks) return;
  add_memory_of_trainer(pass, 2 * attention_output_bytes(shape), kSinkLaunches);
}
void add_sinks_backward(Pass& pass, const RankShape& shape) {
  if (!shape.model.attention_sinks || shape.is_frozen) return;
  add_memory_of_trainer(pass, 2 * attention_output_bytes(shape),
                        kSinkTermLaunches + kAddedBiasGradientLaunches);
}

// The softmax over all keys of the sequences.
void add_attend(Pass& pass, const RankShape& shape) {
  add_attention(pass, shape, false);
  add_sinks(pass, shape);
  if (shape.cp_kind == ContextParallel::ring) {
    add_hops(pass, shape, key_bytes(shape), value_bytes(shape));
  } else {
    add_head_exchanges(pass, shape, {attention_output_bytes(shape)});
  }
}

void add_attend_backward(Pass& pass, const RankShape& shape) {
  add_attention(pass, shape, true);
  add_sinks_backward(pass, shape);
  if (shape.cp_kind == ContextParallel::ring) {
    add_hops(pass, shape, key_bytes(shape), value_bytes(shape));
    const int64_t wider = shape.statistic_bytes / shape.element_bytes;
    add_hops(pass, shape, key_bytes(shape) * wider, value_bytes(shape) * wider);
  } else {
    const int64_t out = attention_output_bytes(shape);
    add_head_exchanges(  // out, dout; dq, dk, dv
        pass, shape, {out, out, query_bytes(shape), key_bytes(shape), value_bytes(shape)});
  }
}

// The norm behind it adds it. A bias behind the sum over tp is an op of its own.
void add_residual(Pass& pass, const RankShape& shape, bool has_bias) {
  add_memory(pass, 3 * shape.split_bytes(), has_bias ? 1 : 0);
}

void add_attention_forward(Pass& pass, const RankShape& shape) {
  const AttentionWork attention = attention_linears(shape);
  add_memory(pass, 2 * shape.split_bytes());  // norm
  add_attention_gather(pass, shape, attention);
  for (const LinearWork& l : attention.in) add_forward(pass, l);
  if (shape.cp_kind == ContextParallel::ulysses) {
    add_head_exchanges(pass, shape, {query_bytes(shape), key_bytes(shape), value_bytes(shape)});
  }
  if (shape.model.has_latent_attention()) {
    add_latent_ops(pass, shape);
  } else {
    add_shared_norm_sums(pass, shape, 1, 2);  // squares, and from them the statistic
    add_position_ops(pass, shape);
  }
  add_attend(pass, shape);
  add_forward(pass, attention.o);
  add_tp_reduce(pass, shape);
  add_residual(pass, shape, shape.model.attention_output_bias);
}

void add_attention_backward(Pass& pass, const RankShape& shape) {
  const AttentionWork attention = attention_linears(shape);
  pass.num_launches +=
      bias_gradient_launches(shape, shape.model.attention_output_bias, kAddedBiasGradientLaunches) +
      bias_gradient_launches(shape, shape.model.qkv_bias, 3 * kBiasGradientLaunches);
  add_tp_gather(pass, shape);  // dy
  add_backward(pass, attention.o);
  if (shape.model.has_latent_attention()) {
    add_attend_backward(pass, shape);
    add_latent_ops_backward(pass, shape);
  } else {
    // Forward again: q and k are kept as they came from the products, where norms follow.
    const size_t first = pass.ops.size();
    add_position_ops(pass, shape, {.rope = shape.model.qk_norm ? 1 : 0});
    for (size_t i = first; i < pass.ops.size(); ++i) pass.ops[i].is_computed_again = true;
    add_attend_backward(pass, shape);
    add_shared_norm_sums(pass, shape, 2, 1);  // of the gradient times the normed tensor
    add_position_ops(pass, shape, {.norm = shape.is_frozen ? 1 : 2});
  }
  add_attention_inputs_again(pass, shape, attention);
  for (const LinearWork& l : attention.in) add_backward(pass, l);
  add_attention_input_reduce(pass, shape, attention);  // dx
  // Norm backward: x, dy, residual gradient, dx.
  add_memory(pass, 4 * shape.split_bytes(), norm_backward_launches(shape));
}

int64_t attention_saved_bytes(const RankShape& shape) {
  const AttentionWork attention = attention_linears(shape);
  int64_t bytes = shape.split_bytes() + norm_statistic_bytes(shape, shape.split_tokens);
  bytes += query_bytes(shape) + key_bytes(shape) + value_bytes(shape);
  bytes += latent_saved_bytes(shape, attention);
  bytes += attention_result_bytes(shape);
  bytes += qk_statistic_bytes(shape);
  for (const LinearWork& l : attention.in) bytes += l.adapter_bytes();
  return bytes + attention.o.adapter_bytes();
}

// Held during an exchange over cp. Ring: keys and values that come and that go, dk, dv of this
// step, of the one before and at home, the sum of dq. Ulysses: out and dout of all tokens, and two
// copies of what is on its way.
int64_t exchange_workspace_bytes(const RankShape& shape) {
  if (shape.cp == 1) return 0;
  if (shape.cp_kind == ContextParallel::ulysses) return 4 * query_bytes(shape);
  const int64_t queries = query_bytes(shape) / shape.element_bytes * shape.statistic_bytes;
  const int64_t keys = key_bytes(shape) / shape.element_bytes * shape.statistic_bytes;
  return 4 * key_bytes(shape) + queries + 8 * keys;
}

// In backward, all at once at most: dy, normed input, dx (n, H); their (s, H) parts; q, k, v after
// norm and RoPE; dq, dk, dv, the gradient of the attention output, the output again; the u and du
// of the adapters; what is exchanged over cp.
int64_t attention_workspace_bytes(const RankShape& shape) {
  const AttentionWork attention = attention_linears(shape);
  const int64_t adapters = shape.tokens * shape.lora.rank * shape.element_bytes * 2 * 4;
  return 3 * shape.full_bytes() + 3 * shape.split_bytes() + 3 * query_bytes(shape) +
         4 * key_bytes(shape) + attention_result_bytes(shape) + exchange_workspace_bytes(shape) +
         adapters + dequantized_workspace_bytes(attention.in, attention.o);
}

}  // namespace

DeferredBytes attention_deferred_bytes(const RankShape& shape, Recompute recompute) {
  const AttentionWork attention = attention_linears(shape);
  DeferredBytes bytes;
  for (const LinearWork& l : attention.in) add_deferred(bytes, l);
  bytes.added += attention_inputs_bytes(shape, attention);
  add_deferred(bytes, attention.o);
  if (attention.o.reads_input_in_backward()) {
    (recompute == Recompute::selective ? bytes.added : bytes.kept) += attention_output_bytes(shape);
  }
  return bytes;
}

void add_attention_backward_weight(Pass& pass, const RankShape& shape) {
  const AttentionWork attention = attention_linears(shape);
  add_backward_weight(pass, attention.o);
  for (const LinearWork& l : attention.in) add_backward_weight(pass, l);
}

namespace {

MlpWork mlp_linears(const RankShape& shape, int64_t width, TensorRole gate, TensorRole up,
                    TensorRole down) {
  MlpWork mlp;
  mlp.width = width;
  if (shape.model.mlp == MlpKind::swiglu) {
    mlp.in.push_back(linear(shape, gate, shape.tokens, shape.hidden, width));
  }
  mlp.in.push_back(linear(shape, up, shape.tokens, shape.hidden, width));
  mlp.down = linear(shape, down, shape.tokens, width, shape.hidden);
  return mlp;
}

int64_t wide_bytes(const RankShape& shape, const MlpWork& mlp) {
  return shape.tokens * mlp.width * shape.element_bytes;
}

// GELU and its gradient, in the products around it; with adapters a product is a sum of two.
bool fuses_activation(const MlpWork& mlp) {
  return mlp.in.size() == 1 && mlp.in.front().lora_rank == 0 && mlp.down.lora_rank == 0;
}

void add_activation(Pass& pass, const RankShape& shape, const MlpWork& mlp) {
  const auto num_inputs = static_cast<int64_t>(mlp.in.size());
  add_memory(pass, (num_inputs + 1) * wide_bytes(shape, mlp), fuses_activation(mlp) ? 0 : 1);
}

// What backward reads needs the activation: GELU comes with its input, an adapter behind it has
// its own. Backward itself computes it again from gate and up.
bool reads_activation(const MlpWork& mlp) {
  return mlp.in.size() == 1 || mlp.down.lora_rank > 0;
}

}  // namespace

Pass block_recomputed_attention(const RankShape& shape) {
  Pass pass;
  add_attend(pass, shape);
  return pass;
}

// out (n, hq*Dv)e and its log-sum-exp (n, hq)z.
int64_t attention_result_bytes(const RankShape& shape) {
  return attention_output_bytes(shape) + shape.tokens * shape.q_heads * shape.statistic_bytes;
}

MlpWork dense_mlp(const RankShape& shape) {
  return mlp_linears(shape, shape.ffn, TensorRole::gate, TensorRole::up, TensorRole::down);
}

MlpWork shared_mlp(const RankShape& shape) {
  return mlp_linears(shape, shape.shared_ffn, TensorRole::shared_gate_proj,
                     TensorRole::shared_up_proj, TensorRole::shared_down_proj);
}

void add_mlp_read_in_backward(Pass& pass, const RankShape& shape, const MlpWork& mlp) {
  add_tp_gather(pass, shape);
  for (const LinearWork& l : mlp.in) add_forward(pass, l);
  if (reads_activation(mlp)) add_activation(pass, shape, mlp);
  add_adapter_input(pass, mlp.down);
}

void add_mlp_unread(Pass& pass, const RankShape& shape, const MlpWork& mlp) {
  if (!reads_activation(mlp)) add_activation(pass, shape, mlp);
  add_output(pass, mlp.down);
  add_tp_reduce(pass, shape);
}

void add_mlp_backward(Pass& pass, const RankShape& shape, const MlpWork& mlp) {
  const auto num_inputs = static_cast<int64_t>(mlp.in.size());
  add_tp_gather(pass, shape);  // dy
  if (mlp.down.reads_input_in_backward()) {
    add_memory_again(pass, (num_inputs + 1) * wide_bytes(shape, mlp));  // the activation
  }
  add_backward(pass, mlp.down);
  add_memory(pass, (2 * num_inputs + 1) * wide_bytes(shape, mlp),
             fuses_activation(mlp) ? 0 : 1);  // activation backward
  if (std::any_of(mlp.in.begin(), mlp.in.end(),
                  [](const LinearWork& l) { return l.reads_input_in_backward(); })) {
    add_memory_again(pass, 2 * shape.split_bytes());  // the normed input
    add_tp_gather(pass, shape);
  }
  for (const LinearWork& l : mlp.in) add_backward(pass, l);
  add_tp_reduce(pass, shape);  // dx
}

int64_t mlp_saved_bytes(const RankShape& shape, const MlpWork& mlp) {
  int64_t bytes = mlp.down.adapter_bytes();
  for (const LinearWork& l : mlp.in) bytes += wide_bytes(shape, mlp) + l.adapter_bytes();
  return bytes;
}

// In backward, at most: dy, normed input, dx (n, H) and their (s, H) parts; the activation and its
// gradient, the gradients of gate and up; the u and du of the adapters.
int64_t mlp_workspace_bytes(const RankShape& shape, const MlpWork& mlp) {
  const int64_t adapters = shape.tokens * shape.lora.rank * shape.element_bytes * 2 * 3;
  return 3 * shape.full_bytes() + 3 * shape.split_bytes() + 4 * wide_bytes(shape, mlp) + adapters +
         dequantized_workspace_bytes(mlp.in, mlp.down);
}

namespace {

// Room for the ops of a block, so that they are not moved again and again.
Pass roomy_pass() {
  constexpr size_t kMostOps = 48;
  Pass pass;
  pass.ops.reserve(kMostOps);
  return pass;
}

}  // namespace

Pass block_forward(const RankShape& shape, bool is_moe) {
  Pass pass = block_read_in_backward(shape, is_moe);
  append(pass, block_unread(shape, is_moe));
  return pass;
}

Pass block_read_in_backward(const RankShape& shape, bool is_moe) {
  Pass pass = roomy_pass();
  add_attention_forward(pass, shape);
  add_memory(pass, 2 * shape.split_bytes());  // norm
  if (is_moe) {
    add_moe_read_in_backward(pass, shape);
  } else {
    add_mlp_read_in_backward(pass, shape, dense_mlp(shape));
  }
  return pass;
}

Pass block_unread(const RankShape& shape, bool is_moe) {
  Pass pass;
  if (is_moe) {
    add_moe_unread(pass, shape);
  } else {
    add_mlp_unread(pass, shape, dense_mlp(shape));
  }
  add_residual(pass, shape, !is_moe && shape.model.mlp_bias);
  return pass;
}

Pass block_backward(const RankShape& shape, bool is_moe) {
  Pass pass = roomy_pass();
  if (is_moe) {
    add_moe_backward(pass, shape);
  } else {
    add_mlp_backward(pass, shape, dense_mlp(shape));
    pass.num_launches += bias_gradient_launches(shape, shape.model.mlp_bias,
                                                kBiasGradientLaunches + kAddedBiasGradientLaunches);
  }
  add_memory(pass, 4 * shape.split_bytes(), norm_backward_launches(shape));
  add_attention_backward(pass, shape);
  return pass;
}

int64_t block_saved_bytes(const RankShape& shape, bool is_moe) {
  const int64_t mlp_input = shape.split_bytes() + norm_statistic_bytes(shape, shape.split_tokens);
  const int64_t mlp = is_moe ? moe_saved_bytes(shape) : mlp_saved_bytes(shape, dense_mlp(shape));
  return attention_saved_bytes(shape) + mlp_input + mlp;
}

int64_t block_workspace_bytes(const RankShape& shape, bool is_moe) {
  const int64_t mlp =
      is_moe ? moe_workspace_bytes(shape) : mlp_workspace_bytes(shape, dense_mlp(shape));
  return std::max(attention_workspace_bytes(shape), mlp);
}

}  // namespace argosy
