// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The Mixture-of-Experts half of a block: route, dispatch, experts, combine, shared expert. Tokens
// stay split over the tensor-parallel group. Token counts per expert are control traffic and not
// recorded.
#include <algorithm>

#include "planner/spec/work_shape.h"

namespace argosy {

namespace {

constexpr int64_t kIndexBytes = 4;  // int32: chosen experts, row order

struct ExpertWork {
  LinearWork gate, up, down;
};

ExpertWork expert_linears(const RankShape& shape) {
  const int64_t hidden = shape.hidden, width = shape.expert_ffn;
  return {expert_linear(shape, TensorRole::expert_gate, hidden, width),
          expert_linear(shape, TensorRole::expert_up, hidden, width),
          expert_linear(shape, TensorRole::expert_down, width, hidden)};
}

// Routing is decided in the statistic dtype, so that layouts and precisions choose alike.
LinearWork router(const RankShape& shape) {
  LinearWork work =
      linear(shape, TensorRole::router, shape.split_tokens, shape.hidden, shape.experts);
  work.element_bytes = shape.statistic_bytes;
  return work;
}

LinearWork shared_gate(const RankShape& shape) {
  return linear(shape, TensorRole::shared_expert_gate, shape.split_tokens, shape.hidden, 1);
}

// Rows in another order: the order turned round, or brought from the host, and the rows.
constexpr int64_t kPermuteLaunches = 2;
constexpr int64_t kRouterGradientLaunches = 2;  // auxiliary loss; logits

// Choices; how often each expert was chosen and its probabilities; both losses and the counts for
// the report; the order of rows: counts cleared, counted, sorted and brought to the host.
int64_t routing_launches(const RankShape& shape) {
  return 1 + 2 + 3 + 3 + sort_launches(shape.experts);
}

int64_t num_picks(const RankShape& shape) {  // s * k rows leave this rank
  return shape.split_tokens * shape.top_k;
}
int64_t dispatch_bytes(const RankShape& shape) {
  return num_picks(shape) * shape.hidden * shape.element_bytes;
}
int64_t exchanged_bytes(const RankShape& shape) {
  return shape.exchanged_rows * shape.hidden * shape.element_bytes;
}
int64_t expert_input_bytes(const RankShape& shape) {  // (R, H)e
  return shape.expert_rows * shape.hidden * shape.element_bytes;
}
int64_t expert_width_bytes(const RankShape& shape) {  // (R, Fe)e
  return shape.expert_rows * shape.expert_ffn * shape.element_bytes;
}
int64_t probability_bytes(const RankShape& shape) {  // (s, E)z
  return shape.split_tokens * shape.experts * shape.statistic_bytes;
}

// Rows go to the ranks that hold their expert; those that hold a slice of it (etp) gather theirs.
void add_dispatch(Pass& pass, const RankShape& shape) {
  add_collective(pass, CollectiveKind::all_to_all, Axis::ep, exchanged_bytes(shape), shape.ep);
  add_collective(pass, CollectiveKind::all_gather, Axis::etp, expert_input_bytes(shape), shape.etp);
  if (shape.ep * shape.etp > 1) {
    add_memory(pass, 2 * expert_input_bytes(shape), kPermuteLaunches);  // by source -> by expert
  }
}

// The way back: slices give partial sums.
void add_return(Pass& pass, const RankShape& shape) {
  if (shape.ep * shape.etp > 1) {
    add_memory(pass, 2 * expert_input_bytes(shape), kPermuteLaunches);  // by expert -> by source
  }
  add_collective(pass, CollectiveKind::reduce_scatter, Axis::etp, expert_input_bytes(shape),
                 shape.etp);
  add_collective(pass, CollectiveKind::all_to_all, Axis::ep, exchanged_bytes(shape), shape.ep);
}

// The activation of the experts' width, or its gradient, moving so many bytes.
void add_expert_activation(Pass& pass, int64_t bytes) {
  if (OpWork* op = add_memory(pass, bytes)) op->is_expert_activation = true;
}

// Biases of the experts' Linears, one launch for all experts each: gate and up, read and written.
constexpr int64_t kGroupSumLaunches = 2;
void add_wide_biases(Pass& pass, const RankShape& shape) {
  if (shape.model.moe.has_biases) {
    add_memory_of_trainer(pass, 4 * expert_width_bytes(shape), 2);
  }
}
// The same of down; of ranks that share an expert (etp) the first has it.
void add_down_biases(Pass& pass, const RankShape& shape) {
  if (shape.model.moe.has_biases) add_memory_of_trainer(pass, 2 * expert_input_bytes(shape), 1);
}
void add_bias_gradients(Pass& pass, const RankShape& shape) {
  if (!shape.model.moe.has_biases || shape.is_frozen) return;
  add_memory_of_trainer(pass, 2 * expert_width_bytes(shape) + expert_input_bytes(shape),
                        3 * kGroupSumLaunches);
}

// The router's bias comes with its product; its gradient is two kernels over rows.
constexpr int64_t kRouterBiasGradientLaunches = 2;
void add_router_bias_gradient(Pass& pass, const RankShape& shape) {
  if (!shape.model.moe.has_biases || shape.is_frozen) return;
  add_memory_of_trainer(pass, probability_bytes(shape), kRouterBiasGradientLaunches);
}

void add_experts_backward(Pass& pass, const RankShape& shape) {
  const ExpertWork experts = expert_linears(shape);
  add_bias_gradients(pass, shape);
  if (experts.down.reads_input_in_backward()) {
    add_memory_again(pass, 3 * expert_width_bytes(shape));  // the activation
  }
  add_backward(pass, experts.down);
  add_expert_activation(pass, 5 * expert_width_bytes(shape));
  add_backward(pass, experts.gate);
  add_backward(pass, experts.up);
}

}  // namespace

// With a gate, backward reads the shared expert's output; without, it ends as a dense MLP.
void add_moe_read_in_backward(Pass& pass, const RankShape& shape) {
  const ExpertWork experts = expert_linears(shape);
  add_forward(pass, router(shape));
  if (shape.model.moe.has_biases) ++pass.num_launches;                      // its bias in fp32
  add_memory(pass, 2 * probability_bytes(shape), routing_launches(shape));  // softmax, top-k
  add_memory(pass, dispatch_bytes(shape) + shape.split_bytes(),
             kPermuteLaunches);  // rows in expert order
  add_dispatch(pass, shape);
  add_forward(pass, experts.gate);
  add_forward(pass, experts.up);
  add_wide_biases(pass, shape);
  add_expert_activation(pass, 3 * expert_width_bytes(shape));
  add_forward(pass, experts.down);
  add_down_biases(pass, shape);
  add_return(pass, shape);
  if (shape.shared_ffn == 0) return;
  add_mlp_read_in_backward(pass, shape, shared_mlp(shape));
  if (!shape.model.moe.shared_gate) return;
  add_mlp_unread(pass, shape, shared_mlp(shape));
  add_forward(pass, shared_gate(shape));
}

void add_moe_unread(Pass& pass, const RankShape& shape) {
  add_memory(pass, dispatch_bytes(shape) + shape.split_bytes(),
             kPermuteLaunches);  // weighted sum of k rows
  if (shape.shared_ffn == 0) return;
  if (!shape.model.moe.shared_gate) add_mlp_unread(pass, shape, shared_mlp(shape));
  add_memory(pass, 3 * shape.split_bytes(), shape.model.moe.shared_gate ? 2 : 1);  // add it
}

void add_moe_backward(Pass& pass, const RankShape& shape) {
  if (shape.shared_ffn > 0) {
    pass.num_launches += shape.model.moe.shared_gate ? 2 : 1;  // its gate's gradient; added to dx
    if (shape.model.moe.shared_gate) add_backward(pass, shared_gate(shape));
    add_mlp_backward(pass, shape, shared_mlp(shape));
  }
  add_memory(pass, 2 * dispatch_bytes(shape) + shape.split_bytes(),
             kPermuteLaunches);  // rows' and weights' gradient
  add_dispatch(pass, shape);
  add_experts_backward(pass, shape);
  add_return(pass, shape);
  add_memory(pass, dispatch_bytes(shape) + shape.split_bytes(),
             kPermuteLaunches);  // sum of k rows
  add_memory(pass, 3 * probability_bytes(shape),
             kRouterGradientLaunches);              // softmax, auxiliary and z loss
  add_memory_again(pass, 2 * shape.split_bytes());  // the normed input
  add_router_bias_gradient(pass, shape);
  add_backward(pass, router(shape));
}

int64_t routed_saved_bytes(const RankShape& shape) {
  return expert_input_bytes(shape) + 2 * expert_width_bytes(shape);
}

int64_t moe_saved_bytes(const RankShape& shape) {
  const int64_t s = shape.split_tokens, z = shape.statistic_bytes;
  const ExpertWork experts = expert_linears(shape);
  int64_t bytes = probability_bytes(shape);
  bytes += num_picks(shape) * (kIndexBytes + z);  // chosen experts, their weights
  bytes += s * z;                                 // log-sum-exp of the router's logits
  bytes += num_picks(shape) * kIndexBytes;        // row order
  bytes += routed_saved_bytes(shape);
  bytes += dispatch_bytes(shape);  // returned rows
  for (const LinearWork* l : {&experts.gate, &experts.up, &experts.down}) {
    bytes += l->adapter_bytes();
  }
  if (shape.shared_ffn == 0) return bytes;
  bytes += mlp_saved_bytes(shape, shared_mlp(shape));
  if (shape.model.moe.shared_gate) {
    bytes += shape.split_bytes() + s * z;  // its output, the gate
  }
  return bytes;
}

DeferredBytes moe_deferred_bytes(const RankShape& shape) {
  const ExpertWork experts = expert_linears(shape);
  DeferredBytes bytes;
  if (shape.shared_ffn > 0) bytes = mlp_deferred_bytes(shape, shared_mlp(shape));
  for (const LinearWork* l : {&experts.gate, &experts.up, &experts.down}) add_deferred(bytes, *l);
  if (experts.gate.reads_input_in_backward() || experts.up.reads_input_in_backward()) {
    bytes.kept += expert_input_bytes(shape);
  }
  if (experts.down.reads_input_in_backward()) bytes.added += expert_width_bytes(shape);
  return bytes;
}

void add_moe_backward_weight(Pass& pass, const RankShape& shape) {
  const ExpertWork experts = expert_linears(shape);
  for (const LinearWork* l : {&experts.down, &experts.gate, &experts.up}) {
    add_backward_weight(pass, *l);
  }
  if (shape.shared_ffn > 0) add_mlp_backward_weight(pass, shared_mlp(shape));
}

// In backward, at most: rows and their gradients on both sides of the exchange, the activation and
// the gradients of gate and up, adapters, the router's gradients; or the shared expert alone.
int64_t moe_workspace_bytes(const RankShape& shape) {
  const ExpertWork experts = expert_linears(shape);
  const int64_t adapters = shape.expert_rows * shape.lora.rank * shape.element_bytes * 2 * 3;
  const int64_t routed = 3 * dispatch_bytes(shape) + 3 * expert_input_bytes(shape) +
                         4 * expert_width_bytes(shape) + 3 * probability_bytes(shape) +
                         4 * shape.split_bytes() + adapters +
                         dequantized_workspace_bytes({experts.gate, experts.up}, experts.down);
  if (shape.shared_ffn == 0) return routed;
  return std::max(routed, mlp_workspace_bytes(shape, shared_mlp(shape)) + 2 * shape.split_bytes());
}

}  // namespace argosy
