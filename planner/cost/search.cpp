// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/search.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <map>
#include <thread>

#include "planner/cost/best_first.h"
#include "planner/cost/evaluate.h"
#include "planner/cost/memory_band.h"
#include "planner/cost/mesh_search.h"
#include "planner/cost/search_space.h"
#include "planner/cost/settle.h"
#include "planner/spec/clock.h"

namespace argosy {

namespace {

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
  Found found = find_best(job, results, limits, count, rows, settler);
  if (rows == Rows::distinct && found.plans.size() < count) {
    fill(find_best(job, results, limits, count, Rows::best, settler), count, found);
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
  const Found found = find_best(job, results, limits, 1, Rows::best, settler);
  if (found.plans.empty() || found.plans.front().value > rounded_value(limits.most_value)) {
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
