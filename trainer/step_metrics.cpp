// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/step_metrics.h"

#include <algorithm>
#include <array>

#include "planner/spec/work.h"
#include "trainer/means_over_ranks.h"

namespace argosy {

StepMetrics metrics_of(const Plan& plan, int64_t step, double lr, const StepResult& result) {
  StepMetrics metrics;
  metrics.step = step;
  metrics.loss = result.loss;
  metrics.grad_norm = result.grad_norm;
  metrics.lr = lr;
  metrics.tokens = plan.tokens_per_step();
  metrics.trained_tokens = result.num_targets;
  metrics.mtp_losses = result.mtp_losses;
  if (plan.offload == Offload::optimizer) metrics.host_bytes = result.ledger.host_bytes;
  if (!plan.model.has_moe()) return metrics;
  metrics.aux_loss = result.aux_loss;
  if (plan.model.moe.z_loss_coef > 0) metrics.z_loss = result.z_loss;
  metrics.moe_imbalance = mean(result.router.load_max_over_mean);
  metrics.moe_dropped = mean(result.router.dropped_share);
  metrics.router = result.router;
  return metrics;
}

StepEnd gather_end(Communicator& world, const StepEnd& of_rank, const MemoryUse& memory,
                   StepMetrics* metrics) {
  constexpr size_t kPeak = kNumMemoryCategories;  // behind the categories, then what a StepEnd has
  std::array<double, kPeak + 5> maxima{};
  for (size_t c = 0; c < kPeak; ++c) maxima[c] = static_cast<double>(memory.peak[c]);
  maxima[kPeak] = static_cast<double>(memory.total_peak);
  maxima[kPeak + 1] = of_rank.step_s;
  maxima[kPeak + 2] = of_rank.stop_requested ? 1 : 0;
  maxima[kPeak + 3] = of_rank.is_writing ? 1 : 0;
  maxima[kPeak + 4] = static_cast<double>(metrics->host_bytes.value_or(0));
  maximum_over_ranks(world, maxima);
  for (size_t c = 0; c < kPeak; ++c) metrics->memory_bytes[c] = static_cast<int64_t>(maxima[c]);
  metrics->peak_bytes = static_cast<int64_t>(maxima[kPeak]);
  if (metrics->host_bytes) metrics->host_bytes = static_cast<int64_t>(maxima[kPeak + 4]);
  return {maxima[kPeak + 1], maxima[kPeak + 2] > 0, maxima[kPeak + 3] > 0};
}

void add_rates(const Plan& plan, double step_s, double peak_flops_per_s, StepMetrics* metrics) {
  metrics->step_s = step_s;
  metrics->tokens_per_s = static_cast<double>(metrics->tokens) / step_s;
  const double available = peak_flops_per_s * step_s;
  metrics->mfu = model_flops_per_step(plan) / available;
  metrics->mfu_palm = model_flops_per_step(plan, true) / available;
  metrics->hfu = executed_flops_per_step(plan) / available;
}

void gather_parts(Communicator& world, const StepParts& of_rank, StepMetrics* metrics) {
  StepParts parts = mean_over_ranks(world, of_rank);
  parts.other_s = std::max(0.0, metrics->step_s - total_s(parts));
  metrics->bubble_fraction = parts.bubble_s / metrics->step_s;
  metrics->exposed_comm_s = exposed_comm_s(parts);
  metrics->parts = parts;
}

}  // namespace argosy
