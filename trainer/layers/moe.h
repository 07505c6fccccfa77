// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A Mixture-of-Experts layer on already normed tokens: router, dispatch, experts, combination,
// shared expert. Dropless (every choice is computed) unless the plan has a capacity. Each rank
// routes its own s tokens; experts are split over ep.
#pragma once

#include <optional>
#include <vector>

#include "trainer/layers/context.h"
#include "trainer/layers/expert_exchange.h"
#include "trainer/layers/expert_linear.h"
#include "trainer/layers/mlp.h"
#include "trainer/ops/router.h"

namespace argosy {

struct MoeState {
  Tensor probs;    // (s, E)
  Tensor experts;  // (s, k) int32
  Tensor weights;  // (s, k)
  Tensor sums;     // (s) log-sum-exp of the logits; of sigmoid scores, their sum
  Tensor order;    // (s*k) int32, dropped choices last
  ExchangePlan exchange;
  // (B, E) choices of each sequence for the auxiliary loss, over the whole sequence; in buffers
  Tensor sequence_counts;
  Tensor expert_input;                   // (R, H)
  Tensor gate, up;                       // (R, Fe)
  Tensor gate_lora, up_lora, down_lora;  // (R, r)
  Tensor returned;                       // (rows kept: s*k in dropless layers, H)
  MlpState shared;
  Tensor shared_out;   // (s, H), with a shared gate alone
  Tensor shared_gate;  // (s, 1) logits of the shared gate
};

// Sums over micro-batches of one step, on this rank's tokens; the trainer reduces and reports them.
struct RouterTotals {
  // (MoE layers of this stage, E + 2) fp64: what the layers add up on the device
  // (ops/router_totals.h). Undefined in a stage without MoE layers.
  Tensor on_device;
  std::vector<double> dropped;  // [MoE layer of this stage] choices beyond the capacity
};

class Moe {
 public:
  Moe(const LayerContext& ctx, const ParameterStore& store, int layer, int moe_index);

  // input (s, H) -> (s, H) in buffers. totals may be null.
  Tensor forward(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& input,
                 MoeState* state, Keep keep, RouterTotals* totals) const;
  // What backward() reads of a forward pass with Keep::for_backward: the state, no output.
  void restore(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& input,
               MoeState* state) const;
  // dy (s, H), input (s, H) -> gradient of the input (s, H), scratch.
  Tensor backward(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& dy,
                  const Tensor& input, const MoeState& state) const;

 private:
  // From the router to the rows that come back from the experts.
  void run_routed(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& input,
                  MoeState* state, MemoryCategory kept, RouterTotals* totals) const;
  void route(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& input,
             MoeState* state, MemoryCategory kept, RouterTotals* totals) const;
  // (E) in the dtype of logits, or undefined.
  Tensor router_bias(const LayerContext& ctx) const;
  void count_choices(const LayerContext& ctx, const Microbatch& microbatch, MoeState* state,
                     RouterTotals* totals) const;
  Tensor run_experts(const LayerContext& ctx, MoeState* state, MemoryCategory kept) const;
  // (R, Fe), scratch, from gate and up of the state.
  Tensor activate(const LayerContext& ctx, const MoeState& state) const;
  Tensor run_experts_backward(const LayerContext& ctx, const Tensor& dout,
                              const MoeState& state) const;
  // Its output and gate, which the state keeps.
  void run_gated_shared(const LayerContext& ctx, const Tensor& input, MoeState* state,
                        Keep keep) const;
  void add_shared(const LayerContext& ctx, const Tensor& input, MoeState* state, Keep keep,
                  const Tensor& y) const;
  void add_shared_backward(const LayerContext& ctx, const Tensor& dy, const Tensor& input,
                           const MoeState& state, const Tensor& dx) const;
  // dx = the router's share of the input's gradient.
  void write_router_backward(const LayerContext& ctx, const Microbatch& microbatch,
                             const Tensor& dweights, const Tensor& input, const MoeState& state,
                             const Tensor& dx) const;
  int64_t first_row(const LayerContext& ctx,
                    const Tensor& input) const;  // of this rank among the micro-batch's tokens

  Tensor state_row(const LayerContext& ctx, Tensor RouterState::*table) const;  // (E), or undefined

  MoeSpec spec_;
  ops::RouterRule rule_;
  int moe_index_;
  int64_t state_row_;  // of this layer in RouterState
  const Parameter* router_;
  const Parameter* router_bias_;   // (E), null without
  ExpertLinear gate_, up_, down_;  // of this rank's experts
  std::optional<Mlp> shared_;
  const Parameter* shared_gate_ = nullptr;  // (1, H)
};

}  // namespace argosy
