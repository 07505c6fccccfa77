// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The contract: everything the trainer needs and nothing it may guess. The planner writes it, the
// trainer obeys it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/spec/mesh.h"
#include "planner/spec/model.h"
#include "planner/spec/types.h"

namespace argosy {

// "gpipe", "1f1b", "interleaved" (Narayanan et al. 2021), "zb-h1" (Qi et al. 2023), "zb-v" (Qi et
// al. 2024); schedules.cpp tells what each is.
enum class ScheduleKind { gpipe, one_f_one_b, interleaved, zb_h1, zb_v };
// The zero-bubble schedules: input gradients first, weight gradients later.
constexpr bool splits_backward(ScheduleKind kind) {
  return kind == ScheduleKind::zb_h1 || kind == ScheduleKind::zb_v;
}
// What a block computes again in backward: nothing; the softmax of attention; all but its input.
enum class Recompute { none, selective, full };
// How ranks of a cp group, which have a part of each sequence, attend to all of it:
//   ring     keys and values go round, chunks dealt in zig-zag (Liu et al. 2023; Megatron-LM)
//   ulysses  all-to-all: every rank gets all tokens of some heads (Jacobs et al. 2023)
enum class ContextParallel { ring, ulysses };
// finetune: all weights, from a trained model; costs what pre-training costs.
enum class Task { pretrain, finetune, lora };
// Where the optimizer's state lives. optimizer: moments and master weights in the host's memory,
// and the host's cores update them (ZeRO-Offload, Ren et al. 2021).
enum class Offload { none, optimizer };
enum class OptimizerKind { adamw, sgd };  // sgd: plain, without momentum

std::string_view to_string(ScheduleKind kind);
std::string_view to_string(Recompute recompute);
std::string_view to_string(ContextParallel kind);
std::string_view to_string(Task task);
std::string_view to_string(Offload offload);
std::string_view to_string(OptimizerKind kind);
ScheduleKind schedule_from_string(std::string_view text, std::string_view where);
Recompute recompute_from_string(std::string_view text, std::string_view where);
ContextParallel context_parallel_from_string(std::string_view text, std::string_view where);
Task task_from_string(std::string_view text, std::string_view where);
Offload offload_from_string(std::string_view text, std::string_view where);
OptimizerKind optimizer_from_string(std::string_view text, std::string_view where);

// Predicted seconds of one stage's actions for one micro-batch; the trainer simulates its schedule
// from these.
struct StageDurations {
  double forward_s = 0, backward_s = 0;
  // The two parts of a split backward, which add up to backward_s: gradients of inputs, then of
  // weights.
  double backward_input_s = 0, backward_weight_s = 0;
  double send_activation_s = 0, send_gradient_s = 0;
  double reduce_s = 0;     // gradient reduction after the last backward, not overlapped
  double optimizer_s = 0;  // update and, with ZeRO-1, the gather of parameters
};

// What the planner promises for this plan. Ratios are fractions, bytes are per rank of the fullest
// stage.
struct Prediction {
  std::string stack;  // whose kernels and overlap the seconds stand for: "argosy" is the trainer
  double step_s = 0, mfu = 0, mfu_palm = 0, hfu = 0;
  double tokens_per_s = 0, tokens_per_s_per_device = 0, tflops_per_device = 0;
  std::array<int64_t, kNumMemoryCategories> memory_bytes{};  // by MemoryCategory
  int64_t peak_bytes = 0;                                    // of all categories together
  double fits_probability = 1;  // that the device holds them and what is beside them
  int64_t host_bytes = 0;       // in the host's memory, for one device: what is offloaded
  double moe_imbalance = 1;    // rows of the fullest rank's experts over the mean that were assumed
  double bubble_fraction = 0;  // idle share of the step of the average stage
  double exposed_comm_s = 0;   // communication nothing hides
  double days = 0;             // for --tokens, goodput included; 0 without --tokens
  double goodput = 1;
  double checkpoint_interval_s = 0;  // of work, the best one for the cluster's failures
  int64_t spare_nodes = 0;           // that keep the cluster whole, beside those of the mesh
  double cost_usd = 0, energy_kwh = 0;
  double carbon_kg = 0;                // CO2e of the energy and of the machines' making
  double embodied_kg = 0;              // the latter alone
  double peak_flops_per_device = 0;    // dense, of the plan's precision: the MFU denominator
  std::vector<StageDurations> stages;  // [pp * virtual_stages]; empty: no prediction
};

// The devices that a plan was made for.
struct PlannedDevices {
  Device kind = Device::cpu;
  int64_t per_node = 1;
  bool operator==(const PlannedDevices&) const = default;
};

struct Plan {
  ModelSpec model;
  std::string cluster;                    // name of the cluster it was made for
  std::optional<PlannedDevices> devices;  // of it; nothing: not known (plans of earlier versions)
  Mesh mesh;
  int zero_stage = 0;
  bool sequence_parallel = false;
  ContextParallel cp_kind = ContextParallel::ring;  // with mesh.cp > 1
  int64_t micro_batch = 1;                          // sequences
  int64_t global_batch = 1;                         // sequences per optimizer step
  int64_t seq_len = 0;
  Precision precision = Precision::bf16;
  ScheduleKind schedule = ScheduleKind::one_f_one_b;
  int64_t virtual_stages = 1;
  std::vector<int64_t> layers_per_stage;  // [pp * virtual_stages]
  std::vector<Recompute> recompute;       // [num_layers]
  // An expert takes ceil(T*k/E * factor) rows of each sequence and drops later ones; 0: dropless.
  double moe_capacity_factor = 0;
  Task task = Task::pretrain;
  OptimizerKind optimizer = OptimizerKind::adamw;
  Offload offload = Offload::none;
  LoraSpec lora;
  uint64_t seed = 1234;
  Prediction predicted;

  int64_t num_stages() const { return mesh.pp * virtual_stages; }
  int64_t num_microbatches() const {
    return global_batch / (mesh.dp * micro_batch);
  }  // per data-parallel rank and step
  int64_t tokens_per_microbatch() const {
    return micro_batch * seq_len / mesh.cp;
  }  // on one rank before the tp split
  int64_t tokens_per_step() const { return global_batch * seq_len; }
};

// Throws ConfigError naming the numbers unless everything divides as it must: heads by tp; kv heads
// by tp or tp by kv heads; FFN (dense, expert by etp, shared) by tp; tokens of a micro-batch by tp
// with sequence parallelism; sequence by 2*cp (ring) or cp, and then key/value heads of a rank by
// cp (ulysses); experts by ep; global batch by dp*micro_batch; MoE with tp > 1 requires sequence
// parallelism; virtual_stages suit the schedule (interleaved any, zb-v 2, the others 1);
// layers_per_stage sums up; seq_len <= max positions of a model with learned positions. What is
// valid is what the trainer runs.
void validate(const Plan& plan);

// The split of `num_layers` into stages that differ by at most one layer; later stages take the
// longer parts except the last, whose head is work too.
std::vector<int64_t> default_layers_per_stage(int64_t num_layers, int64_t num_stages);

// "none", "selective" or "full" if all layers agree, else "mixed".
std::string_view recompute_word(const Plan& plan);

Range layers_of_stage(const Plan& plan, int64_t stage);  // global layer indices
int64_t stage_of_layer(const Plan& plan, int64_t layer);

// Where the stages sit. Stages go round the `pp` pipeline ranks; those of zb-v go down them and
// back up again, so that the first and the last stage share rank 0.
int64_t pipeline_rank_of_stage(ScheduleKind schedule, int64_t pp, int64_t stage);
int64_t pipeline_rank_of_stage(const Plan& plan, int64_t stage);
std::vector<int64_t> stages_of_pipeline_rank(const Plan& plan, int64_t pipeline_rank);  // ascending

// The embedding is used by the first and the last stage, which hold a copy each, because they are
// on different ranks.
bool has_tied_copy(const Plan& plan);

// plan.json. Reading rejects unknown and missing keys, wrong types and a format version other than
// ours, naming file and key.
std::string to_json(const Plan& plan);
Plan parse_plan(std::string_view json_text, const std::string& where);
Plan read_plan(const std::filesystem::path& path);
void write_plan(const Plan& plan,
                const std::filesystem::path& path);  // temporary file, then rename

}  // namespace argosy
