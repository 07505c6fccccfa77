// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Seconds of a measured step. Sources count FLOPs in their own ways; their notes name them.
#include <algorithm>
#include <regex>

#include "planner/cost/totals.h"
#include "planner/score/run_setup.h"
#include "planner/spec/clock.h"
#include "planner/spec/work.h"

namespace argosy {

namespace {

constexpr double kTera = 1e12;

// Narayanan et al. (arXiv:2104.04473, equation 3): four passes, all pairs of tokens.
double narayanan_flops(const Plan& plan) {
  const double h = static_cast<double>(plan.model.hidden_size);
  const double s = static_cast<double>(plan.seq_len),
               l = static_cast<double>(plan.model.num_layers);
  const double v = static_cast<double>(plan.model.vocab_size);
  return 96 * static_cast<double>(plan.global_batch) * s * l * h * h *
         (1 + s / (6 * h) + v / (16 * l * h));
}

// FLOPs of a step as the source of the row counts them.
double counted_flops(const PublishedRun& run, const Plan& plan) {
  if (run.notes_have("96Bslh^2")) return narayanan_flops(plan);
  const bool halves = run.notes_have("causal attention halved") ||
                      run.notes_have("causal halved") || run.notes_have("causal attention counted");
  const double model_flops = model_flops_per_step(plan, !halves);
  const bool is_hardware = run.notes_have("(hardware)") || run.notes_have("incl. recompute");
  return is_hardware ? model_flops * 4 / 3 : model_flops;
}

// Tokens that the measured days stand for: "days = 300B tokens", "1T tokens in 9.5 days".
double tokens_of_days(const PublishedRun& run) {
  if (run.notes_have("per 1T tokens") || run.notes_have("per trillion tokens")) return 1e12;
  std::smatch match;
  if (!std::regex_search(run.notes, match, std::regex("([0-9.]+) ?([BT]) tokens"))) return 0;
  return std::stod(match[1]) * (match[2] == "T" ? 1e12 : 1e9);
}

}  // namespace

double measured_step_s(const PublishedRun& run, const Plan& plan) {
  const double devices = static_cast<double>(*run.num_gpus);
  const double tokens = static_cast<double>(plan.tokens_per_step());
  if (run.meas_iter_s) return *run.meas_iter_s;
  if (run.meas_tokens_per_s_per_gpu) return tokens / (*run.meas_tokens_per_s_per_gpu * devices);
  if (run.meas_tflops_per_gpu) {
    return counted_flops(run, plan) / (*run.meas_tflops_per_gpu * kTera * devices);
  }
  if (run.meas_mfu && plan.predicted.peak_flops_per_device > 0) {
    return counted_flops(run, plan) /
           (*run.meas_mfu * plan.predicted.peak_flops_per_device * devices);
  }
  if (run.meas_days)
    return *run.meas_days * kSecondsPerDay * tokens / std::max(1.0, tokens_of_days(run));
  return 0;
}

}  // namespace argosy
