// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What is to be trained, on which machines, and the decisions that a candidate adds to it.
#pragma once

#include <cstdint>
#include <vector>

#include "planner/cost/stack.h"
#include "planner/spec/cluster.h"
#include "planner/spec/mesh.h"
#include "planner/spec/model.h"
#include "planner/spec/plan.h"

namespace argosy {

enum class Objective { time, cost, carbon };

// Equal for all candidates of a search.
struct Job {
  ModelSpec model;
  ClusterSpec cluster;  // as its devices are seen: with_devices()
  int64_t seq_len = 0;
  int64_t global_batch = 0;  // sequences per optimizer step
  // Nobody asked for that batch: for another number of devices it is rounded anew (fixed.h).
  bool is_default_batch = false;
  double tokens = 0;  // of the whole run; 0: not asked
  Task task = Task::pretrain;
  LoraSpec lora;  // rank 0 unless task is lora
  OptimizerKind optimizer = OptimizerKind::adamw;
  Precision precision = Precision::bf16;
  double moe_imbalance = 1.0;  // rows of the fullest rank's experts over the mean, without capacity
  Objective objective = Objective::time;
  uint64_t seed = 1234;
  double document_tokens = 0;  // in the mean, of those that attention stays within; 0: of none
  double fit_probability = 0;  // that a plan must have; 0: reserved_bytes decides
  Stack stack;                 // whose kernels and overlap: the seconds of everything

  int64_t num_devices() const { return cluster.num_devices; }
};

// One point of the search space.
struct Candidate {
  Mesh mesh;
  bool sequence_parallel = false;
  int64_t micro_batch = 1;
  Recompute recompute = Recompute::none;
  int zero_stage = 0;
  ScheduleKind schedule = ScheduleKind::one_f_one_b;
  int64_t virtual_stages = 1;
  ContextParallel cp_kind = ContextParallel::ring;  // with mesh.cp > 1
  double moe_capacity_factor = 0;                   // 0: dropless
  Offload offload = Offload::none;
  std::vector<int64_t> layers_per_stage;   // [num_stages()]; empty: default_layers_per_stage()
  std::vector<Recompute> layer_recompute;  // [num_layers]; empty: `recompute`, else that is none

  int64_t num_stages() const { return mesh.pp * virtual_stages; }
};

// One word where all layers agree.
void set_recompute(const std::vector<Recompute>& layers, Candidate& candidate);

// Of a step, on each data-parallel rank.
inline int64_t num_microbatches(const Job& job, const Candidate& candidate) {
  return job.global_batch / (candidate.mesh.dp * candidate.micro_batch);
}

// The plan without its prediction.
Plan to_plan(const Job& job, const Candidate& candidate);

// The sequences per step when --global-batch is absent. Pre-training: 4M tokens, or 40 tokens per
// million parameters if that is more (73M for 1.8T; 60M is reported of GPT-4). Fine-tuning and
// adapters: 128 sequences, one a device if that is more. On a CPU 4096 tokens per device. Within 5%
// of that, the number that the most degrees dp dividing the devices divide, of those that leave no
// more devices to a copy than tp and pp find room for; always a multiple of `multiple_of`.
int64_t default_global_batch(const ModelSpec& model, const ClusterSpec& cluster, Task task,
                             int64_t seq_len, int64_t multiple_of);

// The sequence length when --seq-len is absent: the model's positions, 8192 at most; on a CPU 256.
int64_t default_seq_len(const ModelSpec& model, const ClusterSpec& cluster);

// All divisors of n >= 1, ascending.
std::vector<int64_t> divisors(int64_t n);

}  // namespace argosy
