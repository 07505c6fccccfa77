// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/best_first.h"

#include <algorithm>
#include <map>
#include <memory>
#include <queue>
#include <utility>

#include "planner/cost/evaluate.h"
#include "planner/cost/fits.h"
#include "planner/cost/step_bound.h"
#include "planner/cost/totals.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

// What plans that are alternatives differ in; dp follows.
using Layout =
    std::tuple<int64_t, int64_t, int64_t, ContextParallel, int64_t, int64_t, ScheduleKind>;
Layout layout_of(const Candidate& c, ScheduleKind schedule) {
  const ContextParallel kind = c.mesh.cp > 1 ? c.cp_kind : ContextParallel::ring;
  return {c.mesh.tp, c.mesh.pp, c.mesh.cp, kind, c.mesh.ep, c.mesh.etp, schedule};
}

// A point of a group, as if nothing were computed again; then settled.
struct Point {
  const MeshResult* mesh = nullptr;
  const Group* group = nullptr;
  size_t zero = 0;        // of MeshResult::zeros
  bool is_begun = false;  // its first rank is in the bound
  std::unique_ptr<Settled> settled;
};

// What is still to be looked at, best bound first. Of equal bounds what is not settled comes first,
// then less memory, then the order of the space.
struct Open {
  float bound = 0;
  int64_t peak_bytes = -1;  // -1: not settled
  size_t order = 0;
  size_t index = 0;  // of a group, or behind all groups of a point
  auto key() const { return std::tuple(bound, peak_bytes, order, index); }
};

// A group becomes its points, a point is settled, then simulated, until no bound is left below the
// worst of the `top` best values.
class BestFirst {
 public:
  BestFirst(const Job& job, const std::vector<MeshResult>& meshes, const MeshLimits& limits,
            size_t top, Rows rows, Settler& settler)
      : job_(job),
        top_(top),
        rows_(rows),
        asks_memory_(limits.asks_memory_late),
        settler_(settler) {
    std::vector<Open> open;
    size_t order = 0;
    for (const MeshResult& mesh : meshes) {
      for (const Group& group : mesh.groups) {
        open.push_back({rounded_value(group.bound), -1, order, groups_.size()});
        order += group.end_zero - group.first_zero;
        groups_.emplace_back(&mesh, &group);
      }
    }
    num_feasible_ = static_cast<int64_t>(order);
    queue_ = Queue(Later(), std::move(open));
  }

  std::vector<Costed> run() {
    while (!queue_.empty() && top_ > 0) {
      const Open next = queue_.top();
      if (best_.size() == top_ && next.bound > best_.back().value) break;
      queue_.pop();
      if (is_beaten_by_its_like(next)) continue;
      if (next.index < groups_.size()) {
        expand(next);
        continue;
      }
      Point& point = points_[next.index - groups_.size()];
      if (point.settled) {
        simulate(point, next.order);
      } else {
        point.is_begun ? settle(point, next) : begin(point, next);
      }
    }
    return std::move(best_);
  }

  int64_t num_feasible() const { return num_feasible_; }
  const std::set<size_t>& evaluated() const { return evaluated_; }

 private:
  struct Later {
    bool operator()(const Open& a, const Open& b) const { return a.key() > b.key(); }
  };
  using Queue = std::priority_queue<Open, std::vector<Open>, Later>;

  Layout layout_of(const Open& open) const {
    const bool is_group = open.index < groups_.size();
    const Point* point = is_group ? nullptr : &points_[open.index - groups_.size()];
    const MeshResult& mesh = is_group ? *groups_[open.index].first : *point->mesh;
    const Group& group = is_group ? *groups_[open.index].second : *point->group;
    return argosy::layout_of(mesh.open, group.schedule.kind);
  }

  // The best so far of a layout; end() where there is none.
  std::vector<Costed>::iterator best_of(const Layout& layout) {
    return std::find_if(best_.begin(), best_.end(), [&layout](const Costed& costed) {
      return argosy::layout_of(costed.candidate, costed.candidate.schedule) == layout;
    });
  }

  bool is_beaten_by_its_like(const Open& open) {
    if (rows_ == Rows::best) return false;
    const auto like = best_of(layout_of(open));
    return like != best_.end() && open.bound > like->value;
  }

  std::vector<StageTime> times_of(const MeshResult& mesh, const Candidate& c,
                                  const std::vector<StageLayers>& stages) {
    const auto key = std::pair(&mesh, c.mesh.zero_shard);
    auto timer = timers_.find(key);
    if (timer == timers_.end()) {
      timer = timers_.try_emplace(key, job_, place_all(c.mesh, job_)).first;
    }
    return timer->second.times(c, stages, settler_.cache().elements(c), settler_.cache().costs(c));
  }

  float value(const Candidate& c, const std::vector<StageTime>& times, double step_s) const {
    return rounded_value(
        objective_value(job_, step_use(times, num_microbatches(job_, c), c.mesh.pp, step_s)));
  }

  float bound(const MeshResult& mesh, const Candidate& c, const std::vector<StageLayers>& stages) {
    const std::vector<StageTime> times = times_of(mesh, c, stages);
    return value(c, times,
                 step_bound_s(times, c.schedule, num_microbatches(job_, c), c.virtual_stages));
  }

  // [choices of the group] Asked late: what mesh_search() would have left out.
  std::vector<bool> too_large(const MeshResult& mesh, const Group& group) {
    Fits& fits = fits_.try_emplace(&mesh, job_, *mesh.point, settler_).first->second;
    Candidate open = mesh.candidate(group, group.first_zero);
    open.zero_stage = 0;
    open.mesh.zero_shard = 0;
    fits.look_at(open, group.split, settler_.cache().costs(open));
    std::vector<bool> result;
    result.reserve(group.end_zero - group.first_zero);
    for (size_t zero = group.first_zero; zero < group.end_zero; ++zero) {
      const std::vector<ZeroChoice>& all = mesh.point->zeros;
      const auto place = std::find(all.begin(), all.end(), mesh.zeros[zero]);
      result.push_back(fits.missing_bytes(static_cast<size_t>(place - all.begin())) > 0);
    }
    return result;
  }

  void expand(const Open& open) {
    const auto& [mesh, group] = groups_[open.index];
    Candidate c = mesh->candidate(*group, group->first_zero);
    set_recompute(ruled_recompute(settler_.rule().recompute, c.layers_per_stage), c);
    const std::vector<StageLayers> stages = stage_layers(job_.model, c);
    const std::vector<bool> is_too_large =
        asks_memory_ ? too_large(*mesh, *group) : std::vector<bool>();
    for (size_t zero = group->first_zero; zero < group->end_zero; ++zero) {
      if (asks_memory_ && is_too_large[zero - group->first_zero]) continue;
      c.zero_stage = mesh->zeros[zero].stage;
      c.mesh.zero_shard = mesh->zeros[zero].shard;
      queue_.push({bound(*mesh, c, stages), -1, open.order + (zero - group->first_zero),
                   groups_.size() + points_.size()});
      points_.push_back({mesh, group, zero, false, nullptr});
    }
  }

  // Most points are above the limit as soon as one rank has what it computes again.
  void begin(Point& point, const Open& open) {
    point.is_begun = true;
    const FirstRank first =
        settler_.settle_first_rank(point.mesh->candidate(*point.group, point.zero));
    const Candidate& c = first.candidate;
    if (c.layer_recompute.empty() && c.recompute == Recompute::none) {
      queue_.push(open);
      return;
    }
    // Messages beside the first stage may be longer by as much again.
    const std::vector<StageTime> times = times_of(*point.mesh, c, stage_layers(job_.model, c));
    const double step_s =
        step_bound_s(times, c.schedule, num_microbatches(job_, c), c.virtual_stages) -
        2 * first.first_stage_s;
    queue_.push({std::max(open.bound, value(c, times, step_s)), -1, open.order, open.index});
  }

  void settle(Point& point, const Open& open) {
    point.settled =
        std::make_unique<Settled>(settler_.settle(point.mesh->candidate(*point.group, point.zero)));
    const Settled& settled = *point.settled;
    CHECK(settled.fits, "counted as fitting: ", shortage_of(job_, settled));
    const Candidate& c = settled.candidate;
    queue_.push({bound(*point.mesh, c, stage_layers(job_.model, c)), settled.memory.total_bytes,
                 open.order, open.index});
  }

  void simulate(Point& point, size_t order) {
    Costed costed;
    costed.candidate = std::move(point.settled->candidate);
    costed.memory = point.settled->memory;
    costed.order = order;
    costed.times =
        times_of(*point.mesh, costed.candidate, stage_layers(job_.model, costed.candidate));
    const Schedule schedule = build_schedule(to_plan(job_, costed.candidate));
    costed.value = value(costed.candidate, costed.times,
                         simulated_step_s(schedule, durations_of(costed.times)));
    evaluated_.insert(order);
    keep(std::move(costed));
  }

  void keep(Costed costed) {
    if (rows_ == Rows::distinct) {
      const auto like = best_of(argosy::layout_of(costed.candidate, costed.candidate.schedule));
      if (like != best_.end()) {
        if (costed.key() > like->key()) return;
        best_.erase(like);
      }
    }
    const auto place =
        std::upper_bound(best_.begin(), best_.end(), costed,
                         [](const Costed& a, const Costed& b) { return a.key() < b.key(); });
    best_.insert(place, std::move(costed));
    if (best_.size() > top_) best_.pop_back();
  }

  const Job& job_;
  size_t top_;
  Rows rows_;
  bool asks_memory_;
  Settler& settler_;
  std::map<const MeshResult*, Fits> fits_;  // of meshes that were asked about
  std::map<std::pair<const MeshResult*, int64_t>, StageTimer> timers_;  // by zero_shard
  std::vector<std::pair<const MeshResult*, const Group*>> groups_;      // in the order of the space
  Queue queue_;
  std::vector<Point> points_;
  std::vector<Costed> best_;
  int64_t num_feasible_ = 0;
  std::set<size_t> evaluated_;
};

}  // namespace

Found find_best(const Job& job, const std::vector<MeshResult>& meshes, const MeshLimits& limits,
                size_t top, Rows rows, Settler& settler) {
  BestFirst search(job, meshes, limits, top, rows, settler);
  std::vector<Costed> plans = search.run();
  return {std::move(plans), search.num_feasible(), search.evaluated()};
}

}  // namespace argosy
