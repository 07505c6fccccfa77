// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/expert_exchange.h"

#include <numeric>

#include "trainer/ops/permute.h"

namespace argosy {

namespace {

// [expert][source]: where the rows of each source for each local expert begin among the received
// ones, which come source by source.
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

std::vector<int64_t> times(const std::vector<int64_t>& rows, int64_t width) {
  std::vector<int64_t> elements = rows;
  for (int64_t& count : elements) count *= width;
  return elements;
}

}  // namespace

int64_t ExchangePlan::received() const {
  return std::accumulate(recv_rows.begin(), recv_rows.end(), int64_t{0});
}

ExchangePlan plan_exchange(const LayerContext& ctx, const std::vector<int64_t>& rows_of_expert) {
  const int64_t ranks = ctx.plan.mesh.ep;
  const int64_t experts = static_cast<int64_t>(rows_of_expert.size()) / ranks;  // of one rank
  ExchangePlan plan;
  if (ranks == 1) {
    plan.rows_of_expert = rows_of_expert;
    plan.send_rows = plan.recv_rows = {
        std::accumulate(rows_of_expert.begin(), rows_of_expert.end(), int64_t{0})};
    return plan;
  }

  const std::vector<int32_t> sent(rows_of_expert.begin(), rows_of_expert.end());
  std::vector<int32_t> received(sent.size());  // [source][local expert]
  const std::vector<int64_t> counts(static_cast<size_t>(ranks), experts);
  {
    const UnrecordedScope control(ctx.groups);
    ctx.groups[Axis::ep].all_to_all(
        {sent.data(), static_cast<int64_t>(sent.size()), DType::int32}, counts,
        {received.data(), static_cast<int64_t>(received.size()), DType::int32}, counts);
  }

  plan.rows_of_expert.assign(static_cast<size_t>(experts), 0);
  for (int64_t rank = 0; rank < ranks; ++rank) {
    int64_t to = 0, from = 0;
    for (int64_t e = 0; e < experts; ++e) {
      const auto i = static_cast<size_t>(rank * experts + e);
      to += sent[i];
      from += received[i];
      plan.rows_of_expert[static_cast<size_t>(e)] += received[i];
    }
    plan.send_rows.push_back(to);
    plan.recv_rows.push_back(from);
  }
  plan.expert_order = order_by_expert(received, ranks, experts, plan.received());
  return plan;
}

Tensor send_to_experts(const LayerContext& ctx, const ExchangePlan& plan, const Tensor& rows,
                       MemoryCategory category) {
  if (ctx.plan.mesh.ep == 1) {
    ctx.device.recategorize(rows, category);
    return rows;
  }
  const int64_t width = rows.dim(1);
  const Tensor received = ctx.scratch({plan.received(), width}, rows.dtype());
  ctx.groups[Axis::ep].all_to_all(buffer_of(rows), times(plan.send_rows, width),
                                  buffer_of(received), times(plan.recv_rows, width));
  Tensor sorted = ctx.device.empty(received.shape(), rows.dtype(), category);
  ops::permute_rows(ctx.device, received, plan.expert_order, sorted);
  return sorted;
}

Tensor return_from_experts(const LayerContext& ctx, const ExchangePlan& plan, const Tensor& rows,
                           MemoryCategory category) {
  if (ctx.plan.mesh.ep == 1) {
    ctx.device.recategorize(rows, category);
    return rows;
  }
  const int64_t width = rows.dim(1);
  const Tensor by_source = ctx.scratch(rows.shape(), rows.dtype());
  ops::unpermute_rows(ctx.device, rows, plan.expert_order, by_source);
  const int64_t sent = std::accumulate(plan.send_rows.begin(), plan.send_rows.end(), int64_t{0});
  Tensor returned = ctx.device.empty({sent, width}, rows.dtype(), category);
  ctx.groups[Axis::ep].all_to_all(buffer_of(by_source), times(plan.recv_rows, width),
                                  buffer_of(returned), times(plan.send_rows, width));
  return returned;
}

}  // namespace argosy
