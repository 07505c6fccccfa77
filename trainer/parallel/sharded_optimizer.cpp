// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/parallel/sharded_optimizer.h"

#include <optional>

#include "trainer/ops/elementwise.h"

namespace argosy {

namespace {

constexpr std::array<Domain, 2> kTrainable = {Domain::dense, Domain::expert};

struct Segment {
  Range range;  // of the domain's flat buffer
  bool decay = false;
};

// The bucket's shard; neighbouring tensors with the same decay become one call. Local tensors are
// in the order of their offsets per domain.
std::vector<Segment> segments_of(const ParameterStore& store, Domain domain, const Bucket& bucket) {
  std::vector<Segment> segments;
  for (const LocalTensor& local : store.layout().tensors) {
    if (local.domain != domain) continue;
    const Range range = intersect(local.elements(), bucket.shard);
    if (range.empty()) continue;
    const bool decay = store.spec_of(local).decay;
    if (!segments.empty() && segments.back().decay == decay) {
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
  if (ctx.plan.offload == Offload::optimizer) {
    host_ =
        std::make_unique<HostMemory>(ctx.device, ctx.compute(), dtype, settings.host_load_elements);
  }
  DeviceContext& place = place_of(ctx);
  numbers_ = ops::make_update_numbers(place);
  for (const Domain domain : kTrainable) {
    const DomainLayout& layout = store.layout()[domain];
    if (layout.num_elements == 0) continue;
    DomainState& state = states_[static_cast<size_t>(domain)];
    const Shape shape = {layout.num_shard_elements};
    if (has_master_weights(ctx.plan.precision)) {
      state.master_rest = place.zeros(shape, DType::int16, MemoryCategory::optimizer);
    }
    if (kind_ == OptimizerKind::adamw) {
      state.exp_avg = place.zeros(shape, dtype, MemoryCategory::optimizer);
      state.exp_avg_sq = place.zeros(shape, dtype, MemoryCategory::optimizer);
    }
  }
}

void ShardedOptimizer::reset_master(const LayerContext& ctx) {
  for (const DomainState& state : states_) {
    if (state.master_rest.defined()) ops::fill_zero(place_of(ctx), state.master_rest);
  }
}

void ShardedOptimizer::begin_step(int64_t step, double lr) const {
  ops::set_update_numbers(
      {.lr = lr, .beta1 = settings_.beta1, .beta2 = settings_.beta2, .step = step}, numbers_);
}

void ShardedOptimizer::update(const LayerContext& ctx, const ParameterStore& store,
                              const ReducedGradients& reduced, const Tensor& grad_scale,
                              Overlap overlap) {
  const Work work = work_of(ctx, store, reduced);
  std::optional<HostUpdate> on_host;
  if (host_) on_host.emplace(*host_, work.parts, grad_scale);
  size_t num_updated = 0;
  const auto update_until = [&](size_t num_parts) {
    const Parts parts = Parts(work.parts).subspan(num_updated, num_parts - num_updated);
    num_updated = num_parts;
    if (!on_host) return update_parts(ctx.device, parts, grad_scale);
    on_host->advance(num_parts, [&](Parts here, const Tensor& scale) {
      update_parts(host_->context(), here, scale);
    });
  };
  std::vector<Request> gathers;
  for (const Gather& due : work.gathers) {
    update_until(due.num_parts);
    if (ctx.fault == Fault::parameters_stale) continue;
    const Tensor& values = store.values(due.domain);
    Communicator& group = ctx.groups[shard_axis(ctx.plan.mesh, due.domain)];
    Request gather = group.start_all_gather(buffer_of(flat_part(values, due.bucket->shard)),
                                            buffer_of(flat_part(values, due.bucket->range)),
                                            split_sizes(due.bucket->range.size(), group.size()));
    if (overlap == Overlap::off) gather.wait();
    gathers.push_back(std::move(gather));
    for (Request& request : gathers) request.test();
  }
  update_until(work.parts.size());
  for (Request& gather : gathers) gather.wait();
}

ShardedOptimizer::Work ShardedOptimizer::work_of(const LayerContext& ctx,
                                                 const ParameterStore& store,
                                                 const ReducedGradients& reduced) const {
  Work work;
  for (const Domain domain : kTrainable) {
    if (!store.values(domain).defined()) continue;
    const bool gathers_values = ctx.plan.zero_stage > 0 &&
                                ctx.groups[shard_axis(ctx.plan.mesh, domain)].size() > 1 &&
                                !store.keeps_value_shards(domain);
    for (const Bucket& bucket : store.layout()[domain].buckets) {
      add_parts(store, domain, bucket, reduced[static_cast<size_t>(domain)], &work.parts);
      if (gathers_values) work.gathers.push_back({work.parts.size(), domain, &bucket});
    }
  }
  return work;
}

void ShardedOptimizer::add_parts(const ParameterStore& store, Domain domain, const Bucket& bucket,
                                 const Tensor& grads, std::vector<ops::UpdatePart>* parts) const {
  const DomainState& state = states_[static_cast<size_t>(domain)];
  for (const Segment& segment : segments_of(store, domain, bucket)) {
    const Range in_shards = bucket.in_shards(segment.range);
    parts->push_back({.grads = flat_part(grads, in_shards),
                      .params = store.shard_values(domain, bucket, segment.range),
                      .rest = flat_part(state.master_rest, in_shards),
                      .exp_avg = flat_part(state.exp_avg, in_shards),
                      .exp_avg_sq = flat_part(state.exp_avg_sq, in_shards),
                      .weight_decay = segment.decay ? settings_.weight_decay : 0.0});
  }
}

void ShardedOptimizer::update_parts(DeviceContext& place, Parts parts,
                                    const Tensor& grad_scale) const {
  if (kind_ == OptimizerKind::sgd) {
    ops::sgd_update(place, numbers_, parts, grad_scale);
    return;
  }
  ops::adamw_update(place,
                    {.beta1 = settings_.beta1, .beta2 = settings_.beta2, .eps = settings_.eps},
                    numbers_, parts, grad_scale);
}

std::vector<ShardedOptimizer::StateTensor> ShardedOptimizer::state() const {
  std::vector<StateTensor> tensors;
  for (const Domain domain : kTrainable) {
    const DomainState& state = states_[static_cast<size_t>(domain)];
    if (state.master_rest.defined()) tensors.push_back({"master", domain, state.master_rest});
    if (state.exp_avg.defined()) tensors.push_back({"exp_avg", domain, state.exp_avg});
    if (state.exp_avg_sq.defined()) tensors.push_back({"exp_avg_sq", domain, state.exp_avg_sq});
  }
  return tensors;
}

}  // namespace argosy
