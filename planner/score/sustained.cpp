// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/score/sustained.h"

#include <algorithm>
#include <cmath>

#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr double kLeastShare = 0.2, kMostShare = 2;  // beyond 1: curves that are too low
constexpr int kHalvings = 12;
constexpr int64_t kLeastRuns = 2;  // of a source: one run is no more than an anecdote

bool hides_traffic(const StackFacts& facts) {
  return facts.overlaps_gradients || facts.overlaps_parameters || facts.tensor_overlap > 0;
}

// Dense models whose every weight is trained, in 16 bits; no layer waits for its weights. What is
// left of such a step are products.
bool is_plain(const PreparedRun& run) {
  const Job& job = run.configurations.front().job;
  return !job.model.has_moe() && job.task != Task::lora &&
         job.stack.format == ProductFormat::bf16 &&
         (hides_traffic(job.stack.facts) || run.configurations.front().candidate.zero_stage < 3);
}

double mean_error(const std::vector<PreparedRun>& runs) {
  double sum = 0;
  for (const PreparedRun& run : runs) sum += predict(run).error();
  return sum / static_cast<double>(runs.size());
}

double unbiased_share(std::vector<PreparedRun> runs) {
  for (PreparedRun& run : runs) {
    for (StackRun& configuration : run.configurations) {
      configuration.job.stack.facts.runs_own_kernels = true;
      configuration.job.stack.numbers = kOwnNumbers;
      configuration = make_stack_run(configuration.job, configuration.candidate);
    }
  }
  double low = kLeastShare, high = kMostShare;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = std::sqrt(low * high);
    for (PreparedRun& run : runs) {
      for (StackRun& configuration : run.configurations) {
        configuration.job.cluster.accelerator.sustained_share = middle;
      }
    }
    (mean_error(runs) > 0 ? low : high) = middle;  // too slow: the device keeps more
  }
  return std::sqrt(low * high);
}

double median_share(const std::vector<SourceShare>& sources) {
  std::vector<double> shares, founded;
  for (const SourceShare& source : sources) {
    if (source.num_runs < kLeastRuns) continue;
    shares.push_back(source.share);
    if (!source.hides_traffic) founded.push_back(source.share);
  }
  return quantile(founded.empty() ? shares : founded, 0.5);
}

}  // namespace

std::map<std::string, SustainedShare> sustained_shares(const Runs& runs) {
  std::map<std::string, std::map<std::string, std::vector<PreparedRun>>> by_source;
  for (const PreparedRun* run : runs) {
    if (!is_plain(*run)) continue;
    const std::string& accelerator = run->configurations.front().job.cluster.accelerator.name;
    by_source[accelerator][run->run.group()].push_back(*run);
  }
  std::map<std::string, SustainedShare> shares;
  for (const auto& [accelerator, sources] : by_source) {
    SustainedShare& all = shares[accelerator];
    for (const auto& [source, own] : sources) {
      all.sources.push_back({source, static_cast<int64_t>(own.size()),
                             hides_traffic(own.front().stack->facts), unbiased_share(own)});
    }
    std::sort(all.sources.begin(), all.sources.end(),
              [](const SourceShare& a, const SourceShare& b) { return a.share < b.share; });
    all.share = median_share(all.sources);
  }
  return shares;
}

}  // namespace argosy
