// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/questions/sizes.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

#include "planner/cost/compute.h"
#include "planner/cost/reliability.h"
#include "planner/cost/search.h"
#include "planner/cost/totals.h"
#include "planner/questions/price.h"
#include "planner/spec/check.h"
#include "planner/spec/clock.h"

namespace argosy {

namespace {

// A part of the cluster, and what is costed there.
struct Part {
  Part(const Job& whole, const Fixed& fixed, int64_t devices, LayerCostCache& network)
      : job(on_part(whole, fixed, devices)), cache(job, network) {}
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  // A batch that suits the whole cluster may divide badly here.
  static Job on_part(Job job, const Fixed& fixed, int64_t devices) {
    job.cluster = with_devices(job.cluster, devices);
    if (job.is_default_batch) job.global_batch = default_global_batch(job, fixed);
    job.objective = Objective::time;
    return job;
  }

  Job job;
  LayerCostCache cache;
};

// The fastest plan on a part, whose step may take `guess_s`; none: nothing fits, or the fixed
// decisions do not divide.
std::optional<Plan> fastest_on(Part& part, const Fixed& fixed, double guess_s, int num_threads) {
  try {
    std::optional<Plan> plan = best_plan_near(part.job, fixed, guess_s, num_threads, part.cache);
    if (plan) return plan;
    constexpr double kAnyTime = std::numeric_limits<double>::infinity();
    return best_plan(part.job, fixed, kAnyTime, num_threads, part.cache);
  } catch (const ConfigError&) {
    return std::nullopt;
  }
}

// The plan of least carbon where the fastest is known: none that emits more is looked at.
Plan cleanest_on(Part& part, const Fixed& fixed, const Plan& fastest, int num_threads) {
  part.job.objective = Objective::carbon;
  const StepUse use = price(part.job, candidate_of(fastest), part.cache).use;
  std::optional<Plan> plan =
      best_plan(part.job, fixed, objective_value(part.job, use), num_threads, part.cache);
  return plan ? *std::move(plan) : fastest;
}

// The longest step with which a run on this part is done in time.
double most_step_s(const Job& job, double days) {
  const double goodput = reliability(job.cluster, checkpoint_bytes(job)).goodput;
  return days * kSecondsPerDay / paid_steps(job, goodput);
}

bool is_better_or_equal(const Prediction& a, const Prediction& b) {
  return a.days <= b.days && a.cost_usd <= b.cost_usd && a.carbon_kg <= b.carbon_kg;
}

bool dominates(const Prediction& a, const Prediction& b) {
  return is_better_or_equal(a, b) && !is_better_or_equal(b, a);
}

bool is_smooth(int64_t n) {
  for (int64_t prime : {2, 3, 5, 7}) {
    while (n % prime == 0) n /= prime;
  }
  return n == 1;
}

// Ascending; the whole cluster is the last.
std::vector<int64_t> device_counts(const ClusterSpec& cluster) {
  const int64_t per_node = cluster.devices_per_node, all = cluster.num_devices;
  std::vector<int64_t> counts;
  for (int64_t part : divisors(per_node)) {
    if (part < per_node && part < all) counts.push_back(part);
  }
  for (int64_t nodes = 1; nodes * per_node < all; ++nodes) {
    if (is_smooth(nodes)) counts.push_back(nodes * per_node);
  }
  counts.push_back(all);
  return counts;
}

// The devices of a share of the cluster: whole nodes, or what divides a node; 0: less than a
// device.
int64_t part_of(const ClusterSpec& cluster, double fraction) {
  if (fraction == 1) return cluster.num_devices;
  const auto devices =
      static_cast<int64_t>(std::floor(static_cast<double>(cluster.num_devices) * fraction));
  const int64_t per_node = cluster.devices_per_node;
  if (devices >= per_node) return devices / per_node * per_node;
  int64_t part = devices;
  while (part > 0 && per_node % part != 0) --part;
  return part;
}

}  // namespace

std::vector<ParetoPoint> pareto_points(const Job& job, const Fixed& fixed, int num_threads) {
  CHECK(job.tokens > 0, "a front needs the tokens of the run");
  constexpr double kFractions[] = {1, 0.75, 0.5, 0.375, 0.25, 0.125, 0.0625, 0.03125};
  std::vector<ParetoPoint> points;
  int64_t last = 0;
  LayerCostCache network(job);  // whose elements are the same on all parts
  double device_seconds = std::numeric_limits<double>::infinity();  // of a sequence
  for (double fraction : kFractions) {
    const int64_t devices = part_of(job.cluster, fraction);
    if (devices == 0 || devices == last) continue;
    last = devices;
    Part part(job, fixed, devices, network);
    // Parts differ in the sequences of a step.
    const double share = static_cast<double>(devices) / static_cast<double>(part.job.global_batch);
    std::optional<Plan> plan = fastest_on(part, fixed, device_seconds / share, num_threads);
    if (!plan) continue;
    device_seconds = plan->predicted.step_s * share;
    if (plan->predicted.carbon_kg > 0) {  // the cluster's file says what power emits
      points.push_back({cleanest_on(part, fixed, *plan, num_threads), true});
    }
    points.push_back({*std::move(plan), true});
  }
  for (ParetoPoint& point : points) {
    point.is_on_front = std::none_of(points.begin(), points.end(), [&](const ParetoPoint& other) {
      return dominates(other.plan.predicted, point.plan.predicted);
    });
  }
  std::stable_sort(points.begin(), points.end(), [](const ParetoPoint& a, const ParetoPoint& b) {
    return std::pair(!a.is_on_front, a.plan.predicted.days) <
           std::pair(!b.is_on_front, b.plan.predicted.days);
  });
  // The same numbers twice: time and carbon often choose one plan.
  const auto same = [](const ParetoPoint& a, const ParetoPoint& b) {
    const Prediction &p = a.plan.predicted, &q = b.plan.predicted;
    return p.days == q.days && p.cost_usd == q.cost_usd && p.carbon_kg == q.carbon_kg;
  };
  points.erase(std::unique(points.begin(), points.end(), same), points.end());
  return points;
}

double days_from_string(std::string_view text) {
  const std::string copy(text);
  char* end = nullptr;
  const double value = std::strtod(copy.c_str(), &end);
  const std::string unit = end;
  const double days = unit == "d" ? 1 : unit == "h" ? 1.0 / 24 : unit == "w" ? 7 : 0;
  if (end == copy.c_str() || days == 0 || !(value > 0) || !std::isfinite(value)) {
    throw ConfigError(concat("--deadline: '", text, "'; valid: 30d, 12h, 2w"));
  }
  return value * days;
}

namespace {

double highest(const EfficiencyCurve& curve) {
  double most = 0;
  for (const EfficiencyPoint& point : curve) most = std::max(most, point.efficiency);
  return most;
}

// No plan has a higher MFU: that of the largest products, or of attention where it is faster. With
// 8 bits the two have different peaks: all of it.
double mfu_limit(const Job& job) {
  const Accelerator& a = job.cluster.accelerator;
  const bool is_low = job.precision == Precision::fp8 || job.stack.format != ProductFormat::bf16;
  if (is_low) return 1;
  const double products = job.stack.numbers.matmul_share * highest(a.matmul_curve(job.precision));
  const double attention = job.stack.numbers.attention_share * highest(a.attention_efficiency);
  return std::min(1.0, a.sustained_share * std::max(products, attention));
}

// The fastest plan on a part, if it is done in time.
std::optional<Plan> in_time_on(Part& part, const Fixed& fixed, double days, int num_threads) {
  try {
    std::optional<Plan> plan =
        best_plan(part.job, fixed, most_step_s(part.job, days), num_threads, part.cache);
    if (plan && plan->predicted.days <= days) return plan;
  } catch (const ConfigError&) {  // the fixed decisions do not divide
  }
  return std::nullopt;
}

}  // namespace

std::optional<Plan> smallest_in_time(const Job& job, const Fixed& fixed, double days,
                                     int num_threads) {
  LayerCostCache network(job);
  Part all(job, fixed, job.num_devices(), network);
  std::optional<Plan> whole =
      fastest_on(all, fixed, std::numeric_limits<double>::infinity(), num_threads);
  double fewest = 0;  // devices, at the limit of the MFU: the run's FLOPs know no batch
  if (whole) {
    const Prediction& p = whole->predicted;
    fewest = p.mfu * p.days * p.goodput * static_cast<double>(job.num_devices()) /
             (days * mfu_limit(job));
  }
  // One after the other: more devices are not always faster, some counts do not split at all, and a
  // part may be in time where the whole is not.
  for (const int64_t devices : device_counts(job.cluster)) {
    if (static_cast<double>(devices) < fewest || devices == job.num_devices()) continue;
    Part part(job, fixed, devices, network);
    std::optional<Plan> plan = in_time_on(part, fixed, days, num_threads);
    if (plan) return plan;
  }
  if (whole && whole->predicted.days > days) return std::nullopt;
  return whole;
}

}  // namespace argosy
