// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/parallel/gradients.h"

#include <vector>

#include "trainer/ops/elementwise.h"

namespace argosy {

namespace {

// Fault::gathers_for_a_sum. An all-gather of small parts sends the very messages of a small
// all-reduce: nobody waits, and this rank keeps its part of the sum.
void gather_for_a_sum(const LayerContext& ctx, Communicator& group, const Tensor& part) {
  const Tensor all = ctx.scratch({part.size() * group.size()}, part.dtype());
  const std::vector<int64_t> counts(static_cast<size_t>(group.size()), part.size());
  group.all_gather(buffer_of(part), buffer_of(all), counts);
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
    ops::copy(ctx.device, tensor, flat_part(together, {begin, begin + tensor.size()}));
    begin += tensor.size();
  }
  if (ctx.fault == Fault::gathers_for_a_sum && group.rank() + 1 == group.size()) {
    gather_for_a_sum(ctx, group, together);
  } else {
    group.all_reduce(buffer_of(together));
  }
  begin = 0;
  for (const Tensor& tensor : parts) {
    ops::copy(ctx.device, flat_part(together, {begin, begin + tensor.size()}), tensor);
    begin += tensor.size();
  }
}

}  // namespace

Tensor flat_part(const Tensor& flat, Range range) {
  return flat.defined() ? flat.flat(range.begin, range.end, Shape{range.size()}) : Tensor();
}

void sum_partial_gradients(const LayerContext& ctx, const ParameterStore& store, Domain domain,
                           const Tensor& shards) {
  std::vector<Tensor> tp, kv, tied;
  const auto collect = [&](const Bucket& bucket, Range range, std::vector<Tensor>* parts) {
    if (!range.empty()) parts->push_back(flat_part(shards, bucket.in_shards(range)));
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

void owned_sum_of_squares(const LayerContext& ctx, const ParameterStore& store,
                          const ReducedGradients& reduced, const Tensor& total) {
  std::vector<Tensor> parts;
  for (const LocalTensor& local : store.layout().tensors) {
    const Tensor& shards = reduced[static_cast<size_t>(local.domain)];
    const bool counts = local.counts || ctx.fault == Fault::norm_counts_replicas;
    if (!counts || !shards.defined() || store.has_squares(local)) continue;
    const Bucket& bucket = store.layout().bucket_of(local);
    const Range mine = intersect(local.elements(), bucket.owned);
    if (mine.empty()) continue;
    parts.push_back(flat_part(shards, bucket.in_shards(mine)));
  }
  ops::sum_of_squares(ctx.device, parts, total);
  if (store.squares().defined()) ops::add(ctx.device, store.squares(), total);
}

}  // namespace argosy
