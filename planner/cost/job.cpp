// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/job.h"

#include <algorithm>
#include <cmath>

#include "planner/cost/search_space.h"

namespace argosy {

namespace {

constexpr double kBatchTokens = 4e6;                // LLaMA, arXiv:2302.13971 table 2
constexpr double kBatchTokensPerParameter = 40e-6;  // 73M tokens at 1.8T parameters
// Stanford Alpaca, Alpaca-LoRA, Vicuna and Tulu 2 (arXiv:2311.10702) all take 128; LLaMA-Factory's
// and PEFT's examples take 8 to 16 a device.
constexpr double kTunedSequences = 128;
constexpr double kCpuBatchTokensPerDevice = 4096;  // a step of seconds, not of hours
constexpr double kBatchWindow = 0.05;              // how far a rounder number may be
constexpr int64_t kLongestDefaultSequence = 8192;
constexpr int64_t kCpuDefaultSequence = 256;

}  // namespace

Plan to_plan(const Job& job, const Candidate& candidate) {
  Plan plan;
  plan.model = job.model;
  plan.cluster = job.cluster.name;
  plan.devices = PlannedDevices{job.cluster.device, job.cluster.devices_per_node};
  plan.mesh = candidate.mesh;
  plan.zero_stage = candidate.zero_stage;
  plan.sequence_parallel = candidate.sequence_parallel;
  plan.cp_kind = candidate.cp_kind;
  plan.micro_batch = candidate.micro_batch;
  plan.global_batch = job.global_batch;
  plan.seq_len = job.seq_len;
  plan.precision = job.precision;
  plan.schedule = candidate.schedule;
  plan.virtual_stages = candidate.virtual_stages;
  plan.moe_capacity_factor = candidate.moe_capacity_factor;
  plan.layers_per_stage =
      candidate.layers_per_stage.empty()
          ? default_layers_per_stage(job.model.num_layers, candidate.num_stages())
          : candidate.layers_per_stage;
  plan.recompute = candidate.layer_recompute;
  if (plan.recompute.empty())
    plan.recompute.assign(static_cast<size_t>(job.model.num_layers), candidate.recompute);
  plan.task = job.task;
  plan.optimizer = job.optimizer;
  plan.offload = candidate.offload;
  plan.predicted.moe_imbalance = job.moe_imbalance;
  plan.lora = job.lora;
  plan.seed = job.seed;
  return plan;
}

void set_recompute(const std::vector<Recompute>& layers, Candidate& candidate) {
  const auto agrees = [&layers](Recompute one) { return one == layers.front(); };
  const bool agree = std::all_of(layers.begin(), layers.end(), agrees);
  candidate.recompute = agree && !layers.empty() ? layers.front() : Recompute::none;
  candidate.layer_recompute = agree ? std::vector<Recompute>{} : layers;
}

std::vector<int64_t> divisors(int64_t n) {
  std::vector<int64_t> low, high;
  for (int64_t d = 1; d * d <= n; ++d) {
    if (n % d != 0) continue;
    low.push_back(d);
    if (d * d != n) high.push_back(n / d);
  }
  low.insert(low.end(), high.rbegin(), high.rend());
  return low;
}

namespace {

// Do tp and pp find room for so many devices?
bool can_split(const ModelSpec& model, int64_t num_devices) {
  const std::vector<int64_t> degrees = divisors(num_devices);
  return std::any_of(degrees.begin(), degrees.end(), [&](int64_t tp) {
    return num_devices / tp <= model.num_layers && tp_reason(model, tp).empty();
  });
}

}  // namespace

namespace {

double usual_sequences(const ModelSpec& model, const ClusterSpec& cluster, Task task,
                       int64_t seq_len) {
  const auto devices = static_cast<double>(cluster.num_devices);
  const auto length = static_cast<double>(seq_len);
  if (cluster.device == Device::cpu) return kCpuBatchTokensPerDevice * devices / length;
  if (task != Task::pretrain) return std::max(kTunedSequences, devices);
  const auto parameters = static_cast<double>(count_parameters(model).total);
  return std::max(kBatchTokens, kBatchTokensPerParameter * parameters) / length;
}

}  // namespace

int64_t default_global_batch(const ModelSpec& model, const ClusterSpec& cluster, Task task,
                             int64_t seq_len, int64_t multiple_of) {
  const int64_t target =
      std::max<int64_t>(1, std::llround(usual_sequences(model, cluster, task, seq_len)));
  const int64_t width = static_cast<int64_t>(kBatchWindow * static_cast<double>(target));
  const std::vector<int64_t> degrees = divisors(cluster.num_devices);
  const auto distance = [&](int64_t batch) { return std::abs(batch - target); };
  std::vector<int64_t> usable;
  for (int64_t dp : degrees) {
    if (can_split(model, cluster.num_devices / dp)) usable.push_back(dp);
  }
  int64_t best = 0, best_count = -1;
  bool best_is_usable = false;
  const int64_t first = std::max<int64_t>(1, (target - width) / multiple_of) * multiple_of;
  for (int64_t batch = first; batch <= std::max(first, target + width); batch += multiple_of) {
    const int64_t count =
        std::count_if(degrees.begin(), degrees.end(), [&](int64_t dp) { return batch % dp == 0; });
    const bool is_usable =
        std::any_of(usable.begin(), usable.end(), [&](int64_t dp) { return batch % dp == 0; });
    const auto better = [&] {
      if (is_usable != best_is_usable) return is_usable;
      return count > best_count || (count == best_count && distance(batch) < distance(best));
    };
    if (better()) {
      best = batch;
      best_count = count;
      best_is_usable = is_usable;
    }
  }
  return best;
}

int64_t default_seq_len(const ModelSpec& model, const ClusterSpec& cluster) {
  const int64_t longest =
      cluster.device == Device::cpu ? kCpuDefaultSequence : kLongestDefaultSequence;
  return model.max_positions > 0 ? std::min(model.max_positions, longest) : longest;
}

}  // namespace argosy
