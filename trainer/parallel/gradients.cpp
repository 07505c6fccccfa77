// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/parallel/gradients.h"

#include "trainer/ops/elementwise.h"

namespace argosy {

namespace {

Tensor part(const Tensor& flat, int64_t begin, int64_t end) {
  return flat.flat(begin, end, Shape{end - begin});
}

// Parts of gradients that tensor-parallel ranks computed separately.
void sum_over_tensor_parallel(const LayerContext& ctx, const ParameterStore& store, Domain domain) {
  const auto d = static_cast<size_t>(domain);
  const int64_t tp_summed = store.layout().num_tp_summed[d],
                kv_summed = store.layout().num_kv_summed[d];
  Communicator& group = ctx.groups[tensor_axis(domain)];
  if (tp_summed > 0 && group.size() > 1) {
    group.all_reduce(buffer_of(part(store.grads(domain), 0, tp_summed)));
  }
  if (kv_summed > 0) {
    ctx.groups[Axis::kv_replica].all_reduce(
        buffer_of(part(store.grads(domain), tp_summed, tp_summed + kv_summed)));
  }
}

// A tied table lives on the first and the last stage; both need the gradient of both uses.
void sum_tied_embedding(const LayerContext& ctx, const ParameterStore& store) {
  if (!has_tied_copy(ctx.plan) || ctx.groups[Axis::embedding].size() == 1) return;
  const Parameter* table = store.find(-1, TensorRole::embedding);
  if (table != nullptr && table->grad.defined())
    ctx.groups[Axis::embedding].all_reduce(buffer_of(table->grad));
}

ReducedGradient reduce_over_data(const LayerContext& ctx, const ParameterStore& store,
                                 Domain domain) {
  const Tensor& grads = store.grads(domain);
  const int64_t size = store.layout()[domain].num_elements;
  Communicator& group = ctx.groups[reduction_axis(domain)];
  if (group.size() == 1) return {grads, {0, size}};
  if (ctx.plan.zero_stage == 0) {
    group.all_reduce(buffer_of(grads));
    return {grads, {0, size}};
  }
  const Range owned = store.layout()[domain].owned;
  const Tensor shard = ctx.scratch({owned.size()}, grads.dtype());
  group.reduce_scatter(buffer_of(grads), buffer_of(shard), split_sizes(size, group.size()));
  return {shard, owned};
}

}  // namespace

ReducedGradients reduce_gradients(const LayerContext& ctx, const ParameterStore& store) {
  for (const Domain domain : {Domain::dense, Domain::expert}) {
    if (store.grads(domain).defined()) sum_over_tensor_parallel(ctx, store, domain);
  }
  sum_tied_embedding(ctx, store);
  ReducedGradients reduced;
  for (const Domain domain : {Domain::dense, Domain::expert}) {
    if (!store.grads(domain).defined()) continue;
    reduced[static_cast<size_t>(domain)] = reduce_over_data(ctx, store, domain);
  }
  return reduced;
}

double owned_sum_of_squares(const LayerContext& ctx, const ParameterStore& store,
                            const ReducedGradients& reduced) {
  double total = 0;
  for (const LocalTensor& local : store.layout().tensors) {
    const ReducedGradient& gradient = reduced[static_cast<size_t>(local.domain)];
    if (!local.counts || !gradient.values.defined()) continue;
    const Range elements = {local.offset, local.offset + local.box.size()};
    const Range mine =
        intersect(elements, intersect(gradient.range, store.layout()[local.domain].owned));
    if (mine.empty()) continue;
    total += ops::sum_of_squares(
        ctx.device,
        part(gradient.values, mine.begin - gradient.range.begin, mine.end - gradient.range.begin));
  }
  return total;
}

}  // namespace argosy
