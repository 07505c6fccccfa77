// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// --export: the best of the plans that a format can say.
#include <algorithm>
#include <optional>
#include <utility>

#include "planner/cost/search.h"
#include "planner/exchange/torchtitan_flavors.h"
#include "planner/options.h"
#include "planner/questions/decisions.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr int64_t kTries = 5;  // plans of a search that are looked at

// Empty: the format can say the plan.
std::string refusal_of(const Plan& plan, ExportFormat format) {
  try {
    export_plan(plan, format);
    return "";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

// Every choice with each of `values` for a decision that is still open.
template <typename Value>
void decide(std::optional<Value> Fixed::*member, const std::vector<Value>& values,
            std::vector<Fixed>& choices) {
  std::vector<Fixed> decided;
  for (const Fixed& choice : choices) {
    if (choice.*member) {
      decided.push_back(choice);
      continue;
    }
    for (const Value& value : values) {
      decided.push_back(choice);
      decided.back().*member = value;
    }
  }
  choices = std::move(decided);
}

// What is open, decided in the ways that the format has.
std::vector<Fixed> expressible(const Fixed& fixed, const ModelSpec& model, ExportFormat format) {
  using enum ScheduleKind;
  std::vector<Fixed> choices = {fixed};
  decide(&Fixed::recompute, {Recompute::none, Recompute::selective, Recompute::full}, choices);
  switch (format) {
    case ExportFormat::megatron:
      decide(&Fixed::zero_stage, {0, 1}, choices);
      decide(&Fixed::schedule, {one_f_one_b, interleaved}, choices);
      break;
    case ExportFormat::torchtitan:
      decide(&Fixed::zero_stage, {2, 3}, choices);
      decide(&Fixed::schedule, {one_f_one_b, interleaved}, choices);
      decide(&Fixed::order, {RankOrder::tp_cp_dp_pp}, choices);
      decide(&Fixed::cp_kind, {ContextParallel::ring}, choices);
      if (const TorchtitanFlavor* flavor = find_torchtitan_flavor(model);
          flavor != nullptr && has_no_pipeline(flavor->name)) {
        decide(&Fixed::pp, {int64_t{1}}, choices);
      }
      break;
    case ExportFormat::deepspeed:
      decide(&Fixed::pp, {int64_t{1}}, choices);
      decide(&Fixed::schedule, {one_f_one_b}, choices);
      decide(&Fixed::ep, {int64_t{1}}, choices);
      decide(&Fixed::etp, {int64_t{1}}, choices);
      decide(&Fixed::cp_kind, {ContextParallel::ulysses}, choices);
      decide(&Fixed::sequence_parallel, {false}, choices);
      decide(&Fixed::zero_stage, {1, 2, 3}, choices);
      decide(&Fixed::zero_shard, {int64_t{0}}, choices);
      break;
  }
  return choices;
}

// The best with these decisions that the format can say.
std::optional<Plan> best_of(const Job& job, const Fixed& fixed, ExportFormat format,
                            int num_threads) {
  try {
    for (Plan& plan : search(job, fixed, kTries, num_threads).plans) {
      if (refusal_of(plan, format).empty()) return std::move(plan);
    }
  } catch (const ConfigError&) {  // decisions that do not go together
  }
  return std::nullopt;
}

}  // namespace

std::string choose_exportable(const Request& request, ExportFormat format, int num_threads,
                              std::vector<Plan>& plans) {
  const std::string refusal = refusal_of(plans.front(), format);
  if (refusal.empty()) return "";
  std::optional<Plan> best;
  for (const Fixed& fixed : expressible(request.fixed, request.job.model, format)) {
    const std::optional<Plan> plan = best_of(request.job, fixed, format, num_threads);
    const bool is_better = plan && (!best || plan->predicted.step_s < best->predicted.step_s);
    if (is_better) best = plan;
  }
  if (!best) throw ConfigError(refusal);
  const double slower = best->predicted.step_s / plans.front().predicted.step_s - 1;
  std::string note = concat(refusal, "; exported is the best plan without that, ",
                            format_signed_percent(slower), " time: ", decisions_text(*best));
  plans.insert(plans.begin(), *std::move(best));
  return note;
}

}  // namespace argosy
