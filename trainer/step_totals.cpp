// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/step_totals.h"

#include <algorithm>
#include <cmath>

#include "trainer/device/host_copy.h"
#include "trainer/microbatches.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/update.h"
#include "trainer/trainer.h"

namespace argosy {

StepTotalsLayout Trainer::layout_of_totals() const {
  return {num_moe_rows(plan_.model), plan_.model.moe.num_experts, plan_.model.num_mtp_modules};
}

// Gradients, too, are sums over the targets.
double Trainer::targets_of_mean(double num_targets) const {
  if (context_.fault == Fault::loss_per_rank)
    num_targets = static_cast<double>(count_targets(microbatches_));
  return std::max(num_targets, 1.0);
}

// fp64 (1): what the optimizer multiplies gradients by. Computed where they are.
Tensor Trainer::gradient_scale(const Tensor& sums) {
  Tensor num_targets = StepTotals::part(sums, StepTotals::at_targets);
  if (context_.fault == Fault::loss_per_rank) {
    num_targets = context_.scratch({1}, DType::fp64);
    const double of_rank = targets_of_mean(0);
    copy_to_device(std::span<const double>(&of_rank, 1), num_targets);
  }
  Tensor scale = context_.scratch({1}, DType::fp64);
  ops::gradient_scale(device_,
                      {.num_targets = num_targets,
                       .loss_sum = StepTotals::part(sums, StepTotals::at_loss),
                       .sum_of_squares = StepTotals::part(sums, StepTotals::at_squares)},
                      settings_.clip, scale);
  return scale;
}

void Trainer::fill_objective(const StepTotals& totals, double num_targets,
                             StepResult* result) const {
  result->num_targets = static_cast<int64_t>(totals.num_targets);
  result->loss = totals.loss_sum / num_targets;
  result->aux_loss = plan_.model.moe.aux_loss_coef * totals.aux_sum / num_targets;
  for (size_t i = 0; i < totals.mtp_sums.size(); ++i)
    result->mtp_losses.push_back(totals.mtp_sums[i] / std::max(all_targets_[i + 1], 1.0));
  result->z_loss = plan_.model.moe.z_loss_coef * totals.z_sum / num_targets;
  result->grad_norm = std::sqrt(totals.sum_of_squares) / num_targets;
  result->router = router_metrics(totals.choices, totals.dropped, plan_.model.moe.num_experts);
}

// Their weights are in gradients, and so known before the passes.
void Trainer::weigh_modules() {
  if (plan_.model.num_mtp_modules == 0) return;
  const Coordinates& at = groups_.coordinates();
  all_targets_ = count_all_targets(plan_, microbatches_);
  if (at.tp > 0 || at.pp > 0) std::fill(all_targets_.begin(), all_targets_.end(), 0.0);
  const auto count = static_cast<int64_t>(all_targets_.size());
  groups_.control().all_reduce({all_targets_.data(), count, DType::fp64});
  weigh_tokens_ahead(all_targets_, settings_.mtp_loss_scaling_factor, &microbatches_);
}

// The host's part of the sums, before the passes: these are the same every step.
void Trainer::upload_sums() {
  const Coordinates& at = groups_.coordinates();
  std::vector<double> sums(static_cast<size_t>(sums_of_host_.size()), 0.0);
  // Ranks of one tp group see the same tokens: one of them counts.
  if (at.tp == 0 && at.pp == 0)
    sums[StepTotals::at_targets] = static_cast<double>(count_targets(microbatches_));
  copy_to_device(std::span<const double>(sums), sums_of_host_);
}

// What the device knows stays there: nobody waits. Router sums are of each rank's own tokens.
Tensor Trainer::reduce_totals(const PipelineResult& result) {
  const Coordinates& at = groups_.coordinates();
  const StepTotalsLayout layout = layout_of_totals();
  const std::vector<int64_t> stages = stages_of_pipeline_rank(plan_, at.pp);
  const auto first_row = [&](size_t i) {
    return moe_row(plan_.model, layers_of_stage(plan_, stages[i]).begin);
  };
  Tensor on_device = context_.scratch({layout.size()}, DType::fp64);
  ops::copy(device_, sums_of_host_, on_device);
  for (size_t i = 0; i < stages.size(); ++i) {
    const std::vector<double>& dropped = result.routers[i].dropped;
    if (dropped.empty()) continue;
    const int64_t begin = layout.dropped_begin(first_row(i));
    const auto size = static_cast<int64_t>(dropped.size());
    copy_to_device(std::span<const double>(dropped), on_device.flat(begin, begin + size, {size}));
  }
  if (at.tp == 0) {
    const int64_t begin = layout.mtp_begin(), modules = layout.num_modules;
    ops::copy(device_, result.loss_sums.rows(0, 1),
              StepTotals::part(on_device, StepTotals::at_loss));
    if (modules > 0) {
      ops::copy(device_, result.loss_sums.rows(1, 1 + modules),
                on_device.flat(begin, begin + modules, {modules}));
    }
  }
  owned_sum_of_squares(context_, parameters_, reduced_,
                       StepTotals::part(on_device, StepTotals::at_squares));
  for (size_t i = 0; i < stages.size(); ++i) {
    const Tensor& routers = result.routers[i].on_device;
    if (!routers.defined()) continue;
    const int64_t begin = layout.row_begin(first_row(i));
    ops::copy(device_, routers, on_device.flat(begin, begin + routers.size(), routers.shape()));
  }
  groups_.control().all_reduce(buffer_of(on_device));
  return on_device;
}

StepTotals Trainer::read_totals(const Tensor& on_device) const {
  const StepTotalsLayout layout = layout_of_totals();
  const std::vector<double> sums = copy_to_host<double>(on_device);
  StepTotals totals{.num_targets = sums[StepTotals::at_targets],
                    .loss_sum = sums[StepTotals::at_loss],
                    .sum_of_squares = sums[StepTotals::at_squares]};
  for (int64_t layer = 0; layer < layout.moe_layers; ++layer) {
    const auto row = sums.begin() + layout.row_begin(layer);
    const auto experts_end = row + layout.num_experts;
    totals.choices.insert(totals.choices.end(), row, experts_end);
    totals.aux_sum += experts_end[0];
    totals.z_sum += experts_end[1];
  }
  const auto modules = sums.begin() + layout.mtp_begin();
  totals.dropped.assign(sums.begin() + layout.dropped_begin(0), modules);
  totals.mtp_sums.assign(modules, sums.end());
  return totals;
}

}  // namespace argosy
