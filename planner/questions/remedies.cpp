// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/questions/remedies.h"

#include <algorithm>
#include <utility>

#include "planner/cost/offload.h"
#include "planner/cost/search.h"
#include "planner/questions/decisions.h"
#include "planner/questions/rivals.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

Remedy remedy(const Job& job, const Fixed& fixed, std::string decision, int num_threads) {
  Remedy found{std::move(decision), false, ""};
  try {
    const SearchResult result = search(job, fixed, 1, num_threads);
    if (result.plans.empty()) {
      found.reason = concat("does not fit either: ", why_no_plan(result.summary));
      return found;
    }
    const Plan& plan = result.plans.front();
    found.fits = true;
    found.reason = concat("fits, ", format_seconds(plan.predicted.step_s), " a step with ",
                          decisions_text(plan));
    if (plan.predicted.host_bytes > 0) {
      found.reason += concat(", ", format_bytes(plan.predicted.host_bytes),
                             " of the host's memory for each device");
    }
  } catch (const ConfigError& error) {
    found.reason = error.what();
  }
  return found;
}

Remedy more_devices(const Job& job, const Fixed& fixed, int num_threads) {
  const int64_t most = job.cluster.tiers.back().devices;
  Job larger = job;
  Remedy found;
  do {
    larger.cluster.num_devices = std::min(most, 2 * larger.cluster.num_devices);
    found = remedy(larger, fixed, concat("--devices ", larger.cluster.num_devices), num_threads);
  } while (!found.fits && larger.cluster.num_devices < most);
  return found;
}

}  // namespace

std::vector<Remedy> remedies(const Job& job, const Fixed& fixed, int num_threads) {
  std::vector<Remedy> found;
  Fixed open;
  open.tries_offload = fixed.tries_offload;
  if (fixed != open) found.push_back(remedy(job, open, kWithoutFix, num_threads));
  if (!fixed.offload && !fixed.tries_offload && has_host(job.cluster)) {
    Fixed with = fixed;
    with.offload = Offload::optimizer;
    found.push_back(remedy(job, with, "--fix offload=optimizer", num_threads));
  }
  const bool is_part = job.num_devices() < job.cluster.tiers.back().devices;
  if (is_part && job.cluster.device == Device::cuda) {
    found.push_back(more_devices(job, fixed, num_threads));
  }
  return found;
}

}  // namespace argosy
