// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/parallel/data_parallel.h"

#include <utility>

#include "trainer/ops/elementwise.h"

namespace argosy {

namespace {

constexpr std::array<Domain, 2> kTrainable = {Domain::dense, Domain::expert};

Axis data_axis(const LayerContext& ctx, Domain domain) {
  const Axis axis = reduction_axis(domain);
  return ctx.fault == Fault::data_reduction_wrong_group && axis == Axis::dp_cp ? Axis::edp : axis;
}

// How often gradients are summed over the data (without shards).
int num_data_sums(const LayerContext& ctx) {
  if (ctx.fault == Fault::data_reduction_left_out) return 0;
  return ctx.fault == Fault::data_reduction_twice ? 2 : 1;
}

}  // namespace

std::vector<DataParallel::BucketId> DataParallel::buckets(int layer, Pick pick) const {
  std::vector<BucketId> ids;
  for (int d = 0; d < kNumDomains; ++d) {
    const auto domain = static_cast<Domain>(d);
    const std::vector<Bucket>& all = store_.layout()[domain].buckets;
    for (size_t i = 0; i < all.size(); ++i) {
      const bool picked = pick == Pick::all || all[i].is_table == (pick == Pick::tables);
      if (all[i].layer == layer && picked) ids.push_back({domain, static_cast<int>(i)});
    }
  }
  return ids;
}

std::vector<DataParallel::BucketId> DataParallel::table_of_head() const {
  const ModelSpec& model = ctx_.plan.model;
  return buckets(model.tied_head ? -1 : static_cast<int>(model.num_layers), Pick::tables);
}

std::vector<DataParallel::BucketId> DataParallel::values_of_forward(int layer) const {
  std::vector<BucketId> ids = buckets(layer, Pick::all);
  const int head = static_cast<int>(ctx_.plan.model.num_layers);
  if (layer < head || (layer == head && !ctx_.plan.model.tied_head)) return ids;
  const std::vector<BucketId> table = table_of_head();
  ids.insert(ids.end(), table.begin(), table.end());
  return ids;
}

std::vector<DataParallel::BucketId> DataParallel::values_of_backward(int layer) const {
  return layer < 0 ? std::vector<BucketId>() : buckets(layer, Pick::others);
}

std::vector<DataParallel::BucketId> DataParallel::gradients_of_forward(int layer) const {
  if (layer < ctx_.plan.model.num_layers) return {};
  std::vector<BucketId> ids = table_of_head();
  std::erase_if(ids, [](BucketId id) { return !is_trainable(id.domain); });
  return ids;
}

std::vector<DataParallel::BucketId> DataParallel::gradients_of_backward(int layer) const {
  std::vector<BucketId> ids = buckets(layer, layer < 0 ? Pick::all : Pick::others);
  std::erase_if(ids, [](BucketId id) { return !is_trainable(id.domain); });
  return ids;
}

// --- values (ZeRO 3)

void DataParallel::start_gather(BucketId id) {
  if (!store_.keeps_value_shards(id.domain) || gathers_.contains(id)) return;
  gathers_[id] = start_value_gather(ctx_, store_, id.domain, id.index, MemoryCategory::buffers);
}

void DataParallel::gather(const std::vector<BucketId>& now, const std::vector<BucketId>& next) {
  for (const BucketId id : now) start_gather(id);
  for (const BucketId id : now) {
    const auto it = gathers_.find(id);
    if (it == gathers_.end()) continue;
    it->second.request.wait();
    store_.bind_values(id.domain, id.index, it->second.values);
  }
  if (overlap_ == Overlap::off) return;
  for (const BucketId id : next) start_gather(id);
}

void DataParallel::release(const std::vector<BucketId>& ids) {
  if (ctx_.fault == Fault::gathered_values_kept) return;
  for (const BucketId id : ids) {
    if (gathers_.erase(id) > 0) store_.bind_values(id.domain, id.index, Tensor());
  }
}

// --- gradients

// Buckets whose shards are kept. Memory is freed here and nowhere else, so that it does not depend
// on when messages arrive: the layer before may still be on its way, those before it are done.
void DataParallel::lend_gradients(const std::vector<BucketId>& ids) {
  bool is_first = true;
  for (const BucketId id : ids) {
    if (!store_.keeps_gradient_shards(id.domain)) continue;
    if (std::exchange(is_first, false)) retire_scatters(1);
    const Tensor gradient = ctx_.device.zeros(
        {bucket(id).range.size()}, gradient_dtype(ctx_.plan.precision), MemoryCategory::gradients);
    store_.bind_grads(id.domain, id.index, gradient);
    lent_[id] = gradient;
  }
}

void DataParallel::add_to_shards(const std::vector<BucketId>& ids) {
  std::vector<Scatter> scatters;
  for (const BucketId id : ids) {
    const auto it = lent_.find(id);
    if (it == lent_.end()) continue;
    store_.bind_grads(id.domain, id.index, Tensor());
    Scatter scatter;
    scatter.id = id;
    scatter.gradient = std::move(it->second);
    lent_.erase(it);
    scatter.shard = ctx_.scratch({bucket(id).shard.size()}, scatter.gradient.dtype());
    scatter.request = start_scatter(id, scatter.gradient, scatter.shard);
    if (overlap_ == Overlap::off) scatter.request.wait();
    scatters.push_back(std::move(scatter));
  }
  if (!scatters.empty()) scatters_.push_back(std::move(scatters));
}

// Oldest first: sums do not depend on when messages arrive.
void DataParallel::retire_scatters(size_t num_kept) {
  while (scatters_.size() > num_kept) {
    for (Scatter& scatter : scatters_.front()) {
      scatter.request.wait();
      const Bucket& of = bucket(scatter.id);
      const Tensor sum = flat_part(store_.grads(scatter.id.domain), of.in_shards(of.shard));
      if (ctx_.fault == Fault::shard_sum_overwritten) {
        ops::copy(ctx_.device, scatter.shard, sum);
      } else {
        ops::add(ctx_.device, scatter.shard, sum);
      }
    }
    scatters_.pop_front();
  }
}

// Buckets that are reduced once a step.
void DataParallel::count_contributions(const std::vector<BucketId>& ids) {
  for (const BucketId id : ids) {
    if (store_.keeps_gradient_shards(id.domain) || group(id).size() == 1) continue;
    const int64_t expected = ctx_.plan.num_microbatches() *
                             gradient_uses(ctx_.plan, ctx_.groups.coordinates().pp, bucket(id));
    if (++contributions_[id] == expected && overlap_ == Overlap::on) start_reduction(id);
  }
}

void DataParallel::start_reduction(BucketId id) {
  const Tensor gradient = flat_part(store_.grads(id.domain), bucket(id).range);
  if (id.domain == Domain::expert && ctx_.fault == Fault::expert_gradient_averaged)
    ops::scale(ctx_.device, 1.0 / group(id).size(), gradient);
  if (ctx_.plan.zero_stage == 0) {
    Communicator& summed_over = ctx_.groups[data_axis(ctx_, id.domain)];
    for (int i = 0; i < num_data_sums(ctx_); ++i) {
      if (i > 0) reductions_.back().wait();
      reductions_.push_back(summed_over.start_all_reduce(buffer_of(gradient), ReduceOp::sum));
    }
    return;
  }
  const Tensor& shards = shards_[static_cast<size_t>(id.domain)];
  const Tensor shard = flat_part(shards, bucket(id).in_shards(bucket(id).shard));
  reductions_.push_back(start_scatter(id, gradient, shard));
}

Request DataParallel::start_scatter(BucketId id, const Tensor& gradient,
                                    const Tensor& shard) const {
  if (ctx_.fault == Fault::data_reduction_left_out) {
    const int64_t begin = bucket(id).shard.begin - bucket(id).range.begin;
    ops::copy(ctx_.device, flat_part(gradient, {begin, begin + shard.size()}), shard);
    return {};
  }
  return group(id).start_reduce_scatter(buffer_of(gradient), buffer_of(shard), shard_sizes(id));
}

// --- a step

void DataParallel::begin_step() {
  store_.begin_grads();
  contributions_.clear();
  for (const Domain domain : kTrainable) {
    const Tensor& grads = store_.grads(domain);
    Tensor& shards = shards_[static_cast<size_t>(domain)];
    shards = grads;
    const bool is_reduced_into_shards = ctx_.plan.zero_stage == 1 && grads.defined() &&
                                        ctx_.groups[shard_axis(ctx_.plan.mesh, domain)].size() > 1;
    if (is_reduced_into_shards)
      shards = ctx_.scratch({store_.layout()[domain].num_shard_elements}, grads.dtype());
  }
}

ReducedGradients DataParallel::finish_step() {
  retire_scatters(0);
  store_.finish_grads();
  for (const auto& [id, count] : contributions_) {
    if (overlap_ == Overlap::on) continue;
    start_reduction(id);
    for (Request& request : reductions_) request.wait();
  }
  for (Request& request : reductions_) request.wait();
  reductions_.clear();
  for (const Domain domain : kTrainable) {
    const Tensor& shards = shards_[static_cast<size_t>(domain)];
    if (!shards.defined()) continue;
    Communicator& holders = ctx_.groups[replica_axis(domain)];
    if (holders.size() > 1 && ctx_.fault != Fault::shard_replicas_not_summed)
      holders.all_reduce(buffer_of(shards));
    sum_partial_gradients(ctx_, store_, domain, shards);
  }
  return std::exchange(shards_, {});
}

void DataParallel::before_forward(int layer, std::optional<int> next, Keep keep) {
  gather(values_of_forward(layer), next ? values_of_forward(*next) : std::vector<BucketId>());
  if (keep == Keep::for_backward) lend_gradients(gradients_of_forward(layer));
  progress();
}

void DataParallel::after_forward(int layer, Keep keep) {
  release(values_of_forward(layer));
  if (keep == Keep::for_backward) {
    add_to_shards(gradients_of_forward(layer));
    count_contributions(gradients_of_forward(layer));
  }
  progress();
}

void DataParallel::before_backward(int layer, std::optional<int> next) {
  gather(values_of_backward(layer), next ? values_of_backward(*next) : std::vector<BucketId>());
  lend_gradients(gradients_of_backward(layer));
  progress();
}

void DataParallel::after_backward(int layer) {
  release(values_of_backward(layer));
  add_to_shards(gradients_of_backward(layer));
  count_contributions(gradients_of_backward(layer));
  progress();
}

// Nothing moves by itself (comm/message/operation.h): one look at any call moves all of them on.
void DataParallel::progress() {
  reductions_.remove_if([](Request& request) { return request.test(); });
  if (!scatters_.empty()) scatters_.back().back().request.test();
  if (!gathers_.empty()) gathers_.rbegin()->second.request.test();
}

}  // namespace argosy
