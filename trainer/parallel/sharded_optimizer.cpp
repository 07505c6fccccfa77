// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/parallel/sharded_optimizer.h"

#include "trainer/ops/elementwise.h"
#include "trainer/ops/update.h"

namespace argosy {

namespace {

constexpr std::array<Domain, 2> kTrainable = {Domain::dense, Domain::expert};

Tensor part(const Tensor& flat, Range range) {
  return flat.defined() ? flat.flat(range.begin, range.end, Shape{range.size()}) : Tensor();
}

Range shifted(Range range, int64_t by) {
  return {range.begin - by, range.end - by};
}

struct Segment {
  Range range;
  bool decay = false;
};

// Neighbouring tensors with the same decay become one call. Local tensors are in the order of their
// offsets per domain.
std::vector<Segment> segments_of(const ParameterStore& store, Domain domain, Range within) {
  std::vector<Segment> segments;
  for (const LocalTensor& local : store.layout().tensors) {
    if (local.domain != domain) continue;
    const Range range = intersect({local.offset, local.offset + local.box.size()}, within);
    if (range.empty()) continue;
    const bool decay = store.spec_of(local).decay;
    if (!segments.empty() && segments.back().decay == decay &&
        segments.back().range.end == range.begin) {
      segments.back().range.end = range.end;
    } else {
      segments.push_back({range, decay});
    }
  }
  return segments;
}

}  // namespace

ShardedOptimizer::ShardedOptimizer(const LayerContext& ctx, const ParameterStore& store,
                                   const OptimizerSettings& settings)
    : kind_(ctx.plan.optimizer), settings_(settings) {
  const DType dtype = gradient_dtype(ctx.plan.precision);
  for (const Domain domain : kTrainable) {
    const DomainLayout& layout = store.layout()[domain];
    if (layout.num_elements == 0) continue;
    DomainState& state = states_[static_cast<size_t>(domain)];
    state.range = ctx.plan.zero_stage == 0 ? Range{0, layout.num_elements} : layout.owned;
    const Shape shape = {state.range.size()};
    if (has_master_weights(ctx.plan.precision)) {
      state.master = ctx.device.zeros(shape, dtype, MemoryCategory::optimizer);
    }
    if (kind_ == OptimizerKind::adamw) {
      state.exp_avg = ctx.device.zeros(shape, dtype, MemoryCategory::optimizer);
      state.exp_avg_sq = ctx.device.zeros(shape, dtype, MemoryCategory::optimizer);
    }
  }
}

void ShardedOptimizer::reset_master(const LayerContext& ctx, const ParameterStore& store) {
  for (const Domain domain : kTrainable) {
    const DomainState& state = states_[static_cast<size_t>(domain)];
    if (state.master.defined())
      ops::copy(ctx.device, part(store.values(domain), state.range), state.master);
  }
}

void ShardedOptimizer::update(const LayerContext& ctx, const ParameterStore& store,
                              const ReducedGradients& reduced, int64_t step, double lr,
                              double grad_scale) {
  for (const Domain domain : kTrainable) {
    const DomainState& state = states_[static_cast<size_t>(domain)];
    const Tensor& values = store.values(domain);
    if (!values.defined()) continue;
    const ReducedGradient& gradient = reduced[static_cast<size_t>(domain)];
    for (const Segment& segment : segments_of(store, domain, state.range)) {
      update_segment(ctx, state, part(values, segment.range),
                     part(gradient.values, shifted(segment.range, gradient.range.begin)),
                     segment.range, segment.decay, step, lr, grad_scale);
    }
    Communicator& group = ctx.groups[reduction_axis(domain)];
    if (ctx.plan.zero_stage == 1 && group.size() > 1) {
      group.all_gather(buffer_of(part(values, state.range)), buffer_of(values),
                       split_sizes(values.size(), group.size()));
    }
  }
}

void ShardedOptimizer::update_segment(const LayerContext& ctx, const DomainState& state,
                                      const Tensor& values, const Tensor& grads, Range segment,
                                      bool decay, int64_t step, double lr,
                                      double grad_scale) const {
  const Range local = shifted(segment, state.range.begin);
  const double weight_decay = decay ? settings_.weight_decay : 0.0;
  if (kind_ == OptimizerKind::sgd) {
    ops::sgd_update(ctx.device, {.lr = lr, .weight_decay = weight_decay, .grad_scale = grad_scale},
                    grads, values, part(state.master, local));
    return;
  }
  ops::adamw_update(ctx.device,
                    {.lr = lr,
                     .beta1 = settings_.beta1,
                     .beta2 = settings_.beta2,
                     .eps = settings_.eps,
                     .weight_decay = weight_decay,
                     .grad_scale = grad_scale,
                     .step = step},
                    grads, values, part(state.master, local), part(state.exp_avg, local),
                    part(state.exp_avg_sq, local));
}

std::vector<ShardedOptimizer::StateTensor> ShardedOptimizer::state() const {
  std::vector<StateTensor> tensors;
  for (const Domain domain : kTrainable) {
    const DomainState& state = states_[static_cast<size_t>(domain)];
    if (state.master.defined()) tensors.push_back({"master", domain, state.range, state.master});
    if (state.exp_avg.defined()) tensors.push_back({"exp_avg", domain, state.range, state.exp_avg});
    if (state.exp_avg_sq.defined())
      tensors.push_back({"exp_avg_sq", domain, state.range, state.exp_avg_sq});
  }
  return tensors;
}

}  // namespace argosy
