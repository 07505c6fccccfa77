// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/mesh_search.h"

#include <algorithm>
#include <cmath>

#include "planner/cost/fits.h"
#include "planner/cost/step_bound.h"
#include "planner/cost/totals.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr const char* kOneStage = "on one stage gpipe is 1f1b with more memory";
constexpr const char* kNothingToShard = "without data-parallel copies ZeRO has nothing to shard";
constexpr const char* kSplitBackward = "ZeRO 2 and 3 do not go with a split backward pass";
constexpr const char* kOtherStages = "the fixed layers are of another number of stages";
constexpr const char* kTooManyStages = "more pipeline stages than layers";

// Examines the candidates of one mesh.
class MeshSearch {
 public:
  MeshSearch(const Job& job, const SearchSpace& space, const MeshPoint& point, Settler& settler,
             MeshLimits& limits)
      : job_(job),
        point_(point),
        schedules_(space.schedules_of(point)),
        settler_(settler),
        fits_(job, point, settler),
        limits_(limits) {
    open_.mesh = point.mesh;
    open_.sequence_parallel = point.sequence_parallel;
    open_.cp_kind = point.cp_kind;
    open_.moe_capacity_factor = space.moe_capacity_factor;
    open_.offload = point.offload;
    result_.open = open_;
    result_.point = &point;
  }

  MeshResult run() {
    for (int64_t micro_batch : point_.micro_batches) {
      open_.micro_batch = micro_batch;
      const std::string reason =
          point_.reason.empty() ? micro_batch_reason(job_, point_, micro_batch) : point_.reason;
      if (reason.empty()) {
        examine();
      } else {
        reject(reason, static_cast<int64_t>(point_.zeros.size() * schedules_.size()));
      }
    }
    return std::move(result_);
  }

 private:
  void reject(const std::string& reason, int64_t num_points) {
    Missed& missed = result_.missed[reason];
    missed.count += num_points;
    if (!missed.nearest.empty()) return;
    const Mesh& m = point_.mesh;
    missed.nearest = concat("tp=", m.tp, " pp=", m.pp, " dp=", m.dp, " cp=", m.cp, " ep=", m.ep,
                            " micro_batch=", open_.micro_batch);
  }

  // The micro-batch of open_.
  void examine() {
    const bool is_ruled = settler_.rule().recompute.kind.has_value();
    // Where most is left out, what it would take to compute again is not asked.
    LayerCostCache& cache = settler_.cache();
    const LayerCosts& costs =
        limits_.asks_memory_late && !is_ruled ? cache.plain_costs(open_) : cache.costs(open_);
    if (!placements_) placements_ = place_all(point_.mesh, job_);
    const LayerTimes times =
        layer_times(job_, open_, settler_.cache().elements(open_), costs, *placements_, is_ruled);
    const LayerBalance balance(job_.model, times);
    std::map<int64_t, size_t> splits;  // by the number of stages
    for (const ScheduleChoice& choice : schedules_) {
      open_.schedule = choice.kind;
      open_.virtual_stages = choice.virtual_stages;
      if (const char* reason = schedule_reason()) {
        reject(reason, static_cast<int64_t>(point_.zeros.size()));
        continue;
      }
      const auto [split, is_new] = splits.try_emplace(open_.num_stages(), 0);
      if (is_new) {
        const auto& ruled = settler_.rule().layers;
        split->second = number_of(ruled ? *ruled : balance.layers(open_.num_stages()));
      }
      open_.layers_per_stage = result_.splits[split->second];
      examine_schedule(times, split->second);
    }
  }

  // Micro-batches of other sizes mostly have the same split.
  size_t number_of(std::vector<int64_t> layers) {
    std::vector<size_t>& known = numbers_[layers.size()];
    for (const size_t number : known) {
      if (result_.splits[number] == layers) return number;
    }
    known.push_back(result_.splits.size());
    result_.splits.push_back(std::move(layers));
    return known.back();
  }

  const char* schedule_reason() const {
    const int64_t num_stages = open_.num_stages();
    if (num_stages > job_.model.num_layers) return kTooManyStages;
    const auto& layers = settler_.rule().layers;
    if (layers && static_cast<int64_t>(layers->size()) != num_stages) return kOtherStages;
    // Without a pipeline both take the same time.
    const bool is_gpipe = open_.schedule == ScheduleKind::gpipe;
    return point_.mesh.pp == 1 && is_gpipe && schedules_.size() > 1 ? kOneStage : nullptr;
  }

  void examine_schedule(const LayerTimes& times, size_t split) {
    const bool is_late = limits_.asks_memory_late;
    const double value = is_late ? bound(stages_of(split), times) : 0;
    if (value > limits_.most_value) return;
    Group group;
    group.first_zero = result_.zeros.size();
    if (!is_late) fits_.look_at(open_, split, settler_.cache().costs(open_));
    int64_t num_idle = 0, num_split = 0;
    for (size_t zero = 0; zero < point_.zeros.size(); ++zero) {
      if (is_idle(point_.zeros[zero])) {
        ++num_idle;
      } else if (point_.zeros[zero].stage >= 2 && splits_backward(open_.schedule)) {
        ++num_split;
      } else if (const int64_t missing = is_late ? 0 : fits_.missing_bytes(zero)) {
        note_shortage(zero, missing);
      } else {
        result_.zeros.push_back(point_.zeros[zero]);
      }
    }
    if (num_idle > 0) reject(kNothingToShard, num_idle);
    if (num_split > 0) reject(kSplitBackward, num_split);
    group.end_zero = result_.zeros.size();
    if (group.first_zero == group.end_zero) return;
    group.bound = is_late ? value : bound(fits_.stages(), times);
    group.micro_batch = open_.micro_batch;
    group.schedule = {open_.schedule, open_.virtual_stages};
    group.split = split;
    result_.groups.push_back(group);
  }

  // Those of open_, where memory is not looked at.
  const std::vector<StageLayers>& stages_of(size_t split) {
    if (stages_.size() <= split) stages_.resize(split + 1);
    if (stages_[split].empty()) stages_[split] = fits_.stages_of(open_);
    return stages_[split];
  }

  double bound(const std::vector<StageLayers>& layers, const LayerTimes& times) const {
    const std::vector<StageTime> stages = add_layers(layers, times);
    const int64_t m = num_microbatches(job_, open_);
    const double step_s = step_bound_s(stages, open_.schedule, m, open_.virtual_stages);
    return objective_value(job_, step_use(stages, m, point_.mesh.pp, step_s));
  }

  // Nobody else holds what this choice would shard; what is fixed is tried all the same.
  bool is_idle(const ZeroChoice& zero) const {
    const Mesh& mesh = point_.mesh;
    const bool has_copies = mesh.dp * mesh.cp > 1 || (job_.model.has_moe() && mesh.edp() > 1);
    return zero.stage > 0 && !has_copies && point_.zeros.size() > 1;
  }

  // What may be the nearest of all is settled, so that it does not depend on how close a limit was.
  void note_shortage(size_t zero, int64_t at_least_bytes) {
    Missed& missed = result_.missed[kOutOfMemory];
    ++missed.count;
    if (at_least_bytes >= missed.missing_bytes || at_least_bytes > limits_.nearest_bytes) return;
    const int64_t missing_bytes = fits_.settled_missing_bytes(zero);
    if (missing_bytes >= missed.missing_bytes) return;
    missed.missing_bytes = missing_bytes;
    missed.too_large = open_;
    missed.too_large->zero_stage = point_.zeros[zero].stage;
    missed.too_large->mesh.zero_shard = point_.zeros[zero].shard;
    int64_t nearest = limits_.nearest_bytes;
    while (missing_bytes < nearest &&
           !limits_.nearest_bytes.compare_exchange_weak(nearest, missing_bytes)) {
    }
  }

  const Job& job_;
  const MeshPoint& point_;
  const std::vector<ScheduleChoice>& schedules_;
  Settler& settler_;
  Fits fits_;
  MeshLimits& limits_;
  Candidate open_;
  std::optional<Placements> placements_;
  std::map<size_t, std::vector<size_t>> numbers_;  // of splits, by their number of stages
  std::vector<std::vector<StageLayers>> stages_;   // [splits], where they were asked for
  MeshResult result_;
};

}  // namespace

Candidate MeshResult::candidate(const Group& group, size_t zero) const {
  Candidate candidate = open;
  candidate.micro_batch = group.micro_batch;
  candidate.schedule = group.schedule.kind;
  candidate.virtual_stages = group.schedule.virtual_stages;
  candidate.layers_per_stage = splits[group.split];
  candidate.zero_stage = zeros[zero].stage;
  candidate.mesh.zero_shard = zeros[zero].shard;
  return candidate;
}

MeshResult search_mesh(const Job& job, const SearchSpace& space, const MeshPoint& point,
                       Settler& settler, MeshLimits& limits) {
  return MeshSearch(job, space, point, settler, limits).run();
}

}  // namespace argosy
