// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/questions/answers.h"

#include <algorithm>
#include <numeric>

#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr double kCalibrationError = 0.1;

// Plans and their regrets by the latter; equal ones keep their order.
void order_by_regret(std::vector<Plan>& plans, std::vector<double>& regrets) {
  std::vector<size_t> order(plans.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return regrets[a] < regrets[b]; });
  std::vector<Plan> sorted_plans;
  std::vector<double> sorted_regrets;
  for (const size_t i : order) {
    sorted_plans.push_back(std::move(plans[i]));
    sorted_regrets.push_back(regrets[i]);
  }
  plans = std::move(sorted_plans);
  regrets = std::move(sorted_regrets);
}

void require_tokens(bool asked, const Job& job, const char* option) {
  if (asked && job.tokens <= 0) {
    throw ConfigError(concat(option, ": the length of the run is unknown; valid: with --tokens"));
  }
}

}  // namespace

double needed_mfu(const Job& job, const SearchResult& result, double days, Precision precision) {
  const double peak = job.cluster.accelerator.peak_flops_per_s(precision);
  if (result.plans.empty() || !(peak > 0)) return 0;
  const Prediction& p = result.plans.front().predicted;
  return p.mfu * p.days / days * p.peak_flops_per_device / peak;
}

Answers answer(const Questions& questions, const Job& job, const Fixed& fixed,
               SearchResult& result) {
  require_tokens(questions.pareto, job, "--pareto");
  require_tokens(questions.deadline_days > 0, job, "--deadline");
  Answers answers;
  const int threads = questions.num_threads;
  if (!result.plans.empty() && questions.robust) {
    answers.regrets = worst_regrets(job, result.plans, kCalibrationError);
    order_by_regret(result.plans, answers.regrets);
  }
  if (!result.plans.empty() && questions.explain) {
    const Plan& best = result.plans.front();
    answers.step = step_parts(job, best);
    answers.changes = change_effects(job, best);
    answers.rivals = rivals(job, fixed, best, threads);
  }
  if (result.plans.empty() && questions.explain) answers.remedies = remedies(job, fixed, threads);
  if (!result.plans.empty() && questions.sensitivity) {
    answers.sensitivity = sensitivities(job, fixed, result.plans.front(), threads);
  }
  if (!questions.what_if.empty()) {
    Job changed = job;
    changed.cluster = with_changes(job.cluster, questions.what_if);
    const int64_t top = std::max<int64_t>(1, static_cast<int64_t>(result.plans.size()));
    answers.what_if = search(changed, fixed, top, threads, Rows::distinct);
  }
  const bool has_plot = questions.report && job.tokens > 0 && !result.plans.empty();
  if (questions.pareto || has_plot) answers.pareto = pareto_points(job, fixed, threads);
  answers.phases = plan_phases(job, fixed, questions.phases, threads);
  if (questions.deadline_days > 0) {
    answers.in_time = smallest_in_time(job, fixed, questions.deadline_days, threads);
  }
  return answers;
}

}  // namespace argosy
