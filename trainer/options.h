// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The options of argosy-train: one definition for the command line, for --config files and for
// --help.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "planner/spec/plan.h"
#include "trainer/captured_step.h"
#include "trainer/data/packing.h"
#include "trainer/layers/router_state.h"
#include "trainer/ops/device_policy.h"
#include "trainer/optimizer/lr_schedule.h"
#include "trainer/parallel/sharded_optimizer.h"

namespace argosy {

enum class TrainMode { help, train, verify, generate, tokenize, measure };

struct TrainOptions {
  TrainMode mode = TrainMode::train;
  std::string help;  // text of --help

  std::filesystem::path plan, data, run_dir, init, init_adapter, eval_data, measure_out,
      tokenize_out,
      tokenizer;  // a folder, "bytes", or empty: what lies with the weights
  double measure_s = 30;
  std::string chat_template_kwargs;  // a JSON object; "": none
  int64_t steps = 0;                 // 0: of so many epochs
  double epochs = 0;
  double warmup_ratio = 0;   // of all steps, instead of lr.warmup_steps; 0: not asked for
  double eval_fraction = 0;  // of the training's samples; 0: none of them is held out
  Device device = Device::cpu;
  bool share_gpus = false;  // several ranks may run on one GPU
  ops::DevicePolicy policy;
  std::string resume = "none";              // none, auto or a step
  std::optional<int64_t> checkpoint_every;  // unset: one at the end; 0: none
  std::optional<int64_t> keep_checkpoints;  // unset: all
  int64_t eval_every = 0, eval_steps = 8;
  int64_t verify_steps = 0;
  int64_t check_replicas_every = 0, check_collectives_every = 0;  // steps; 0: no guard
  int64_t watchdog_s = 600;                                       // 0: none
  LrSchedule lr;
  OptimizerSettings optimizer;
  double clip = 1.0;
  double dropout = 0;
  bool document_mask = false;  // best_fit implies it
  Packing packing = Packing::stream;
  int64_t end_of_text = -1;          // negative: the data's or the model's own
  double router_aux_loss_coef = -1;  // negative: the model's own, 0 for LoRA
  AuxLossScope router_aux_loss = AuxLossScope::sequence;
  bool overlap = true;  // communication beside computation
  CudaGraphs cuda_graphs = CudaGraphs::off;
  double router_bias_update_rate = 1e-3;
  std::optional<double> mtp_loss_scaling_factor;  // unset: kMtpLossScalingFactor
  // What may also stand in the plan; unset: as there.
  std::optional<Precision> precision;
  std::optional<OptimizerKind> optimizer_kind;
  std::optional<uint64_t> seed;
  std::optional<int64_t> lora_rank;
  std::optional<double> lora_alpha;
  std::optional<std::vector<std::string>> lora_targets;

  std::string prompt;
  bool chat = false;  // the prompt is what a user says
  int64_t max_new_tokens = 200, top_k = 0;
  double temperature = 0.8;

  std::string resolved;  // "key = value" lines that --config reads back
};

// Whatever `action` finds wrong with the value of an option says which option it was.
template <typename Action>
auto naming(const char* option, const Action& action) {
  try {
    return action();
  } catch (const ConfigError& error) {
    throw ConfigError(concat(option, ": ", error.what()));
  }
}

// Throws ConfigError naming the option, its value and what would be valid.
TrainOptions parse_train_options(int argc, const char* const* argv);

// The plan with what the options may change. Throws ConfigError naming both values where an option
// contradicts the plan.
Plan apply_options(Plan plan, const TrainOptions& options);

}  // namespace argosy
