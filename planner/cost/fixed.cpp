// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/fixed.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <string>
#include <utility>

#include "planner/cost/offload.h"
#include "planner/spec/check.h"
#include "planner/spec/number_text.h"

namespace argosy {

namespace {

constexpr const char* kValidKeys =
    "tp, pp, dp, cp, cp_kind, ep, etp, zero (or zero_stage), zero_shard, micro_batch, schedule, "
    "virtual_stages, layers, recompute, recompute_layers, sequence_parallel, moe_capacity_factor, "
    "offload, order";

int64_t positive(std::string_view key, std::string_view text) {
  const int64_t value = number_in<int64_t>(text).value_or(0);
  if (value < 1) {
    throw ConfigError(concat("--fix: ", key, "=", text, "; valid: a whole number of at least 1"));
  }
  return value;
}

int zero_stage(std::string_view key, std::string_view text) {
  for (int stage = 0; stage <= 3; ++stage) {
    if (text == std::to_string(stage)) return stage;
  }
  throw ConfigError(concat("--fix: ", key, "=", text, "; valid: 0, 1, 2, 3"));
}

double at_least_zero(std::string_view key, std::string_view text) {
  const double value = number_in<double>(text).value_or(-1);
  if (!(value >= 0 && value < 1e9)) {
    throw ConfigError(concat("--fix: ", key, "=", text, "; valid: a number of at least 0"));
  }
  return value;
}

bool flag(std::string_view key, std::string_view text) {
  if (text == "0" || text == "false") return false;
  if (text == "1" || text == "true") return true;
  throw ConfigError(concat("--fix: ", key, "=", text, "; valid: 0, 1"));
}

// "8+9+9+6"
std::vector<int64_t> counts(std::string_view key, std::string_view text) {
  std::vector<int64_t> values;
  for (std::string_view rest = text; values.empty() || !rest.empty();) {
    const std::string_view item = rest.substr(0, rest.find('+'));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    values.push_back(positive(key, item));
  }
  return values;
}

ScheduleKind schedule(std::string_view key, std::string_view text) {
  if (text == "dualpipe-v") {
    throw ConfigError(concat("--fix: ", key, "=", text,
                             " is not supported yet; zb-v is the V-shaped "
                             "schedule; valid: gpipe, 1f1b, interleaved, zb-h1, zb-v"));
  }
  return schedule_from_string(text, "--fix: schedule");
}

void set(Fixed& fixed, std::string_view key, std::string_view value) {
  if (key == "tp") {
    fixed.tp = positive(key, value);
  } else if (key == "pp") {
    fixed.pp = positive(key, value);
  } else if (key == "dp") {
    fixed.dp = positive(key, value);
  } else if (key == "ep") {
    fixed.ep = positive(key, value);
  } else if (key == "micro_batch") {
    fixed.micro_batch = positive(key, value);
  } else if (key == "etp") {
    fixed.etp = positive(key, value);
  } else if (key == "moe_capacity_factor") {
    fixed.moe_capacity_factor = at_least_zero(key, value);
  } else if (key == "offload") {
    fixed.offload = offload_from_string(value, "--fix: offload");
  } else if (key == "virtual_stages") {
    fixed.virtual_stages = positive(key, value);
  } else if (key == "cp") {
    fixed.cp = positive(key, value);
  } else if (key == "cp_kind") {
    fixed.cp_kind = context_parallel_from_string(value, "--fix: cp_kind");
  } else if (key == "zero" || key == "zero_stage") {
    fixed.zero_stage = zero_stage(key, value);
  } else if (key == "zero_shard") {
    fixed.zero_shard = value == "0" ? 0 : positive(key, value);  // 0: over all ranks
  } else if (key == "schedule") {
    fixed.schedule = schedule(key, value);
  } else if (key == "recompute") {
    fixed.recompute = recompute_from_string(value, "--fix: recompute");
  } else if (key == "order") {
    fixed.order = rank_order_from_string(value, "--fix: order");
  } else if (key == "recompute_layers") {
    fixed.recompute_layers = positive(key, value);
  } else if (key == "layers") {
    fixed.layers = counts(key, value);
  } else if (key == "sequence_parallel") {
    fixed.sequence_parallel = flag(key, value);
  } else {
    throw ConfigError(concat("--fix: unknown key '", key, "'; valid: ", kValidKeys));
  }
}

void check_degrees(const Fixed& fixed, int64_t num_devices) {
  int64_t product = 1, num_fixed = 0;
  std::string names, numbers;
  for (const auto& [name, degree] :
       {std::pair("tp", fixed.tp), {"pp", fixed.pp}, {"dp", fixed.dp}, {"cp", fixed.cp}}) {
    if (!degree) continue;
    // A product beyond the devices is wrong already: do not let it overflow.
    product = product > num_devices ? product : product * std::min(*degree, num_devices + 1);
    names += (num_fixed > 0 ? "*" : "") + std::string(name);
    numbers += (num_fixed > 0 ? "*" : "") + std::to_string(*degree);
    ++num_fixed;
  }
  const bool all_fixed = fixed.tp && fixed.pp && fixed.dp;
  const bool fits = all_fixed ? product == num_devices : num_devices % product == 0;
  if (fits) return;
  throw ConfigError(concat(
      "--fix: ", names, "=", numbers,
      all_fixed ? " is not the number of devices, " : " does not divide the number of devices, ",
      num_devices, "; valid: degrees whose product tp*pp*dp*cp is ", num_devices,
      ", or another --devices"));
}

void check_batch(const Job& job, const Fixed& fixed) {
  const int64_t dp = implied_dp(fixed, job.num_devices()).value_or(1);
  const int64_t unit = dp * fixed.micro_batch.value_or(1);
  if (job.global_batch % unit != 0) {
    throw ConfigError(concat("--fix: dp*micro_batch=", dp, "*", fixed.micro_batch.value_or(1), "=",
                             unit, " does not divide the global batch of ", job.global_batch,
                             " sequences; valid --global-batch: multiples of ", unit));
  }
}

}  // namespace

Fixed parse_fixed(std::string_view text) {
  Fixed fixed;
  std::set<std::string> seen;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const size_t equals = item.find('=');
    if (equals == std::string_view::npos) {
      throw ConfigError(
          concat("--fix: '", item, "'; valid: key=value,... with the keys ", kValidKeys));
    }
    const std::string_view key = item.substr(0, equals), value = item.substr(equals + 1);
    if (!seen.insert(key == "zero" ? "zero_stage" : std::string(key)).second) {
      throw ConfigError(concat("--fix: ", key, " is given twice; valid: each key once"));
    }
    set(fixed, key, value);
  }
  return fixed;
}

std::optional<int64_t> implied_dp(const Fixed& fixed, int64_t num_devices) {
  if (fixed.dp) return fixed.dp;
  if (!fixed.tp || !fixed.pp) return std::nullopt;
  const int64_t others = *fixed.tp * *fixed.pp * fixed.cp.value_or(1);
  if (num_devices % others != 0) return std::nullopt;
  return num_devices / others;
}

int64_t default_global_batch(const Job& job, const Fixed& fixed) {
  const int64_t unit =
      implied_dp(fixed, job.num_devices()).value_or(1) * fixed.micro_batch.value_or(1);
  return default_global_batch(job.model, job.cluster, job.task, job.seq_len, unit);
}

bool needs_pipeline(const Fixed& fixed) {
  const ScheduleKind kind = fixed.schedule.value_or(ScheduleKind::one_f_one_b);
  return fixed.virtual_stages.value_or(1) > 1 ||
         (kind != ScheduleKind::one_f_one_b && kind != ScheduleKind::gpipe);
}

namespace {

void check_pipeline(const Job& job, const Fixed& fixed) {
  if (!needs_pipeline(fixed)) return;
  const int64_t others = fixed.tp.value_or(1) * fixed.dp.value_or(1) * fixed.cp.value_or(1);
  if (fixed.pp.value_or(job.num_devices() / others) != 1) return;
  const std::string given = fixed.schedule ? concat("schedule=", to_string(*fixed.schedule))
                                           : concat("virtual_stages=", *fixed.virtual_stages);
  throw ConfigError(concat("--fix: ", given, " with ", fixed.pp ? "" : "what leaves ",
                           "pp=1, which is no pipeline; valid: pp=2 or more, or schedule=1f1b"));
}

void check_layers(const Job& job, const Fixed& fixed) {
  const int64_t num_layers = job.model.num_layers;
  if (fixed.layers) {
    const int64_t sum = std::accumulate(fixed.layers->begin(), fixed.layers->end(), int64_t{0});
    if (sum != num_layers) {
      throw ConfigError(concat("--fix: layers: the stages have ", sum, " layers in all; valid: ",
                               num_layers, ", those of ", job.model.name));
    }
    const auto num_stages = static_cast<int64_t>(fixed.layers->size());
    const int64_t unit = fixed.pp.value_or(1) * fixed.virtual_stages.value_or(1);
    if (fixed.pp && fixed.virtual_stages ? num_stages != unit : num_stages % unit != 0) {
      throw ConfigError(concat("--fix: layers of ", num_stages,
                               " stages; valid: one number for each of pp*virtual_stages stages"));
    }
  }
  if (!fixed.recompute_layers) return;
  if (fixed.recompute.value_or(Recompute::none) == Recompute::none) {
    throw ConfigError(
        "--fix: recompute_layers says how many, not how; valid: with recompute=selective or "
        "recompute=full");
  }
  if (*fixed.recompute_layers > num_layers) {
    throw ConfigError(concat("--fix: recompute_layers=", *fixed.recompute_layers, " exceeds the ",
                             num_layers, " layers of ", job.model.name, "; valid: 1 to ",
                             num_layers));
  }
}

// What --fix says of the schedule, the rest as suits it.
void choose_schedule(const Fixed& fixed, Candidate& candidate) {
  const bool is_many =
      fixed.schedule == ScheduleKind::interleaved || fixed.schedule == ScheduleKind::zb_v;
  candidate.virtual_stages = fixed.virtual_stages.value_or(is_many ? 2 : 1);
  candidate.schedule = fixed.schedule.value_or(
      candidate.virtual_stages > 1 ? ScheduleKind::interleaved : ScheduleKind::one_f_one_b);
}

}  // namespace

void check_fixed(const Job& job, const Fixed& fixed) {
  check_degrees(fixed, job.num_devices());
  check_batch(job, fixed);
  check_pipeline(job, fixed);
  if (fixed.offload == Offload::optimizer || fixed.tries_offload) require_host(job.cluster);
  check_layers(job, fixed);
  if (fixed.zero_shard.value_or(0) > 0 && fixed.zero_stage == 0) {
    throw ConfigError("--fix: zero_shard with zero=0 shards nothing; valid: zero=1, 2 or 3");
  }
  if (fixed.pp && *fixed.pp > job.model.num_layers) {
    throw ConfigError(concat("--fix: pp=", *fixed.pp, " exceeds the ", job.model.num_layers,
                             " layers of ", job.model.name, "; valid: 1 to ",
                             job.model.num_layers));
  }
  // Everything that divides or not whatever the open values are: validate() words it best.
  Candidate candidate;
  candidate.mesh.tp = fixed.tp.value_or(1);
  candidate.mesh.cp = fixed.cp.value_or(1);
  candidate.cp_kind = fixed.cp_kind.value_or(ContextParallel::ring);
  candidate.mesh.ep = fixed.ep.value_or(1);
  candidate.mesh.etp = fixed.etp.value_or(1);
  candidate.mesh.dp = 1;
  while (candidate.mesh.stage_size() % (candidate.mesh.ep * candidate.mesh.etp) != 0)
    ++candidate.mesh.dp;
  candidate.sequence_parallel =
      candidate.mesh.tp > 1 && fixed.sequence_parallel.value_or(candidate.mesh.tp > 1);
  candidate.micro_batch = fixed.micro_batch.value_or(candidate.mesh.tp);
  if (fixed.zero_shard.value_or(0) > 0 && fixed.tp) {
    candidate.mesh.zero_shard = *fixed.zero_shard;
    candidate.mesh.dp *= *fixed.zero_shard;
    candidate.zero_stage = fixed.zero_stage.value_or(1);
  }
  candidate.moe_capacity_factor = fixed.moe_capacity_factor.value_or(0);
  choose_schedule(fixed, candidate);
  Job probe = job;
  probe.global_batch = candidate.mesh.dp * candidate.micro_batch;
  try {
    validate(to_plan(probe, candidate));
  } catch (const ConfigError& error) {
    constexpr std::string_view kOfPlans = "plan: ";  // whose file is not asked about here
    std::string_view message = error.what();
    if (message.starts_with(kOfPlans)) message.remove_prefix(kOfPlans.size());
    throw ConfigError(concat("--fix: ", message));
  }
}

void refuse_contradictions(const Fixed& fixed, int64_t num_devices) {
  if (fixed.sequence_parallel.value_or(false) && fixed.tp == 1) {
    throw ConfigError(
        "--fix: sequence_parallel=1 with tp=1 splits nothing; valid: tp=2 or more, or "
        "sequence_parallel=0");
  }
  const int zero = fixed.zero_stage.value_or(0);
  if (zero >= 2 && fixed.schedule && splits_backward(*fixed.schedule)) {
    throw ConfigError(concat("--fix: zero=", zero, " with schedule=", to_string(*fixed.schedule),
                             ", which keeps gradients of weights until their second half; valid: "
                             "zero=0 or 1, or schedule=gpipe, 1f1b or interleaved"));
  }
  const bool is_alone = implied_dp(fixed, num_devices) == 1 && fixed.cp.value_or(1) == 1;
  if (zero >= 2 && is_alone) {
    throw ConfigError(
        concat("--fix: zero=", zero,
               " with dp*cp=1 shards over one rank; valid: zero=0 or 1, or degrees that "
               "leave dp*cp=2 or more of ",
               num_devices, " devices"));
  }
}

}  // namespace argosy
