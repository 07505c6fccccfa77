// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// --fix: what the user decides, so that the search does not.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "planner/cost/job.h"

namespace argosy {

struct Fixed {
  std::optional<int64_t> tp, pp, dp, cp, ep, etp, zero_shard, micro_batch, virtual_stages;
  std::optional<int> zero_stage;
  std::optional<double> moe_capacity_factor;
  std::optional<Offload> offload;  // none, unless tries_offload
  bool tries_offload = false;      // both are searched
  std::optional<ScheduleKind> schedule;
  std::optional<Recompute> recompute;
  std::optional<int64_t> recompute_layers;     // of the model, with `recompute`
  std::optional<std::vector<int64_t>> layers;  // of each stage
  std::optional<ContextParallel> cp_kind;
  std::optional<bool> sequence_parallel;
  std::optional<RankOrder> order;

  bool operator==(const Fixed&) const = default;
};

// "tp=8,pp=15,zero=1,schedule=1f1b,layers=8+9+9+6". Throws ConfigError naming key and value:
// unknown keys, words and numbers that are not valid, a key given twice, what is not supported yet.
Fixed parse_fixed(std::string_view text);

// Throws ConfigError if no candidate of the job can have these values: degrees that do not multiply
// to the devices, experts that a dense model does not have, and so on.
void check_fixed(const Job& job, const Fixed& fixed);

// Throws ConfigError if values are given that do nothing or cancel each other: sequence_parallel=1
// with tp=1, ZeRO 2 or 3 with a backward in two halves, or where dp*cp leaves one rank (1 is what a
// habit says there, and the same as 0). Of --fix as a user types it: setups of other frameworks say
// such things and mean nothing by them.
void refuse_contradictions(const Fixed& fixed, int64_t num_devices);

// Schedules and virtual stages that one stage has no use for: Megatron-LM refuses them at pp 1.
bool needs_pipeline(const Fixed& fixed);

// The degree dp, if the fixed values leave one choice.
std::optional<int64_t> implied_dp(const Fixed& fixed, int64_t num_devices);

// The batch of the job's devices when nobody asks for one: a multiple of what `fixed` divides it
// by.
int64_t default_global_batch(const Job& job, const Fixed& fixed);

}  // namespace argosy
