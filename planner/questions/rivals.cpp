// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/questions/rivals.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "planner/cost/search.h"
#include "planner/cost/search_space.h"
#include "planner/cost/totals.h"
#include "planner/questions/decisions.h"
#include "planner/questions/price.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

struct Alternative {
  std::string decision;
  Fixed fixed;
};

// Degrees of a kind that the space has, nearest to the best plan's first.
std::vector<int64_t> nearest_values(std::set<int64_t> values, int64_t best) {
  values.erase(best);
  std::vector<int64_t> sorted(values.begin(), values.end());
  const auto distance = [best](int64_t value) {
    return std::abs(std::log(static_cast<double>(value) / static_cast<double>(best)));
  };
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](int64_t a, int64_t b) { return distance(a) < distance(b); });
  if (sorted.size() > kMostRivals) sorted.resize(kMostRivals);
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

using DegreeMember = std::optional<int64_t> Fixed::*;

class Alternatives {
 public:
  Alternatives(const Job& job, const Fixed& fixed, const Plan& best)
      : job_(job), fixed_(fixed), best_(best), space_(search_space(job, fixed)) {}

  std::vector<Alternative> all() {
    add_degrees("tp", &Fixed::tp, &Mesh::tp);
    add_degrees("pp", &Fixed::pp, &Mesh::pp);
    add_degrees("cp", &Fixed::cp, &Mesh::cp);
    add_degrees("ep", &Fixed::ep, &Mesh::ep);
    add_micro_batches();
    add_zeros();
    add_recomputes();
    add_schedules();
    add_sequence_parallel();
    add_offload();
    return std::move(found_);
  }

 private:
  void add_degrees(const char* name, DegreeMember member, int64_t Mesh::*degree) {
    if (fixed_.*member) return;
    std::set<int64_t> values;
    for (const MeshPoint& point : space_.meshes) {
      if (point.reason.empty()) values.insert(point.mesh.*degree);
    }
    for (int64_t value : nearest_values(values, best_.mesh.*degree)) {
      Fixed with = fixed_;
      with.*member = value;
      found_.push_back({concat(name, "=", value), with});
    }
  }

  void add_micro_batches() {
    if (fixed_.micro_batch) return;
    std::set<int64_t> values;
    for (const MeshPoint& point : space_.meshes) {
      if (point.mesh == best_.mesh) {
        values.insert(point.micro_batches.begin(), point.micro_batches.end());
      }
    }
    for (int64_t value : nearest_values(values, best_.micro_batch)) {
      Fixed with = fixed_;
      with.micro_batch = value;
      found_.push_back({concat("micro_batch=", value), with});
    }
  }

  void add_zeros() {
    for (int zero = 0; zero <= 3; ++zero) {
      if (zero == best_.zero_stage || fixed_.zero_stage ||
          (zero == 0 && fixed_.zero_shard.value_or(0) > 0))
        continue;
      Fixed with = fixed_;
      with.zero_stage = zero;
      found_.push_back({concat("zero=", zero), with});
    }
    if (fixed_.zero_shard || fixed_.zero_stage == 0) return;
    std::set<int64_t> shards;
    for (const MeshPoint& point : space_.meshes) {
      if (point.mesh.tp != best_.mesh.tp || point.mesh.pp != best_.mesh.pp) continue;
      for (const ZeroChoice& zero : point.zeros) shards.insert(zero.shard);
    }
    shards.erase(0);
    shards.erase(best_.mesh.zero_shard);
    for (const int64_t shard : shards) {
      Fixed with = fixed_;
      with.tp = best_.mesh.tp;  // what fills a node is another number for another tp
      with.zero_shard = shard;
      found_.push_back({concat("zero_shard=", shard), with});
    }
  }

  void add_recomputes() {
    if (fixed_.recompute) return;
    for (const Recompute recompute : {Recompute::none, Recompute::selective, Recompute::full}) {
      if (recompute_word(best_) == to_string(recompute)) continue;
      Fixed with = fixed_;
      with.recompute = recompute;
      found_.push_back({concat("recompute=", to_string(recompute)), with});
    }
  }

  // Schedules that the space has and, of interleaved ones, stages a rank near the best plan's: on
  // pipelines as long as its own, because on one stage all schedules are the same.
  void add_schedules() {
    if (best_.mesh.pp == 1) return;
    std::set<ScheduleKind> kinds;
    std::set<int64_t> virtual_stages;
    for (const ScheduleChoice& choice : space_.schedules.at(best_.mesh.pp)) {
      kinds.insert(choice.kind);
      if (choice.kind == ScheduleKind::interleaved) virtual_stages.insert(choice.virtual_stages);
    }
    Fixed with = fixed_;
    with.pp = best_.mesh.pp;
    for (const ScheduleKind kind : kinds) {
      if (kind == best_.schedule || fixed_.schedule) continue;
      with.schedule = kind;
      found_.push_back({concat("schedule=", to_string(kind)), with});
    }
    if (fixed_.virtual_stages || best_.schedule != ScheduleKind::interleaved) return;
    for (const int64_t count : nearest_values(virtual_stages, best_.virtual_stages)) {
      with.schedule = ScheduleKind::interleaved;
      with.virtual_stages = count;
      found_.push_back({concat("virtual_stages=", count), with});
    }
  }

  void add_sequence_parallel() {
    if (fixed_.sequence_parallel || best_.mesh.tp == 1 || job_.model.has_moe()) return;
    Fixed with = fixed_;
    with.tp = best_.mesh.tp;
    with.sequence_parallel = !best_.sequence_parallel;
    found_.push_back({concat("sequence_parallel=", best_.sequence_parallel ? 0 : 1), with});
  }

  void add_offload() {
    if (!fixed_.tries_offload) return;
    const bool is_offloaded = best_.offload == Offload::optimizer;
    Fixed with = fixed_;
    with.tries_offload = false;
    with.offload = is_offloaded ? Offload::none : Offload::optimizer;
    found_.push_back({concat("offload=", to_string(*with.offload)), with});
  }

  const Job& job_;
  const Fixed& fixed_;
  const Plan& best_;
  SearchSpace space_;
  std::vector<Alternative> found_;
};

// Seconds of the average rank that compute, compute again, communicate and wait.
std::array<double, 4> shares(const Prediction& p) {
  const double bubble_s = p.bubble_fraction * p.step_s;
  const double compute_s = p.step_s - bubble_s - p.exposed_comm_s;
  const double again_s = p.hfu > p.mfu ? compute_s * (1 - p.mfu / p.hfu) : 0;
  return {compute_s - again_s, again_s, p.exposed_comm_s, bubble_s};
}

// What grows most, as a share of the best step.
std::string reason_of(const Prediction& rival, const Prediction& best) {
  constexpr const char* kNames[] = {"computing", "recomputing", "communication", "bubble"};
  constexpr double kWorthSaying = 0.005;
  const std::array<double, 4> a = shares(rival), b = shares(best);
  std::vector<std::pair<double, const char*>> grown;
  for (size_t i = 0; i < a.size(); ++i) grown.emplace_back((a[i] - b[i]) / best.step_s, kNames[i]);
  std::sort(grown.rbegin(), grown.rend());
  std::string text;
  for (const auto& [share, name] : grown) {
    if (std::abs(share) < kWorthSaying) continue;
    append_listed(text, name, share > 0 ? " +" : " ", format_percent(share));
  }
  return text.empty() ? "equal within 0.5%; memory or order decided" : text;
}

// Searches beside one that is known: most rivals are little worse, and are found before all that
// is worse still is looked at.
class Judge {
 public:
  Judge(const Job& job, const Plan& best, int num_threads)
      : job_(job), best_(best), num_threads_(num_threads), cache_(job) {
    best_value_ = objective_value(job, price(job, candidate_of(best), cache_).use);
  }

  Rival judge(const Alternative& alternative) {
    Rival rival;
    rival.decision = alternative.decision;
    try {
      if (const std::optional<Plan> plan = best_of(alternative.fixed, rival)) {
        rival.fits = true;
        rival.slower = plan->predicted.step_s / best_.predicted.step_s - 1;
        rival.reason = reason_of(plan->predicted, best_.predicted);
        rival.others = other_decisions(alternative.decision, *plan, best_);
      }
    } catch (const ConfigError& error) {
      rival.reason = error.what();
    }
    return rival;
  }

 private:
  // None: rival.reason says why.
  std::optional<Plan> best_of(const Fixed& fixed, Rival& rival) {
    std::optional<Plan> plan = best_plan_near(job_, fixed, best_value_, num_threads_, cache_);
    if (plan) return plan;
    // Everywhere; a full search says why nothing fits.
    SearchResult found = search(job_, fixed, 1, num_threads_, Rows::best, cache_);
    if (!found.plans.empty()) return std::move(found.plans.front());
    rival.reason = why_no_plan(found.summary);
    return std::nullopt;
  }

  const Job& job_;
  const Plan& best_;
  int num_threads_;
  LayerCostCache cache_;
  double best_value_ = 0;
};

}  // namespace

std::vector<Rival> rivals(const Job& job, const Fixed& fixed, const Plan& best, int num_threads) {
  std::vector<Rival> judged;
  Judge judge(job, best, num_threads);
  Fixed open;
  open.tries_offload = fixed.tries_offload;
  if (fixed != open) judged.push_back(judge.judge({kWithoutFix, open}));
  for (const Alternative& alternative : Alternatives(job, fixed, best).all()) {
    judged.push_back(judge.judge(alternative));
  }
  return judged;
}

}  // namespace argosy
