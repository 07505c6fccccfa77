// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/expert_exchange.h"

#include <numeric>

#include "trainer/ops/permute.h"

namespace argosy {

namespace {

// For each expert and source in turn: where the rows of each source for each local expert begin
// among the received ones, which come source by source.
std::vector<int32_t> order_by_expert(const std::vector<int32_t>& counts, int64_t sources,
                                     int64_t experts, int64_t total) {
  std::vector<int32_t> order;
  order.reserve(static_cast<size_t>(total));
  for (int64_t expert = 0; expert < experts; ++expert) {
    int32_t begin = 0;
    for (int64_t source = 0; source < sources; ++source) {
      for (int64_t e = 0; e < experts; ++e) {
        const int32_t rows = counts[static_cast<size_t>(source * experts + e)];
        if (e == expert) {
          for (int32_t i = 0; i < rows; ++i) order.push_back(begin + i);
        }
        begin += rows;
      }
    }
  }
  return order;
}

int64_t sum(const std::vector<int64_t>& values) {
  return std::accumulate(values.begin(), values.end(), int64_t{0});
}

std::vector<int64_t> times(const std::vector<int64_t>& rows, int64_t width) {
  std::vector<int64_t> elements = rows;
  for (int64_t& count : elements) count *= width;
  return elements;
}

bool stays_here(const LayerContext& ctx) {
  return ctx.plan.mesh.ep == 1 && ctx.plan.mesh.etp == 1;
}

// Counts of this rank's rows by expert, [rank of ep][local expert] -> counts of the rows that it
// receives, [source in ep][local expert].
std::vector<int32_t> exchange_counts(const LayerContext& ctx, const std::vector<int32_t>& sent) {
  if (ctx.plan.mesh.ep == 1) return sent;
  const auto ranks = static_cast<size_t>(ctx.plan.mesh.ep);
  const auto size = static_cast<int64_t>(sent.size());
  std::vector<int32_t> received(sent.size());
  const std::vector<int64_t> counts(ranks, size / static_cast<int64_t>(ranks));
  ctx.groups[Axis::ep].all_to_all({sent.data(), size, DType::int32}, counts,
                                  {received.data(), size, DType::int32}, counts);
  return received;
}

// received of every etp rank: [etp][source in ep][local expert].
std::vector<int32_t> gather_counts(const LayerContext& ctx, const std::vector<int32_t>& received) {
  if (ctx.plan.mesh.etp == 1) return received;
  const auto ranks = static_cast<size_t>(ctx.plan.mesh.etp);
  const auto size = static_cast<int64_t>(received.size());
  std::vector<int32_t> gathered(received.size() * ranks);
  ctx.groups[Axis::etp].all_gather(
      {received.data(), size, DType::int32},
      {gathered.data(), size * static_cast<int64_t>(ranks), DType::int32},
      std::vector<int64_t>(ranks, size));
  return gathered;
}

// Sums of `size` neighbours each.
std::vector<int64_t> block_sums(const std::vector<int32_t>& values, int64_t size) {
  std::vector<int64_t> sums(values.size() / static_cast<size_t>(size), 0);
  for (size_t i = 0; i < values.size(); ++i) sums[i / static_cast<size_t>(size)] += values[i];
  return sums;
}

}  // namespace

ExchangePlan plan_exchange(const LayerContext& ctx, const std::vector<int64_t>& rows_of_expert) {
  const int64_t ep = ctx.plan.mesh.ep, etp = ctx.plan.mesh.etp;
  const int64_t experts = static_cast<int64_t>(rows_of_expert.size()) / ep;  // of one rank
  ExchangePlan plan;
  if (stays_here(ctx)) {
    plan.rows_of_expert = rows_of_expert;
    plan.send_rows = plan.recv_rows = plan.gathered_rows = {sum(rows_of_expert)};
    return plan;
  }
  const std::vector<int32_t> sent(rows_of_expert.begin(), rows_of_expert.end());
  std::vector<int32_t> received, gathered;
  {
    const UnrecordedScope control(ctx.groups);
    received = exchange_counts(ctx, sent);
    gathered = gather_counts(ctx, received);
  }
  plan.send_rows = block_sums(sent, experts);
  plan.recv_rows = block_sums(received, experts);
  plan.gathered_rows = block_sums(gathered, ep * experts);
  plan.rows_of_expert.assign(static_cast<size_t>(experts), 0);
  for (size_t i = 0; i < gathered.size(); ++i) {
    plan.rows_of_expert[i % static_cast<size_t>(experts)] += gathered[i];
  }
  plan.expert_order = order_by_expert(gathered, ep * etp, experts, sum(plan.rows_of_expert));
  return plan;
}

MemoryCategory category_of_rows(const LayerContext& ctx, MemoryCategory category) {
  return stays_here(ctx) ? category : MemoryCategory::workspace;
}

Tensor send_to_experts(const LayerContext& ctx, const ExchangePlan& plan, const Tensor& rows,
                       MemoryCategory category) {
  if (stays_here(ctx)) {
    ctx.device.recategorize(rows, category);
    return rows;
  }
  const int64_t width = rows.dim(1);
  Tensor received = rows;
  if (ctx.plan.mesh.ep > 1) {
    received = ctx.scratch({sum(plan.recv_rows), width}, rows.dtype());
    ctx.groups[Axis::ep].all_to_all(buffer_of(rows), times(plan.send_rows, width),
                                    buffer_of(received), times(plan.recv_rows, width));
  }
  Tensor gathered = received;
  if (ctx.plan.mesh.etp > 1) {
    gathered = ctx.scratch({sum(plan.gathered_rows), width}, rows.dtype());
    ctx.groups[Axis::etp].all_gather(buffer_of(received), buffer_of(gathered),
                                     times(plan.gathered_rows, width));
  }
  Tensor sorted = ctx.device.empty(gathered.shape(), rows.dtype(), category);
  ops::permute_rows(ctx.device, gathered, plan.expert_order, sorted);
  return sorted;
}

Tensor return_from_experts(const LayerContext& ctx, const ExchangePlan& plan, const Tensor& rows,
                           MemoryCategory category) {
  if (stays_here(ctx)) {
    ctx.device.recategorize(rows, category);
    return rows;
  }
  const int64_t width = rows.dim(1);
  const Tensor by_source = ctx.scratch(rows.shape(), rows.dtype());
  ops::unpermute_rows(ctx.device, rows, plan.expert_order, by_source);
  Tensor mine = by_source;
  if (ctx.plan.mesh.etp > 1) {
    mine = ctx.scratch({sum(plan.recv_rows), width}, rows.dtype());
    ctx.groups[Axis::etp].reduce_scatter(buffer_of(by_source), buffer_of(mine),
                                         times(plan.gathered_rows, width));
  }
  if (ctx.plan.mesh.ep == 1) {
    ctx.device.recategorize(mine, category);
    return mine;
  }
  Tensor returned = ctx.device.empty({sum(plan.send_rows), width}, rows.dtype(), category);
  ctx.groups[Axis::ep].all_to_all(buffer_of(mine), times(plan.recv_rows, width),
                                  buffer_of(returned), times(plan.send_rows, width));
  return returned;
}

}  // namespace argosy
