// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/context_attention.h"

#include <array>
#include <optional>

#include "trainer/ops/elementwise.h"
#include "trainer/ops/permute.h"

namespace argosy {

namespace {

struct KeyValue {
  Tensor k, v;  // (n, hk*D) of one rank, or their gradients
};

// Two tensors on their way to the next rank of the ring, and those of the previous one to here.
class Hop {
 public:
  // `tag` is the same on all ranks and free for two messages.
  Hop(const LayerContext& ctx, const KeyValue& sent, int tag)
      : sent_(sent),
        received_{ctx.scratch(sent.k.shape(), sent.k.dtype()),
                  ctx.scratch(sent.v.shape(), sent.v.dtype())} {
    Communicator& ring = ctx.groups[Axis::cp];
    const int next = (ring.rank() + 1) % ring.size();
    const int previous = (ring.rank() + ring.size() - 1) % ring.size();
    requests_ = {ring.start_recv(buffer_of(received_.k), previous, tag),
                 ring.start_recv(buffer_of(received_.v), previous, tag + 1),
                 ring.start_send(buffer_of(sent_.k), next, tag),
                 ring.start_send(buffer_of(sent_.v), next, tag + 1)};
  }

  KeyValue wait() {
    for (Request& request : requests_) request.wait();
    return received_;
  }

 private:
  KeyValue sent_, received_;
  std::array<Request, 4> requests_;  // declared last: destroyed, and so completed, first
};

constexpr int kTagsPerStep = 4;  // k, v, dk, dv

// What meets in step `step` of the ring: keys that started `step` ranks before this one.
ops::AttentionShape at_step(const LayerContext& ctx, ops::AttentionShape shape, int step) {
  const Plan& plan = ctx.plan;
  const int64_t cp = plan.mesh.cp, rank = ctx.groups.coordinates().cp;
  shape.queries = local_spans(plan, cp * shape.seq_len, rank);
  const int64_t origin = ctx.fault == Fault::causal_offset_missing ? rank : (rank + cp - step) % cp;
  shape.keys = local_spans(plan, cp * shape.seq_len, origin);
  return shape;
}

// `x` itself if it is in the statistic dtype, else a tensor like it that is: for running sums.
Tensor accumulator_of(const LayerContext& ctx, const Tensor& x) {
  return x.dtype() == ctx.statistic() ? x : ctx.scratch(x.shape(), ctx.statistic());
}

void store(const LayerContext& ctx, const Tensor& accumulator, const Tensor& x) {
  if (accumulator.raw() != x.raw()) ops::copy(ctx.device, accumulator, x);
}

void ring_forward(const LayerContext& ctx, const ops::AttentionShape& shape, const Tensor& q,
                  const Tensor& k, const Tensor& v, const Tensor& out, const Tensor& lse) {
  const int cp = static_cast<int>(ctx.plan.mesh.cp);
  const Tensor sum = accumulator_of(ctx, out);
  KeyValue held{k, v};
  for (int step = 0; step < cp; ++step) {
    std::optional<Hop> hop;
    if (step + 1 < cp) hop.emplace(ctx, held, step * kTagsPerStep);
    ops::attention_forward(ctx.device, at_step(ctx, shape, step), q, held.k, held.v, sum, lse,
                           step == 0 ? ops::Merge::overwrite : ops::Merge::accumulate);
    if (hop) held = hop->wait();
  }
  store(ctx, sum, out);
}

// The part of dk, dv that is due to this rank's queries and the keys of `step`; dq is added to.
KeyValue ring_step_backward(const LayerContext& ctx, const ops::AttentionShape& shape, int step,
                            const Tensor& dout, const Tensor& q, const KeyValue& held,
                            const Tensor& out, const Tensor& lse, const Tensor& dq) {
  const KeyValue gradient{ctx.scratch(held.k.shape(), ctx.statistic()),
                          ctx.scratch(held.v.shape(), ctx.statistic())};
  ops::fill_zero(ctx.device, gradient.k);
  ops::fill_zero(ctx.device, gradient.v);
  ops::attention_backward(ctx.device, at_step(ctx, shape, step), dout, q, held.k, held.v, out, lse,
                          dq, gradient.k, gradient.v, ops::Merge::accumulate);
  return gradient;
}

void add(const LayerContext& ctx, const KeyValue& more, const KeyValue& sum) {
  ops::add(ctx.device, more.k, sum.k);
  ops::add(ctx.device, more.v, sum.v);
}

// Gradients of keys that are at home stay there; the others start with the first rank after home
// and gather what each rank adds.
void ring_backward(const LayerContext& ctx, const ops::AttentionShape& shape, const Tensor& dout,
                   const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                   const Tensor& lse, const Tensor& dq, const Tensor& dk, const Tensor& dv) {
  const int cp = static_cast<int>(ctx.plan.mesh.cp);
  const Tensor dq_sum = accumulator_of(ctx, dq);
  ops::fill_zero(ctx.device, dq_sum);
  KeyValue held{k, v}, home;
  std::optional<Hop> gradients;  // to the next rank
  for (int step = 0; step < cp; ++step) {
    std::optional<Hop> hop;
    if (step + 1 < cp) hop.emplace(ctx, held, step * kTagsPerStep);
    const KeyValue part = ring_step_backward(ctx, shape, step, dout, q, held, out, lse, dq_sum);
    if (gradients) add(ctx, gradients->wait(), part);
    if (step == 0) {
      home = part;
    } else {
      gradients.emplace(ctx, part, step * kTagsPerStep + 2);
    }
    if (hop) held = hop->wait();
  }
  if (gradients) add(ctx, gradients->wait(), home);
  store(ctx, dq_sum, dq);
  ops::copy(ctx.device, home.k, dk);
  ops::copy(ctx.device, home.v, dv);
}

std::vector<int64_t> equal_counts(const LayerContext& ctx, const Tensor& x) {
  const int64_t cp = ctx.plan.mesh.cp;
  return std::vector<int64_t>(static_cast<size_t>(cp), x.size() / cp);
}

Tensor all_to_all(const LayerContext& ctx, const Tensor& x) {
  Tensor y = ctx.scratch(x.shape(), x.dtype());
  const std::vector<int64_t> counts = equal_counts(ctx, x);
  ctx.groups[Axis::cp].all_to_all(buffer_of(x), counts, buffer_of(y), counts);
  return y;
}

}  // namespace

std::vector<ops::AttentionSpan> local_spans(const Plan& plan, int64_t seq_len, int64_t cp_index) {
  const int64_t cp = plan.mesh.cp;
  if (cp == 1 || plan.cp_kind == ContextParallel::ulysses) {
    const int64_t length = seq_len / cp;
    return {{0, cp_index * length, length}};
  }
  const int64_t chunk = seq_len / (2 * cp);
  return {{0, cp_index * chunk, chunk}, {chunk, (2 * cp - 1 - cp_index) * chunk, chunk}};
}

bool exchanges_heads(const LayerContext& ctx) {
  return ctx.plan.mesh.cp > 1 && ctx.plan.cp_kind == ContextParallel::ulysses;
}

Tensor split_heads(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& x,
                   MemoryCategory category) {
  const int64_t cp = ctx.plan.mesh.cp, n = x.dim(0), width = x.dim(1) / cp;
  const Tensor by_rank = ctx.scratch({cp, n, width}, x.dtype());  // dim 0: whose heads
  ops::swap_leading(ctx.device, x.view({n, cp, width}), by_rank);
  const Tensor received = all_to_all(ctx, by_rank);  // dim 0: whose tokens
  const int64_t batch = microbatch.batch, part = microbatch.local_len * width;
  Tensor y = ctx.device.empty({cp * n, width}, x.dtype(), category);
  ops::swap_leading(ctx.device, received.view({cp, batch, part}), y.view({batch, cp, part}));
  return y;
}

Tensor join_heads(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& x,
                  MemoryCategory category) {
  const int64_t cp = ctx.plan.mesh.cp, n = x.dim(0) / cp, width = x.dim(1);
  const int64_t batch = microbatch.batch, part = microbatch.local_len * width;
  const Tensor by_rank = ctx.scratch({cp, batch, part}, x.dtype());  // dim 0: whose tokens
  ops::swap_leading(ctx.device, x.view({batch, cp, part}), by_rank);
  const Tensor received = all_to_all(ctx, by_rank);  // dim 0: whose heads
  Tensor y = ctx.device.empty({n, cp * width}, x.dtype(), category);
  ops::swap_leading(ctx.device, received.view({cp, n, width}), y.view({n, cp, width}));
  return y;
}

void context_attention_forward(const LayerContext& ctx, const ops::AttentionShape& shape,
                               const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                               const Tensor& lse) {
  if (ctx.plan.mesh.cp > 1 && !exchanges_heads(ctx)) {
    return ring_forward(ctx, shape, q, k, v, out, lse);
  }
  ops::attention_forward(ctx.device, shape, q, k, v, out, lse);
}

void context_attention_backward(const LayerContext& ctx, const ops::AttentionShape& shape,
                                const Tensor& dout, const Tensor& q, const Tensor& k,
                                const Tensor& v, const Tensor& out, const Tensor& lse,
                                const Tensor& dq, const Tensor& dk, const Tensor& dv) {
  if (ctx.plan.mesh.cp > 1 && !exchanges_heads(ctx)) {
    return ring_backward(ctx, shape, dout, q, k, v, out, lse, dq, dk, dv);
  }
  ops::attention_backward(ctx.device, shape, dout, q, k, v, out, lse, dq, dk, dv);
}

}  // namespace argosy
