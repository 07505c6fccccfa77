// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/search.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <limits>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <thread>
#include <tuple>

#include "planner/cost/evaluate.h"
#include "planner/cost/fits.h"
#include "planner/cost/memory_band.h"
#include "planner/cost/mesh_search.h"
#include "planner/cost/search_space.h"
#include "planner/cost/settle.h"
#include "planner/cost/step_bound.h"
#include "planner/cost/totals.h"
#include "planner/spec/check.h"
#include "planner/spec/clock.h"

namespace argosy {

namespace {

// Values that differ by rounding alone are equal: GPipe and 1F1B add the same times in other order.
float rounded(double value) {
  return static_cast<float>(value);
}

// One result per mesh, in the order of the space.
std::vector<MeshResult> search_meshes(const Job& job, const SearchSpace& space, Settler& settler,
                                      int num_threads, MeshLimits& limits) {
  std::vector<MeshResult> results(space.meshes.size());
  std::vector<std::exception_ptr> errors(static_cast<size_t>(std::max(1, num_threads)));
  std::atomic<size_t> next{0};
  const auto work = [&](size_t thread) {
    try {
      for (size_t i = next++; i < results.size(); i = next++) {
        results[i] = search_mesh(job, space, space.meshes[i], settler, limits);
      }
    } catch (...) {
      errors[thread] = std::current_exception();
    }
  };
  std::vector<std::thread> threads;
  for (size_t t = 1; t < errors.size(); ++t) threads.emplace_back(work, t);
  work(0);
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  return results;
}

std::string shortage_of(const Job& job, const Settled& settled) {
  return describe_shortage(settled.memory, settled.candidate,
                           usable_bytes(job, settled.candidate, settled.memory.routed_bytes));
}

std::vector<Rejection> merge_missed(const Job& job, const std::vector<MeshResult>& results,
                                    Settler& settler) {
  std::map<std::string, Missed> merged;
  for (const MeshResult& result : results) {
    for (const auto& [reason, missed] : result.missed) {
      Missed& all = merged[reason];
      const int64_t count = all.count + missed.count;
      const bool is_first = all.count == 0;
      if (is_first || missed.missing_bytes < all.missing_bytes) all = missed;
      all.count = count;
    }
  }
  std::vector<Rejection> rejected;
  for (auto& [reason, missed] : merged) {
    if (missed.too_large) missed.nearest = shortage_of(job, settler.settle(*missed.too_large));
    rejected.push_back({reason, missed.count, missed.nearest});
  }
  std::stable_sort(rejected.begin(), rejected.end(),
                   [](const Rejection& a, const Rejection& b) { return a.count > b.count; });
  return rejected;
}

// A candidate in its place.
struct Costed {
  Candidate candidate;
  std::vector<StageTime> times;
  StageMemory memory;
  float value = 0;
  size_t order = 0;  // in the space
  auto key() const { return std::tuple(value, memory.total_bytes, order); }
};

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
        open.push_back({rounded(group.bound), -1, order, groups_.size()});
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
    return rounded(
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

struct Found {
  std::vector<Costed> plans;  // best first
  int64_t num_feasible = 0;
  std::set<size_t> evaluated;  // their places in the space
};

Found find(const Job& job, const std::vector<MeshResult>& meshes, const MeshLimits& limits,
           size_t top, Rows rows, Settler& settler) {
  BestFirst search(job, meshes, limits, top, rows, settler);
  std::vector<Costed> plans = search.run();
  return {std::move(plans), search.num_feasible(), search.evaluated()};
}

// Where there are fewer layouts than rows: also the best of all that are not there yet.
void fill(Found more, size_t top, Found& found) {
  found.evaluated.merge(more.evaluated);
  for (Costed& costed : more.plans) {
    if (found.plans.size() >= top) break;
    const auto is_there = [&costed](const Costed& c) { return c.order == costed.order; };
    if (std::any_of(found.plans.begin(), found.plans.end(), is_there)) continue;
    found.plans.push_back(std::move(costed));
  }
  std::sort(found.plans.begin(), found.plans.end(),
            [](const Costed& a, const Costed& b) { return a.key() < b.key(); });
}

}  // namespace

SearchResult search(const Job& job, const Fixed& fixed, int64_t top, int num_threads, Rows rows) {
  LayerCostCache cache(job);
  return search(job, fixed, top, num_threads, rows, cache);
}

SearchResult search(const Job& job, const Fixed& fixed, int64_t top, int num_threads, Rows rows,
                    LayerCostCache& cache) {
  const Clock::time_point start = Clock::now();
  check_fixed(job, fixed);
  Settler settler(job, settle_rule(fixed), cache);
  const SearchSpace space = search_space(job, fixed);
  MeshLimits limits;
  const std::vector<MeshResult> results = search_meshes(job, space, settler, num_threads, limits);
  SearchResult result;
  result.summary.candidates = space.num_points();
  result.summary.rejected = merge_missed(job, results, settler);
  const auto count = static_cast<size_t>(top);
  Found found = find(job, results, limits, count, rows, settler);
  if (rows == Rows::distinct && found.plans.size() < count) {
    fill(find(job, results, limits, count, Rows::best, settler), count, found);
  }
  for (const Costed& costed : found.plans) {
    result.plans.push_back(predict(job, costed.candidate, costed.memory, costed.times));
  }
  result.summary.feasible = found.num_feasible;
  result.summary.evaluated = static_cast<int64_t>(found.evaluated.size());
  result.summary.seconds = seconds_since(start);
  return result;
}

std::optional<Plan> best_plan(const Job& job, const Fixed& fixed, double at_most, int num_threads,
                              LayerCostCache& cache) {
  check_fixed(job, fixed);
  Settler settler(job, settle_rule(fixed), cache);
  // Bounds and values that differ by rounding alone are equal: nothing that may be as good as the
  // limit is left out.
  constexpr double kRounding = 1e-6;
  MeshLimits limits;
  limits.most_value = at_most * (1 + kRounding);
  limits.asks_memory_late = true;
  const SearchSpace space = search_space(job, fixed);
  const std::vector<MeshResult> results = search_meshes(job, space, settler, num_threads, limits);
  const Found found = find(job, results, limits, 1, Rows::best, settler);
  if (found.plans.empty() || found.plans.front().value > rounded(limits.most_value)) {
    return std::nullopt;
  }
  const Costed& best = found.plans.front();
  return predict(job, best.candidate, best.memory, best.times);
}

std::optional<Plan> best_plan_near(const Job& job, const Fixed& fixed, double guess,
                                   int num_threads, LayerCostCache& cache) {
  constexpr double kWorse = 2;
  if (std::isinf(guess)) return std::nullopt;
  return best_plan(job, fixed, kWorse * guess, num_threads, cache);
}

}  // namespace argosy
