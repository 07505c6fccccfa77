// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/mesh_search.h"

#include <algorithm>

#include "planner/cost/evaluate.h"
#include "planner/cost/memory_band.h"
#include "planner/cost/step_bound.h"
#include "planner/cost/totals.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr const char* kOutOfMemory = "out of memory";
constexpr const char* kOneStage = "on one stage gpipe is 1f1b with more memory";
constexpr const char* kNothingToShard = "without data-parallel copies ZeRO has nothing to shard";
constexpr const char* kSplitBackward = "ZeRO 2 and 3 do not go with a split backward pass";

// Examines the candidates of one mesh.
class MeshSearch {
 public:
  MeshSearch(const Job& job, const SearchSpace& space, const MeshPoint& point,
             LayerCostCache& cache)
      : job_(job), space_(space), point_(point), cache_(cache) {}

  MeshResult run() {
    for (int64_t micro_batch : point_.micro_batches) {
      const std::string reason =
          point_.reason.empty() ? micro_batch_reason(job_, point_, micro_batch) : point_.reason;
      if (reason.empty()) {
        examine(micro_batch);
      } else {
        reject(reason, micro_batch, space_.points_per_micro_batch());
      }
    }
    return std::move(result_);
  }

 private:
  Candidate candidate(int64_t micro_batch, Recompute recompute) const {
    Candidate c;
    c.mesh = point_.mesh;
    c.sequence_parallel = point_.sequence_parallel;
    c.cp_kind = point_.cp_kind;
    c.micro_batch = micro_batch;
    c.recompute = recompute;
    c.virtual_stages = space_.virtual_stages;
    c.moe_capacity_factor = space_.moe_capacity_factor;
    c.offload = space_.offload;
    return c;
  }

  void reject(const std::string& reason, int64_t micro_batch, int64_t num_points) {
    Missed& missed = result_.missed[reason];
    missed.count += num_points;
    if (missed.nearest.empty()) {
      const Mesh& m = point_.mesh;
      missed.nearest = concat("tp=", m.tp, " pp=", m.pp, " dp=", m.dp, " cp=", m.cp, " ep=", m.ep,
                              " micro_batch=", micro_batch);
    }
  }

  void examine(int64_t micro_batch) {
    if (stages_.empty()) {
      stages_ = stage_layers(job_.model, point_.mesh.pp * space_.virtual_stages);
      placements_ = place_all(point_.mesh, job_);
    }
    for (Recompute recompute : space_.recomputes) {
      Candidate c = candidate(micro_batch, recompute);
      if (const int64_t num_idle = num_idle_zero_stages(); num_idle > 0) {
        const auto num_schedules = static_cast<int64_t>(space_.schedules.size());
        reject(kNothingToShard, micro_batch, num_idle * num_schedules);
      }
      if (num_too_large_[recompute] == points_per_recompute()) {
        result_.missed[kOutOfMemory].count += points_per_recompute();
        if (is_dominated(ScheduleKind::gpipe)) reject(kOneStage, micro_batch, num_zero_stages());
        if (num_split_points() > 0) reject(kSplitBackward, micro_batch, num_split_points());
        continue;
      }
      num_too_large_[recompute] = 0;
      const LayerCosts& costs = cache_.costs(c);
      const ElementTable& elements = cache_.elements(c);
      for (int zero_stage : space_.zero_stages) {
        if (is_idle(zero_stage)) continue;
        c.zero_stage = zero_stage;
        examine_schedules(c, costs, elements);
      }
    }
  }

  void examine_schedules(Candidate c, const LayerCosts& costs, const ElementTable& elements) {
    const int64_t m = num_microbatches(job_, c);
    std::vector<StageTime> times;  // the same for every schedule of one stage a rank
    for (ScheduleKind schedule : space_.schedules) {
      c.schedule = schedule;
      if (is_dominated(schedule)) {
        reject(kOneStage, c.micro_batch, 1);
        continue;
      }
      if (c.zero_stage >= 2 && splits_backward(schedule)) {
        reject(kSplitBackward, c.micro_batch, 1);
        continue;
      }
      const StageMemory memory = fullest_stage(job_, c, stages_, elements, costs);
      const int64_t usable = usable_bytes(job_, c, memory.routed_bytes);
      if (missing_bytes(job_, c, memory) > 0) {
        note_shortage(memory, c, usable);
        continue;
      }
      if (times.empty() || c.virtual_stages > 1) {
        times = stage_times(job_, c, stages_, elements, costs, placements_);
      }
      const double step_s = step_bound_s(times, schedule, m, c.virtual_stages);
      const double value = objective_value(job_, step_use(times, m, c.mesh.pp, step_s));
      result_.promising.push_back({c, value, memory.total_bytes});
    }
  }

  // Without a pipeline both schedules take the same time.
  bool is_dominated(ScheduleKind schedule) const {
    return point_.mesh.pp == 1 && schedule == ScheduleKind::gpipe && space_.schedules.size() > 1;
  }

  // Nobody else holds what this ZeRO stage would shard; what is fixed is tried all the same.
  bool is_idle(int zero_stage) const {
    const Mesh& mesh = point_.mesh;
    const bool has_copies = mesh.dp * mesh.cp > 1 || (job_.model.has_moe() && mesh.edp() > 1);
    return zero_stage > 0 && !has_copies && space_.zero_stages.size() > 1;
  }

  int64_t num_idle_zero_stages() const {
    return std::count_if(space_.zero_stages.begin(), space_.zero_stages.end(),
                         [this](int zero_stage) { return is_idle(zero_stage); });
  }
  int64_t num_zero_stages() const {
    return static_cast<int64_t>(space_.zero_stages.size()) - num_idle_zero_stages();
  }

  // ZeRO stages and schedules that are tried for one micro-batch and recomputation.
  int64_t points_per_recompute() const {
    return num_zero_stages() *
               std::count_if(space_.schedules.begin(), space_.schedules.end(),
                             [this](ScheduleKind kind) { return !is_dominated(kind); }) -
           num_split_points();
  }

  // Of these, pairs that cannot be: gradients in shards, and a backward pass in halves.
  int64_t num_split_points() const {
    const auto num_sharding =
        std::count_if(space_.zero_stages.begin(), space_.zero_stages.end(),
                      [this](int zero_stage) { return zero_stage >= 2 && !is_idle(zero_stage); });
    return num_sharding *
           std::count_if(space_.schedules.begin(), space_.schedules.end(), splits_backward);
  }

  void note_shortage(const StageMemory& memory, const Candidate& c, int64_t usable) {
    ++num_too_large_[c.recompute];
    Missed& missed = result_.missed[kOutOfMemory];
    ++missed.count;
    if (const int64_t missing = missing_bytes(job_, c, memory); missing < missed.missing_bytes) {
      missed.missing_bytes = missing;
      missed.nearest = describe_shortage(memory, c, usable);
    }
  }

  const Job& job_;
  const SearchSpace& space_;
  const MeshPoint& point_;
  LayerCostCache& cache_;
  std::vector<StageLayers> stages_;
  Placements placements_;
  // Points of the last micro-batch that do not fit. A larger micro-batch never needs less memory:
  // where none fits, the rest need not be costed.
  std::map<Recompute, int64_t> num_too_large_;
  MeshResult result_;
};

}  // namespace

MeshResult search_mesh(const Job& job, const SearchSpace& space, const MeshPoint& point,
                       LayerCostCache& cache) {
  return MeshSearch(job, space, point, cache).run();
}

}  // namespace argosy
