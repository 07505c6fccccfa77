// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A training run in phases: a ramp of the batch, a long context at the end. Each phase has its best
// plan; between two of them the trainer loads the checkpoint in the other layout.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/cost/fixed.h"
#include "planner/cost/job.h"

namespace argosy {

struct Phase {
  int64_t seq_len = 0;
  double tokens = 0;
  int64_t global_batch = 0;  // sequences; 0: as many tokens a step as the job has
};

// "8k:12e12,32k:800B:64" = sequence length : tokens [: sequences a step]; k is 1,024 of a sequence,
// k, M, B, T are decimal for tokens. Throws ConfigError naming --phases.
std::vector<Phase> parse_phases(std::string_view text);

// Phases say how long a run is: throws ConfigError where `tokens`, if there are any, say otherwise.
void check_tokens(const std::vector<Phase>& phases, double tokens);

struct PlannedPhase {
  Phase phase;
  std::optional<Plan> plan;  // none: `reason` says why
  std::string reason;
};

std::vector<PlannedPhase> plan_phases(const Job& job, const Fixed& fixed,
                                      const std::vector<Phase>& phases, int num_threads);

}  // namespace argosy
