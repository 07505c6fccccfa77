// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// All splits for serving, and the questions around them.
#include <algorithm>
#include <cmath>
#include <tuple>

#include "planner/cost/memory_band.h"
#include "planner/cost/search_space.h"
#include "planner/serve/serve.h"
#include "planner/spec/check.h"
#include "planner/spec/kv_cache.h"

namespace argosy {

namespace {

constexpr int64_t kMostGroup = int64_t{1} << 24;  // users of a stage

bool fits(const ServePlan& plan) {
  return !plan.shortage.starts_with("out of memory");
}

// Numbers of users of a split that are worth a row: powers of two, for who wants less, and the most
// of which each is served; a token is the cheaper the more share the weights that it reads. A stage
// works on users/pp of them, rounded up, at a time: with what is left over of the last group, too.
std::vector<int64_t> user_counts(const ServeJob& job, const DecodeModel& model, int64_t tp,
                                 int64_t pp) {
  if (job.users > 0) return {job.users};
  const auto is_served = [&](int64_t users) {
    return serve_plan(job, model, tp, pp, users).shortage.empty();
  };
  std::vector<int64_t> counts = {1};
  while (is_served(counts.back()) && counts.back() < kMostGroup * pp) {
    counts.push_back(2 * counts.back());
  }
  // The last one is too many, the one before is not.
  int64_t low = counts.size() > 1 ? counts[counts.size() - 2] : 0, high = counts.back();
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    (is_served(middle) ? low : high) = middle;
  }
  // All of the groups take as long as the largest: one that is nearly empty is better left out.
  const int64_t whole = low / pp * pp;
  const auto rate = [&](int64_t users) {
    return users == 0 ? 0 : serve_plan(job, model, tp, pp, users).tokens_per_s_per_device;
  };
  counts.push_back(rate(whole) > rate(low) ? whole : low);
  std::erase(counts, 0);
  std::sort(counts.begin(), counts.end());
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  return counts;
}

// Powers of two and the divisors of what is split: other degrees are ragged for no gain.
std::vector<int64_t> tp_degrees(const ServeJob& job) {
  std::vector<int64_t> degrees;
  for (int64_t tp : divisors(job.model.num_heads)) {
    if (tp <= job.cluster.num_devices && (job.tp == 0 || job.tp == tp) &&
        tp_reason(job.model, tp).empty()) {
      degrees.push_back(tp);
    }
  }
  if (degrees.empty()) {
    const std::string why = job.tp > 0 ? tp_reason(job.model, job.tp) : "";
    throw ConfigError(concat("--fix: tp=", job.tp, ": ", why.empty() ? "exceeds the devices" : why,
                             "; valid: divisors of the ", job.model.num_heads,
                             " attention heads up to the number of devices"));
  }
  return degrees;
}

std::vector<int64_t> pp_degrees(const ServeJob& job, int64_t tp) {
  const int64_t most = std::min(job.cluster.num_devices / tp, job.model.num_layers);
  std::vector<int64_t> degrees;
  for (int64_t pp = 1; pp <= most; ++pp) {
    if (job.pp == 0 || job.pp == pp) degrees.push_back(pp);
  }
  return degrees;
}

// Cheapest first; where money has no price, the rate of a device decides.
bool better(const ServePlan& a, const ServePlan& b) {
  return std::tuple(-a.tokens_per_s_per_device, a.devices(), a.tp) <
         std::tuple(-b.tokens_per_s_per_device, b.devices(), b.tp);
}

void note_nearest(const ServePlan& plan, ServePlan& nearest) {
  if (nearest.shortage.empty()) {
    nearest = plan;
    return;
  }
  const auto is_slow = [](const ServePlan& p) { return p.shortage.starts_with("too slow"); };
  if (is_slow(plan) != is_slow(nearest)) {
    if (is_slow(plan)) nearest = plan;
    return;
  }
  const bool closer =
      is_slow(plan) ? plan.token_s < nearest.token_s : plan.peak_bytes < nearest.peak_bytes;
  if (closer) nearest = plan;
}

void add_facts(const ServeJob& job, const DecodeModel& model, ServeResult& result) {
  const double memory = static_cast<double>(unreserved_bytes(job.cluster.accelerator));
  const double streamed = model.parameters - (model.is_table_the_head ? 0 : model.table_parameters);
  result.weight_bytes = model.parameters * job.weights.bytes;
  result.devices_for_weights = static_cast<int64_t>(std::ceil(result.weight_bytes / memory));
  result.devices_for_streamed_weights =
      static_cast<int64_t>(std::ceil(streamed * job.weights.bytes / memory));
  result.cache_bytes_per_token =
      static_cast<double>(kv_elements_per_token(job.model)) * job.cache.bytes;
  const double layer_bytes = static_cast<double>(model.kv_elements_per_layer) * job.cache.bytes;
  const double cached =
      model.cached_tokens(static_cast<double>(job.context_tokens)) * layer_bytes;  // of one user
  result.cache_bytes = cached * static_cast<double>(std::max<int64_t>(1, job.users));
  // A latent vector serves all heads already.
  const int64_t kv_heads = job.model.has_latent_attention() ? 1 : job.model.num_kv_heads;
  result.multi_query_cache_bytes = result.cache_bytes / static_cast<double>(kv_heads);
  double read_bytes = cached + model.head.split_elements * job.weights.bytes;
  for (const DecodeLayer& layer : model.layers) {
    for (const WeightProduct& p : layer.products) {
      const double elements = p.split_elements + p.kv_elements + p.replicated_elements;
      read_bytes +=
          static_cast<double>(layer.count) * elements * p.share_per_token * job.weights.bytes;
    }
  }
  result.bandwidth_tokens_per_s = static_cast<double>(job.cluster.num_devices) *
                                  job.cluster.accelerator.memory_bytes_per_s / read_bytes;
  result.is_beyond_bandwidth = job.tokens_per_s_per_user > result.bandwidth_tokens_per_s;
}

// Smallest replica that holds the weights and the cache, at any rate, on any number of devices.
int64_t devices_needed(const ServeJob& job, const DecodeModel& model) {
  const int64_t users = std::max<int64_t>(1, job.users);
  const int64_t usable = unreserved_bytes(job.cluster.accelerator);
  int64_t fewest = 0;
  for (int64_t tp : divisors(job.model.num_heads)) {
    if (!tp_reason(job.model, tp).empty()) continue;
    for (int64_t pp = 1; pp <= job.model.num_layers; ++pp) {
      if (fewest > 0 && tp * pp >= fewest) break;
      if (serve_plan(job, model, tp, pp, users).peak_bytes <= usable) fewest = tp * pp;
    }
  }
  return fewest;
}

bool reaches(const ServeJob& job, double parameters) {
  ServeJob small = job;
  small.model = resized(job.model, parameters, job.cluster.num_devices);
  small.users = std::max<int64_t>(1, job.users);
  const DecodeModel model = decode_model(small.model);
  for (int64_t tp : divisors(job.cluster.num_devices)) {
    if (!tp_reason(small.model, tp).empty()) continue;
    const int64_t pp = job.cluster.num_devices / tp;
    if (pp > small.model.num_layers) continue;
    if (serve_plan(small, model, tp, pp, small.users).shortage.empty()) return true;
  }
  return false;
}

// Bisection: a larger model is slower and fits worse.
double largest_parameters(const ServeJob& job) {
  double low = 0, high = static_cast<double>(count_parameters(job.model).total);
  constexpr int kHalvings = 12;  // to 1/4096 of the model
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (reaches(job, middle) ? low : high) = middle;
  }
  return low;
}

}  // namespace

namespace {

// Plans of all splits, cheapest first, and what is none.
void search_splits(const ServeJob& job, const DecodeModel& model, ServeResult& result) {
  for (int64_t tp : tp_degrees(job)) {
    for (int64_t pp : pp_degrees(job, tp)) {
      for (int64_t users : user_counts(job, model, tp, pp)) {
        const ServePlan plan = serve_plan(job, model, tp, pp, users);
        ++result.candidates;
        if (plan.shortage.empty()) {
          result.plans.push_back(plan);
          continue;
        }
        ++(plan.shortage.starts_with("too slow") ? result.num_too_slow : result.num_too_large);
        note_nearest(plan, result.nearest);
        if (!fits(plan)) break;  // more users need more
      }
    }
  }
  std::stable_sort(result.plans.begin(), result.plans.end(), better);
}

}  // namespace

ServeResult search_serve(const ServeJob& job, int64_t top) {
  const DecodeModel model = decode_model(job.model);
  ServeResult result;
  add_facts(job, model, result);
  search_splits(job, model, result);
  const bool is_slow =
      !result.plans.empty() && result.plans.front().tokens_per_s_per_user < kChatTokensPerS;
  if (job.tokens_per_s_per_user == 0 && job.users == 0 && is_slow) {
    ServeJob chat = job;
    chat.tokens_per_s_per_user = kChatTokensPerS;
    ServeResult fast;
    search_splits(chat, model, fast);
    if (!fast.plans.empty()) result.for_chats = fast.plans.front();
  }
  if (result.plans.size() > static_cast<size_t>(top)) {
    result.plans.resize(static_cast<size_t>(top));
  }
  result.devices_needed = devices_needed(job, model);
  if (job.tokens_per_s_per_user > 0 && result.plans.empty()) {
    result.largest_parameters = largest_parameters(job);
  }
  return result;
}

std::vector<Sensitivity> serve_sensitivities(const ServeJob& job, const ServePlan& plan) {
  const DecodeModel model = decode_model(job.model);
  const auto on = [&job](const ClusterSpec& cluster) {
    ServeJob other = job;
    other.cluster = cluster;
    return other;
  };
  SecondsOn seconds_on;
  seconds_on.of_plan = [&](const ClusterSpec& cluster) {
    return 1 / serve_plan(on(cluster), model, plan.tp, plan.pp, plan.users).tokens_per_s_per_device;
  };
  seconds_on.fits = [&](const ClusterSpec& cluster) {
    return serve_plan(on(cluster), model, plan.tp, plan.pp, plan.users).shortage.empty();
  };
  seconds_on.of_best = [&](const ClusterSpec& cluster) {
    const std::vector<ServePlan> best = search_serve(on(cluster), 1).plans;
    return best.empty() ? seconds_on.of_plan(cluster) : 1 / best.front().tokens_per_s_per_device;
  };
  return sensitivities(job.cluster, seconds_on);
}

}  // namespace argosy
