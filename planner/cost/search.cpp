// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/search.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <map>
#include <thread>
#include <tuple>

#include "planner/cost/mesh_search.h"
#include "planner/cost/search_space.h"
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
std::vector<MeshResult> search_meshes(const Job& job, const SearchSpace& space,
                                      LayerCostCache& cache, int num_threads) {
  std::vector<MeshResult> results(space.meshes.size());
  std::vector<std::exception_ptr> errors(static_cast<size_t>(num_threads));
  std::atomic<size_t> next{0};
  const auto work = [&](size_t thread) {
    try {
      for (size_t i = next++; i < results.size(); i = next++) {
        results[i] = search_mesh(job, space, space.meshes[i], cache);
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

std::vector<Rejection> merge_missed(const std::vector<MeshResult>& results) {
  std::map<std::string, Missed> merged;
  for (const MeshResult& result : results) {
    for (const auto& [reason, missed] : result.missed) {
      Missed& all = merged[reason];
      all.count += missed.count;
      if (all.nearest.empty() || missed.missing_bytes < all.missing_bytes) {
        all.missing_bytes = missed.missing_bytes;
        all.nearest = missed.nearest;
      }
    }
  }
  std::vector<Rejection> rejected;
  for (const auto& [reason, missed] : merged) {
    rejected.push_back({reason, missed.count, missed.nearest});
  }
  std::stable_sort(rejected.begin(), rejected.end(),
                   [](const Rejection& a, const Rejection& b) { return a.count > b.count; });
  return rejected;
}

std::vector<Promising> merge_promising(std::vector<MeshResult>& results) {
  std::vector<Promising> all;
  for (MeshResult& result : results) {
    all.insert(all.end(), result.promising.begin(), result.promising.end());
  }
  std::stable_sort(all.begin(), all.end(), [](const Promising& a, const Promising& b) {
    return std::tuple(rounded(a.bound), a.peak_bytes) < std::tuple(rounded(b.bound), b.peak_bytes);
  });
  return all;
}

struct Costed {
  Plan plan;
  float value = 0;
  int64_t peak_bytes = 0;
};

bool better(const Costed& a, const Costed& b) {
  return std::tuple(a.value, a.peak_bytes) < std::tuple(b.value, b.peak_bytes);
}

Costed cost_in_full(const Job& job, const Promising& promising, LayerCostCache& cache) {
  const Candidate& c = promising.candidate;
  Verdict verdict = evaluate(job, c, cache);
  CHECK(verdict.feasible, verdict.reason);
  const std::vector<StageLayers> stages = stage_layers(job.model, c.num_stages());
  const std::vector<StageTime> times =
      stage_times(job, c, stages, cache.elements(c), cache.costs(c), place_all(c.mesh, job));
  const double value = objective_value(job, step_use(times, verdict.plan.num_microbatches(),
                                                     c.mesh.pp, verdict.plan.predicted.step_s));
  return {std::move(verdict.plan), rounded(value), promising.peak_bytes};
}

// Best bound first, until no bound is left below the worst of the `top` best values.
std::vector<Costed> best_first(const Job& job, const std::vector<Promising>& promising, size_t top,
                               LayerCostCache& cache, int64_t& num_evaluated) {
  std::vector<Costed> best;
  for (const Promising& next : promising) {
    if (best.size() == top && rounded(next.bound) > best.back().value) break;
    Costed costed = cost_in_full(job, next, cache);
    ++num_evaluated;
    const auto place = std::upper_bound(best.begin(), best.end(), costed, better);
    best.insert(place, std::move(costed));
    if (best.size() > top) best.pop_back();
  }
  return best;
}

}  // namespace

SearchResult search(const Job& job, const Fixed& fixed, int64_t top, int num_threads) {
  const Clock::time_point start = Clock::now();
  check_fixed(job, fixed);
  LayerCostCache cache(job);
  const SearchSpace space = search_space(job, fixed);
  std::vector<MeshResult> results = search_meshes(job, space, cache, std::max(1, num_threads));
  const std::vector<Promising> promising = merge_promising(results);
  SearchResult found;
  found.summary.candidates = space.num_points();
  found.summary.feasible = static_cast<int64_t>(promising.size());
  found.summary.rejected = merge_missed(results);
  for (Costed& costed :
       best_first(job, promising, static_cast<size_t>(top), cache, found.summary.evaluated)) {
    found.plans.push_back(std::move(costed.plan));
  }
  found.summary.seconds = seconds_since(start);
  return found;
}

}  // namespace argosy
