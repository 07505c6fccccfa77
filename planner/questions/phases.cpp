// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/questions/phases.h"

#include <algorithm>
#include <cmath>

#include "planner/cost/search.h"
#include "planner/questions/decisions.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

// The longest sequence and the largest batch that --seq-len and --global-batch take.
constexpr double kMostSeqLen = 1 << 30, kMostSequences = 1e6;

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

Phase parse_phase(const std::string& item) {
  const std::vector<std::string> parts = split(item, ':');
  Phase phase;
  const bool has_batch = parts.size() > 2;
  const double seq_len = parse_count(parts[0], kLengthUnits, 1024);
  const double tokens = parts.size() > 1 ? parse_count(parts[1], kTokenUnits, 1000) : std::nan("");
  const double batch = has_batch ? parse_count(parts[2], "", 1) : 0;
  const bool is_whole = seq_len == std::floor(seq_len) && batch == std::floor(batch);
  const bool is_size = seq_len >= 1 && seq_len <= kMostSeqLen && tokens > 0 &&
                       std::isfinite(tokens) && batch >= (has_batch ? 1 : 0) &&
                       batch <= kMostSequences;
  if (parts.size() > 3 || !is_whole || !is_size) {
    throw ConfigError(concat("--phases: '", item,
                             "'; valid: sequence length:tokens[:sequences a step], as "
                             "8k:12e12,32k:800B:64"));
  }
  phase.seq_len = static_cast<int64_t>(seq_len);
  phase.tokens = tokens;
  phase.global_batch = static_cast<int64_t>(batch);
  return phase;
}

Job job_of(const Job& job, const Phase& phase) {
  Job part = job;
  part.seq_len = phase.seq_len;
  part.tokens = phase.tokens;
  part.global_batch = phase.global_batch > 0
                          ? phase.global_batch
                          : std::max<int64_t>(1, job.global_batch * job.seq_len / phase.seq_len);
  return part;
}

}  // namespace

std::vector<Phase> parse_phases(std::string_view text) {
  std::vector<Phase> phases;
  for (const std::string& item : split(text, ',')) phases.push_back(parse_phase(item));
  return phases;
}

void check_tokens(const std::vector<Phase>& phases, double tokens) {
  constexpr double kRounding = 1e-3;  // of tokens that are written as 1.4T, batches that are whole
  double sum = 0;
  for (const Phase& phase : phases) sum += phase.tokens;
  if (tokens <= 0 || std::abs(sum - tokens) <= kRounding * tokens) return;
  throw ConfigError(concat("--phases: ", format_count(sum), " tokens in all, but --tokens is ",
                           format_count(tokens),
                           "; valid: phases of as many, or without --tokens"));
}

std::vector<PlannedPhase> plan_phases(const Job& job, const Fixed& fixed,
                                      const std::vector<Phase>& phases, int num_threads) {
  std::vector<PlannedPhase> planned;
  for (const Phase& phase : phases) {
    PlannedPhase& part = planned.emplace_back();
    const Job phase_job = job_of(job, phase);
    part.phase = phase;
    part.phase.global_batch = phase_job.global_batch;
    try {
      SearchResult found = search(phase_job, fixed, 1, num_threads);
      if (!found.plans.empty()) {
        part.plan = std::move(found.plans.front());
      } else {
        part.reason = why_no_plan(found.summary);
      }
    } catch (const ConfigError& error) {
      part.reason = error.what();
    }
  }
  return planned;
}

}  // namespace argosy
