// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/questions/sensitivity.h"

#include <algorithm>
#include <cmath>

#include "planner/cost/search.h"
#include "planner/cost/totals.h"
#include "planner/questions/price.h"
#include "planner/questions/what_if.h"
#include "planner/report/units.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

// Half as much of it does not slow a plan down: it may no longer fit.
constexpr const char* kMemory = "hbm";

ClusterSpec changed(const ClusterSpec& cluster, const std::string& key, double factor) {
  return with_changes(cluster, {{key, "", factor, true}});
}

bool fits_in_half(const ClusterSpec& cluster, const SecondsOn& seconds_on) {
  const Accelerator& device = cluster.accelerator;
  if (device.memory_bytes / 2 <= device.reserved_bytes) return false;
  return seconds_on.fits(changed(cluster, kMemory, 0.5));
}

std::string half_text(const Sensitivity& row) {
  if (!row.half_fits) return format_signed_percent(row.half);
  return *row.half_fits ? "fits" : "does not fit";
}

Job on_cluster(const Job& job, const ClusterSpec& cluster) {
  Job other = job;
  other.cluster = cluster;
  return other;
}

}  // namespace

std::vector<Sensitivity> sensitivities(const ClusterSpec& cluster, const SecondsOn& seconds_on) {
  const double now_s = seconds_on.of_plan(cluster);
  std::vector<Sensitivity> rows;
  for (const std::string& key : time_properties(cluster)) {
    Sensitivity row;
    row.key = key;
    const ClusterSpec twice = changed(cluster, key, 2);
    row.twice = seconds_on.of_plan(twice) / now_s - 1;
    if (key == kMemory) {
      row.half_fits = fits_in_half(cluster, seconds_on);
    } else {
      row.half = seconds_on.of_plan(changed(cluster, key, 0.5)) / now_s - 1;
    }
    row.best_at_twice = seconds_on.of_best(twice) / now_s - 1;
    rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Sensitivity& a, const Sensitivity& b) {
    return std::abs(a.best_at_twice) > std::abs(b.best_at_twice);
  });
  return rows;
}

std::vector<Sensitivity> sensitivities(const Job& job, const Fixed& fixed, const Plan& plan,
                                       int num_threads) {
  LayerCostCache network(job);  // whose elements are the same on all machines
  SecondsOn seconds_on;
  const auto priced_on = [&](const ClusterSpec& cluster) {
    const Job there = on_cluster(job, cluster);
    LayerCostCache cache(there, network);
    return price(there, candidate_of(plan), cache);
  };
  seconds_on.of_plan = [&](const ClusterSpec& cluster) {
    return priced_on(cluster).plan.predicted.step_s;
  };
  seconds_on.fits = [&](const ClusterSpec& cluster) {
    return priced_on(cluster).missing_bytes == 0;
  };
  // The plan at hand fits there too: none that is worse has to be looked at.
  seconds_on.of_best = [&](const ClusterSpec& cluster) {
    const Job there = on_cluster(job, cluster);
    LayerCostCache cache(there, network);
    const Priced here = price(there, candidate_of(plan), cache);
    const std::optional<Plan> best =
        best_plan(there, fixed, objective_value(there, here.use), num_threads, cache);
    return best ? best->predicted.step_s : here.plan.predicted.step_s;
  };
  return sensitivities(job.cluster, seconds_on);
}

TextTable sensitivity_table(const std::vector<Sensitivity>& rows, const std::string& best) {
  TextTable table = labelled_table({"property", "halved", "doubled", best});
  for (const Sensitivity& row : rows) {
    table.rows.push_back({row.key, half_text(row), format_signed_percent(row.twice),
                          format_signed_percent(row.best_at_twice)});
  }
  return table;
}

std::string sensitivity_json(const std::vector<Sensitivity>& rows) {
  Json array = Json::array();
  for (const Sensitivity& row : rows) {
    array.push_back({{"property", row.key},
                     {"half", row.half_fits ? Json() : Json(row.half)},
                     {"twice", row.twice},
                     {"best_at_twice", row.best_at_twice}});
    if (row.half_fits) array.back()["half_fits"] = *row.half_fits;
  }
  return array.dump();
}

std::vector<double> worst_regrets(const Job& job, const std::vector<Plan>& plans, double error) {
  std::vector<Job> worlds = {job};
  for (const std::string& key : time_properties(job.cluster)) {
    if (key == kMemory) continue;
    for (const double factor : {1 - error, 1 + error}) {
      worlds.push_back(on_cluster(job, changed(job.cluster, key, factor)));
    }
  }
  LayerCostCache network(job);
  std::vector<double> regrets(plans.size(), 0.0);
  for (const Job& world : worlds) {
    LayerCostCache cache(world, network);
    std::vector<double> steps_s;
    steps_s.reserve(plans.size());
    for (const Plan& plan : plans) {
      steps_s.push_back(price(world, candidate_of(plan), cache).plan.predicted.step_s);
    }
    const double best_s = *std::min_element(steps_s.begin(), steps_s.end());
    for (size_t i = 0; i < plans.size(); ++i) {
      regrets[i] = std::max(regrets[i], steps_s[i] / best_s - 1);
    }
  }
  return regrets;
}

}  // namespace argosy
