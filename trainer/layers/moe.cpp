// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/moe.h"

#include <numeric>
#include <utility>

#include "trainer/layers/expert_capacity.h"
#include "trainer/ops/activation.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/matmul.h"
#include "trainer/ops/permute.h"
#include "trainer/ops/router.h"
#include "trainer/ops/router_totals.h"

namespace argosy {

namespace {

// Global numbers of this rank's experts, in the order of their rows.
std::vector<int64_t> local_experts(const LayerContext& ctx) {
  const int64_t local = ctx.plan.model.moe.num_experts / ctx.plan.mesh.ep;
  std::vector<int64_t> experts(static_cast<size_t>(local));
  std::iota(experts.begin(), experts.end(), ctx.groups.coordinates().ep * local);
  if (ctx.fault == Fault::experts_swapped) std::swap(experts.front(), experts.back());
  return experts;
}

ops::ClampedSwiglu clamps_of(const MoeSpec& spec) {
  return {.limit = spec.swiglu_limit, .alpha = spec.swiglu_alpha};
}

int64_t sum(const std::vector<int64_t>& values) {
  return std::accumulate(values.begin(), values.end(), int64_t{0});
}

}  // namespace

Moe::Moe(const LayerContext& ctx, const ParameterStore& store, int layer, int moe_index)
    : spec_(ctx.plan.model.moe),
      rule_(ops::router_rule(spec_)),
      moe_index_(moe_index),
      state_row_(moe_row(ctx.plan.model, layer)),
      router_(&store.at(layer, TensorRole::router)),
      router_bias_(store.find(layer, TensorRole::router_bias)),
      gate_(ctx, store, layer, TensorRole::expert_gate, TensorRole::expert_gate_bias,
            local_experts(ctx)),
      up_(ctx, store, layer, TensorRole::expert_up, TensorRole::expert_up_bias, local_experts(ctx)),
      down_(ctx, store, layer, TensorRole::expert_down, TensorRole::expert_down_bias,
            local_experts(ctx)) {
  if (spec_.shared_ffn_size > 0) shared_.emplace(ctx, store, layer, kSharedExpert);
  if (spec_.shared_gate) shared_gate_ = &store.at(layer, TensorRole::shared_expert_gate);
}

int64_t Moe::first_row(const LayerContext& ctx, const Tensor& input) const {
  return ctx.sequence_parallel() ? ctx.groups.coordinates().tp * input.dim(0) : 0;
}

Tensor Moe::state_row(const LayerContext& ctx, Tensor RouterState::*table) const {
  if (ctx.router == nullptr || !(ctx.router->*table).defined()) return Tensor();
  return (ctx.router->*table).rows(state_row_, state_row_ + 1).view({spec_.num_experts});
}

// --- forward
// -------------------------------------------------------------------------------------------------------------

Tensor Moe::forward(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& input,
                    MoeState* state, Keep keep, RouterTotals* totals) const {
  run_routed(ctx, microbatch, input, state, category_of(keep), totals);
  Tensor y = ctx.device.empty(input.shape(), ctx.compute(), MemoryCategory::buffers);
  ops::combine_rows(ctx.device, state->returned, state->order, state->weights, y);
  if (shared_) add_shared(ctx, input, state, keep, y);
  return y;
}

void Moe::restore(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& input,
                  MoeState* state) const {
  run_routed(ctx, microbatch, input, state, category_of(Keep::for_backward), nullptr);
  if (shared_gate_ != nullptr) {
    run_gated_shared(ctx, input, state, Keep::for_backward);
  } else if (shared_) {
    shared_->restore(ctx, input, &state->shared);
  }
}

void Moe::run_routed(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& input,
                     MoeState* state, MemoryCategory kept, RouterTotals* totals) const {
  route(ctx, microbatch, input, state, kept, totals);

  const int64_t slots = input.dim(0) * spec_.top_k;
  state->order = ctx.device.empty({slots}, DType::int32, kept);
  const Tensor routed = route_within_capacity(ctx, microbatch, state->experts);
  const std::vector<int64_t> rows_of_expert =
      ops::sort_by_expert(ctx.device, routed, spec_.num_experts, state->order);
  const int64_t kept_rows = sum(rows_of_expert);
  if (totals != nullptr) {
    totals->dropped[static_cast<size_t>(moe_index_)] += static_cast<double>(slots - kept_rows);
  }
  state->exchange = plan_exchange(ctx, rows_of_expert);
  {
    const Tensor rows =
        ctx.device.empty({kept_rows, ctx.hidden()}, ctx.compute(), category_of_rows(ctx, kept));
    ops::dispatch_rows(ctx.device, input, state->order, spec_.top_k, rows);
    state->expert_input = send_to_experts(ctx, state->exchange, rows, kept);
  }
  state->returned = return_from_experts(ctx, state->exchange, run_experts(ctx, state, kept), kept);
}

Tensor Moe::router_bias(const LayerContext& ctx) const {
  if (router_bias_ == nullptr) return Tensor();
  const Tensor& value = router_bias_->value;
  if (value.dtype() == ctx.statistic()) return value;
  Tensor bias = ctx.scratch(value.shape(), ctx.statistic());
  ops::copy(ctx.device, value, bias);
  return bias;
}

void Moe::route(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& input,
                MoeState* state, MemoryCategory kept, RouterTotals* totals) const {
  const int64_t s = input.dim(0), experts = spec_.num_experts, k = spec_.top_k;
  const Tensor logits = ctx.scratch({s, experts}, ctx.statistic());
  ops::matmul_nt(ctx.device, input, router_->value, logits, {.bias = router_bias(ctx)});
  state->probs = ctx.device.empty({s, experts}, ctx.statistic(), kept);
  state->experts = ctx.device.empty({s, k}, DType::int32, kept);
  state->weights = ctx.device.empty({s, k}, ctx.statistic(), kept);
  state->sums = ctx.device.empty({s}, ctx.statistic(), kept);
  ops::router_forward(ctx.device, rule_, logits, state_row(ctx, &RouterState::bias), state->probs,
                      state->experts, state->weights, state->sums);
  count_choices(ctx, microbatch, state, totals);
}

void Moe::count_choices(const LayerContext& ctx, const Microbatch& microbatch, MoeState* state,
                        RouterTotals* totals) const {
  const int64_t sequences = microbatch.batch, experts = spec_.num_experts;
  state->sequence_counts =
      ctx.device.empty({sequences, experts}, ctx.statistic(), MemoryCategory::buffers);
  const Tensor prob_sums = ctx.scratch({sequences, experts}, ctx.statistic());
  const bool is_softmax = rule_.scoring == ScoringFunction::softmax;
  ops::router_statistics(ctx.device, state->probs, is_softmax ? Tensor() : state->sums,
                         state->experts, first_row(ctx, state->probs), microbatch.local_len,
                         state->sequence_counts, prob_sums);
  Tensor reported;  // (E + 2)
  if (totals != nullptr) {
    reported = totals->on_device.rows(moe_index_, moe_index_ + 1).view({experts + 2});
    ops::add_choices(ctx.device, state->sequence_counts, reported);
  }
  const Tensor shares = state_row(ctx, &RouterState::shares);
  if (shares.defined()) {
    const double choices = static_cast<double>(microbatch.seq_len * spec_.top_k);
    ops::spread_shares(ctx.device, shares, choices, state->sequence_counts);
  } else {  // f is a property of the whole sequence
    const UnrecordedScope control(ctx.groups);
    const Buffer counts = buffer_of(state->sequence_counts);
    const bool sums = ctx.fault != Fault::router_counts_not_summed;
    if (sums && ctx.sequence_parallel()) ctx.groups[Axis::tp].all_reduce(counts);
    if (sums && ctx.plan.mesh.cp > 1) ctx.groups[Axis::cp].all_reduce(counts);
  }
  if (totals != nullptr) {
    ops::add_aux_loss(ctx.device, state->sequence_counts, prob_sums, microbatch.unmasked,
                      spec_.top_k, microbatch.seq_len, reported);
    if (is_softmax) ops::add_z_loss(ctx.device, state->sums, microbatch.mask, reported);
  }
}

Tensor Moe::run_experts(const LayerContext& ctx, MoeState* state, MemoryCategory kept) const {
  const std::vector<int64_t>& rows = state->exchange.rows_of_expert;
  const ProductOperand x = state->expert_input;  // (R, H)
  const Shape wide = {x.values().dim(0), up_.out_features()};
  state->gate = ctx.device.empty(wide, ctx.compute(), kept);
  state->up = ctx.device.empty(wide, ctx.compute(), kept);
  gate_.forward(ctx, rows, x, state->gate, &state->gate_lora, kept);
  up_.forward(ctx, rows, x, state->up, &state->up_lora, kept);
  const Tensor activated = activate(ctx, *state);
  Tensor out =
      ctx.device.empty(state->expert_input.shape(), ctx.compute(), category_of_rows(ctx, kept));
  down_.forward(ctx, rows, activated, out, &state->down_lora, kept);
  return out;
}

Tensor Moe::activate(const LayerContext& ctx, const MoeState& state) const {
  Tensor activated = ctx.scratch(state.up.shape());
  if (spec_.swiglu_limit > 0) {
    ops::clamped_swiglu_forward(ctx.device, clamps_of(spec_), state.gate, state.up, activated);
  } else {
    ops::swiglu_forward(ctx.device, state.gate, state.up, activated);
  }
  return activated;
}

void Moe::run_gated_shared(const LayerContext& ctx, const Tensor& input, MoeState* state,
                           Keep keep) const {
  state->shared_out = shared_->forward(ctx, input, &state->shared, keep, category_of(keep));
  state->shared_gate = ctx.device.empty({input.dim(0), 1}, ctx.statistic(), category_of(keep));
  ops::matmul_nt(ctx.device, input, shared_gate_->value, state->shared_gate);
}

void Moe::add_shared(const LayerContext& ctx, const Tensor& input, MoeState* state, Keep keep,
                     const Tensor& y) const {
  if (shared_gate_ == nullptr) {
    ops::add(ctx.device,
             shared_->forward(ctx, input, &state->shared, keep, MemoryCategory::workspace), y);
    return;
  }
  run_gated_shared(ctx, input, state, keep);
  const Tensor gated = ctx.scratch(input.shape());
  ops::sigmoid_gate_forward(ctx.device, state->shared_out, state->shared_gate.view({input.dim(0)}),
                            gated);
  ops::add(ctx.device, gated, y);
}

// --- backward
// ------------------------------------------------------------------------------------------------------------

Tensor Moe::backward(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& dy,
                     const Tensor& input, const MoeState& state) const {
  Tensor dx = ctx.scratch(input.shape());
  {
    const Tensor dweights = ctx.scratch(state.weights.shape(), ctx.statistic());
    const Tensor dreturned = ctx.scratch(state.returned.shape());
    ops::combine_rows_backward(ctx.device, dy, state.returned, state.order, state.weights,
                               dreturned, dweights);
    // Before the experts': its product writes dx, which else had to be cleared first.
    write_router_backward(ctx, microbatch, dweights, input, state, dx);
    const Tensor dout = send_to_experts(ctx, state.exchange, dreturned, MemoryCategory::workspace);
    const Tensor drows = return_from_experts(
        ctx, state.exchange, run_experts_backward(ctx, dout, state), MemoryCategory::workspace);
    ops::dispatch_rows_backward(ctx.device, drows, state.order, spec_.top_k, dx);
  }
  if (shared_) add_shared_backward(ctx, dy, input, state, dx);
  return dx;
}

Tensor Moe::run_experts_backward(const LayerContext& ctx, const Tensor& dout,
                                 const MoeState& state) const {
  const std::vector<int64_t>& rows = state.exchange.rows_of_expert;
  // Where gradients of down do not read it, its memory alone.
  const Tensor activated =
      down_.needs_input() ? activate(ctx, state) : ctx.scratch(state.up.shape());
  const Tensor dup = ctx.scratch(state.up.shape());
  down_.backward(ctx, rows, dout, activated, state.down_lora, dup, false);
  // The memory of `activated` is free now, unless the gradients of down are still to read it.
  const bool is_kept = ctx.deferred != nullptr && down_.needs_input();
  const Tensor dgate = is_kept ? ctx.scratch(state.gate.shape()) : activated;
  if (spec_.swiglu_limit > 0) {
    ops::clamped_swiglu_backward(ctx.device, clamps_of(spec_), dup, state.gate, state.up, dgate,
                                 dup);
  } else {
    ops::swiglu_backward(ctx.device, dup, state.gate, state.up, dgate, dup);
  }
  const ProductOperand x = state.expert_input;
  Tensor dx = ctx.scratch(x.values().shape());  // (R, H)
  up_.backward(ctx, rows, dup, x, state.up_lora, dx, false);
  gate_.backward(ctx, rows, dgate, x, state.gate_lora, dx, true);
  return dx;
}

void Moe::write_router_backward(const LayerContext& ctx, const Microbatch& microbatch,
                                const Tensor& dweights, const Tensor& input, const MoeState& state,
                                const Tensor& dx) const {
  Tensor dprobs;  // of the auxiliary loss
  if (spec_.aux_loss_coef != 0) {
    dprobs = ctx.scratch(state.probs.shape(), ctx.statistic());
    ops::aux_loss_backward(ctx.device, state.sequence_counts, microbatch.unmasked, spec_.top_k,
                           spec_.aux_loss_coef, first_row(ctx, input), microbatch.local_len,
                           microbatch.seq_len, dprobs);
  }
  const Tensor dlogits = ctx.scratch(state.probs.shape(), ctx.statistic());
  ops::router_backward(ctx.device, rule_, dweights, state.probs, state.experts, state.weights,
                       dprobs, state.sums, spec_.z_loss_coef, microbatch.mask, dlogits);
  ops::matmul_nn(ctx.device, dlogits, router_->value, dx);
  if (router_bias_ != nullptr && router_bias_->grad.defined()) {
    ops::bias_backward(ctx.device, dlogits, router_bias_->grad);
  }
  if (router_->grad.defined()) {
    ops::matmul_tn(ctx.device, dlogits, input, router_->grad,
                   {.accumulate = router_->adds_to_grad()});
  }
}

void Moe::add_shared_backward(const LayerContext& ctx, const Tensor& dy, const Tensor& input,
                              const MoeState& state, const Tensor& dx) const {
  if (shared_gate_ == nullptr) {
    ops::add(ctx.device, shared_->backward(ctx, dy, input, state.shared), dx);
    return;
  }
  const Tensor dshared = ctx.scratch(dy.shape());
  const Tensor dgate = ctx.scratch({dy.dim(0), 1}, ctx.statistic());
  ops::sigmoid_gate_backward(ctx.device, dy, state.shared_out, state.shared_gate.view({dy.dim(0)}),
                             dshared, dgate.view({dy.dim(0)}));
  ops::add(ctx.device, shared_->backward(ctx, dshared, input, state.shared), dx);
  ops::matmul_nn(ctx.device, dgate, shared_gate_->value, dx, {.accumulate = true});
  if (shared_gate_->grad.defined()) {
    ops::matmul_tn(ctx.device, dgate, input, shared_gate_->grad,
                   {.accumulate = shared_gate_->adds_to_grad()});
  }
}

}  // namespace argosy
