// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/calibrate/learn.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "planner/calibrate/predicted_work.h"
#include "planner/calibrate/statistics.h"
#include "planner/cost/compute.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

// Of a quiet run the steps scatter by 1 to 3%; a neighbour who comes and goes makes it 20% and
// more.
constexpr double kMostScatter = 0.2;
// Measured over expected rate of products beyond which a run was disturbed all along, had other
// threads, or ran on another machine.
constexpr double kLeastPeak = 0.6, kMostPeak = 1.67;
// Of the predicted step: a kind of work below this is not told from waiting and noise.
constexpr double kLeastShare = 0.005;

struct Observation {
  const RunRecord* run = nullptr;
  WorkSeconds predicted;
};

struct Kind {
  double Corrections::*factor;
  std::function<double(const WorkSeconds&)> seconds;
};

std::vector<Kind> kinds() {
  const auto collective = [](CollectiveKind kind) {
    return [kind](const WorkSeconds& w) { return w.collective_s[static_cast<size_t>(kind)]; };
  };
  return {{&Corrections::matmul, [](const WorkSeconds& w) { return w.matmul_s; }},
          {&Corrections::attention, [](const WorkSeconds& w) { return w.attention_s; }},
          {&Corrections::memory, [](const WorkSeconds& w) { return w.memory_s; }},
          {&Corrections::all_reduce, collective(CollectiveKind::all_reduce)},
          {&Corrections::reduce_scatter, collective(CollectiveKind::reduce_scatter)},
          {&Corrections::all_gather, collective(CollectiveKind::all_gather)},
          {&Corrections::all_to_all, collective(CollectiveKind::all_to_all)}};
}

void require_same_machine(const std::vector<RunRecord>& runs, const ClusterSpec& cluster) {
  for (const RunRecord& run : runs) {
    if (run.plan.cluster != cluster.name) {
      throw ConfigError(concat("--learn ", run.name, ": its plan is for the cluster ",
                               run.plan.cluster, "; valid: runs of plans for ", cluster.name));
    }
    const std::string& cpu = cluster.cpu_model.empty() ? runs.front().cpu : cluster.cpu_model;
    if (cluster.device == Device::cpu && run.cpu != cpu) {
      throw ConfigError(
          concat("--learn ", run.name, ": ran on ", run.cpu, "; valid: runs on ", cpu,
                 cluster.cpu_model.empty() ? ", as the first one" : ", as the cluster"));
    }
  }
}

// Why a run does not count; none: it does.
std::optional<std::string> objection(const RunRecord& run, const ClusterSpec& cluster) {
  if (run.scatter > kMostScatter) {
    return concat("its steps scatter by ", format_percent(run.scatter), ": disturbed");
  }
  const ClusterSpec seen = with_devices(cluster, run.plan.mesh.world_size());
  const double expected = seen.accelerator.peak_flops_per_s(run.plan.precision);
  const double ratio = run.peak_flops_per_s / expected;
  if (ratio >= kLeastPeak && ratio <= kMostPeak) return std::nullopt;
  return concat("a rank of it multiplied at ", format_fixed(run.peak_flops_per_s / 1e9, 1),
                " GFLOP/s with ", run.threads_per_rank,
                run.threads_per_rank == 1 ? " thread" : " threads", ", one of the cluster at ",
                format_fixed(expected / 1e9, 1),
                ": disturbed, with other threads than planned, or another machine");
}

std::string layout_of(const Plan& plan) {
  const Mesh& m = plan.mesh;
  return concat("tp=", m.tp, " pp=", m.pp, " dp=", m.dp, " cp=", m.cp, " ep=", m.ep,
                " zero=", plan.zero_stage, " micro_batch=", plan.micro_batch);
}

Corrections factors_of(const std::vector<Observation>& observations, const ClusterSpec& cluster) {
  Corrections factors;
  factors.num_runs = static_cast<int64_t>(observations.size());
  for (const Kind& kind : kinds()) {
    std::vector<double> ratios;
    for (const auto& [run, predicted] : observations) {
      const double expected_s = kind.seconds(predicted), took_s = kind.seconds(run->measured);
      if (expected_s < kLeastShare * predicted.step_s || took_s <= 0) continue;
      ratios.push_back(took_s / expected_s);
    }
    factors.*kind.factor = shrunken_factor(ratios);
  }
  std::vector<double> rests;
  for (const auto& [run, predicted] : observations) {
    rests.push_back(run->measured.step_s /
                    predicted_work(run->plan, corrected(cluster, factors)).step_s);
  }
  factors.rest = shrunken_factor(rests);
  return factors;
}

CorrectionSet make_set(const std::vector<Observation>& observations, const ClusterSpec& cluster) {
  CorrectionSet set;
  const Plan& first = observations.front().run->plan;
  set.precision = first.precision;
  set.ranks_per_device = ranks_per_device(cluster, first.mesh.world_size());
  set.factors = factors_of(observations, cluster);
  const ClusterSpec as_corrected = corrected(cluster, set.factors);
  for (const auto& [run, predicted] : observations) {
    set.runs.push_back({.name = run->name,
                        .model = run->plan.model.name,
                        .layout = layout_of(run->plan),
                        .num_steps = run->num_steps,
                        .measured_step_s = run->measured.step_s,
                        .predicted_step_s = predicted.step_s,
                        .corrected_step_s = predicted_work(run->plan, as_corrected).step_s});
  }
  return set;
}

}  // namespace

double ranks_per_device(const ClusterSpec& cluster, int64_t num_ranks) {
  const double ranks = static_cast<double>(num_ranks);
  if (num_ranks > cluster.num_devices) return ranks / static_cast<double>(cluster.num_devices);
  return std::min(1.0, ranks / static_cast<double>(cluster.devices_per_node));
}

Learning learn(const std::vector<RunRecord>& runs, const ClusterSpec& cluster) {
  CHECK(!runs.empty(), "nothing to learn from");
  require_same_machine(runs, cluster);
  Learning learning;
  std::vector<std::vector<Observation>> groups;
  for (const RunRecord& run : runs) {
    if (const auto why = objection(run, cluster)) {
      learning.left_out.push_back(concat(run.name, ": left out: ", *why));
      continue;
    }
    const auto belongs = [&](const std::vector<Observation>& group) {
      const Plan& other = group.front().run->plan;
      return other.precision == run.plan.precision &&
             ranks_per_device(cluster, other.mesh.world_size()) ==
                 ranks_per_device(cluster, run.plan.mesh.world_size());
    };
    auto group = std::find_if(groups.begin(), groups.end(), belongs);
    if (group == groups.end()) {
      groups.emplace_back();
      group = groups.end() - 1;
    }
    try {
      group->push_back({&run, predicted_work(run.plan, cluster)});
    } catch (const ConfigError& error) {
      throw ConfigError(concat("--learn ", run.name, ": ", error.what()));
    }
  }
  for (const auto& group : groups) learning.sets.push_back(make_set(group, cluster));
  if (learning.sets.empty()) {
    throw ConfigError(concat("--learn: no run is left to learn from; ", learning.left_out.front()));
  }
  return learning;
}

}  // namespace argosy
