// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/parallel/gradients.h"

#include <vector>

#include "trainer/ops/elementwise.h"

namespace argosy {

namespace {

Tensor part(const Tensor& flat, Range range) {
  return flat.flat(range.begin, range.end, Shape{range.size()});
}

Axis data_axis(const LayerContext& ctx, Domain domain) {
  const Axis axis = reduction_axis(domain);
  return ctx.fault == Fault::data_reduction_wrong_group && axis == Axis::dp_cp ? Axis::edp : axis;
}

// How often gradients are summed over the data.
int num_data_sums(const LayerContext& ctx) {
  if (ctx.fault == Fault::data_reduction_left_out) return 0;
  return ctx.fault == Fault::data_reduction_twice ? 2 : 1;
}

Tensor reduce_over_data(const LayerContext& ctx, const ParameterStore& store, Domain domain) {
  const Tensor& grads = store.grads(domain);
  const DomainLayout& layout = store.layout()[domain];
  Communicator& group = ctx.groups[data_axis(ctx, domain)];
  if (group.size() == 1) return grads;
  if (domain == Domain::expert && ctx.fault == Fault::expert_gradient_averaged)
    ops::scale(ctx.device, 1.0 / group.size(), grads);
  if (ctx.plan.zero_stage == 0) {
    for (int i = 0; i < num_data_sums(ctx); ++i) {
      for (const Bucket& bucket : layout.buckets)
        group.all_reduce(buffer_of(part(grads, bucket.range)));
    }
    return grads;
  }
  const Tensor shards = ctx.scratch({layout.num_shard_elements}, grads.dtype());
  for (const Bucket& bucket : layout.buckets) {
    group.reduce_scatter(buffer_of(part(grads, bucket.range)),
                         buffer_of(part(shards, bucket.in_shards(bucket.shard))),
                         split_sizes(bucket.range.size(), group.size()));
  }
  return shards;
}

// Sums several parts in one call: there is one a bucket, and most are small.
void all_reduce_together(const LayerContext& ctx, Communicator& group,
                         const std::vector<Tensor>& parts) {
  if (parts.empty() || group.size() == 1) return;
  int64_t size = 0;
  for (const Tensor& tensor : parts) size += tensor.size();
  const Tensor together = ctx.scratch({size}, parts.front().dtype());
  int64_t begin = 0;
  for (const Tensor& tensor : parts) {
    ops::copy(ctx.device, tensor, part(together, {begin, begin + tensor.size()}));
    begin += tensor.size();
  }
  group.all_reduce(buffer_of(together));
  begin = 0;
  for (const Tensor& tensor : parts) {
    ops::copy(ctx.device, part(together, {begin, begin + tensor.size()}), tensor);
    begin += tensor.size();
  }
}

// Over the ranks that saw part of the tokens, heads or outputs of a tensor, or the other use of a
// tied table. These sums are linear, so they come after the one over the data: there are fewer
// bytes left then.
void sum_partial_gradients(const LayerContext& ctx, const ParameterStore& store, Domain domain,
                           const Tensor& shards) {
  std::vector<Tensor> tp, kv, tied;
  const auto collect = [&](const Bucket& bucket, Range range, std::vector<Tensor>* parts) {
    if (!range.empty()) parts->push_back(part(shards, bucket.in_shards(range)));
  };
  for (const Bucket& bucket : store.layout()[domain].buckets) {
    collect(bucket, tp_summed(bucket), &tp);
    collect(bucket, kv_summed(bucket), &kv);
    if (is_tied_table(ctx.plan, bucket)) collect(bucket, bucket.shard, &tied);
  }
  if (ctx.fault != Fault::tensor_gradient_not_summed)
    all_reduce_together(ctx, ctx.groups[tensor_axis(domain)], tp);
  if (ctx.fault != Fault::kv_copies_not_summed)
    all_reduce_together(ctx, ctx.groups[Axis::kv_replica], kv);
  if (ctx.fault != Fault::tied_embedding_not_summed)
    all_reduce_together(ctx, ctx.groups[Axis::embedding], tied);
}

}  // namespace

ReducedGradients reduce_gradients(const LayerContext& ctx, const ParameterStore& store) {
  ReducedGradients reduced;
  for (const Domain domain : {Domain::dense, Domain::expert}) {
    if (!store.grads(domain).defined()) continue;
    Tensor& shards = reduced[static_cast<size_t>(domain)];
    shards = reduce_over_data(ctx, store, domain);
    sum_partial_gradients(ctx, store, domain, shards);
  }
  return reduced;
}

double owned_sum_of_squares(const LayerContext& ctx, const ParameterStore& store,
                            const ReducedGradients& reduced) {
  double total = 0;
  for (const LocalTensor& local : store.layout().tensors) {
    const Tensor& shards = reduced[static_cast<size_t>(local.domain)];
    const bool counts = local.counts || ctx.fault == Fault::norm_counts_replicas;
    if (!counts || !shards.defined()) continue;
    const Bucket& bucket = store.layout().bucket_of(local);
    const Range mine = intersect(local.elements(), bucket.owned);
    if (mine.empty()) continue;
    total += ops::sum_of_squares(ctx.device, part(shards, bucket.in_shards(mine)));
  }
  return total;
}

}  // namespace argosy
