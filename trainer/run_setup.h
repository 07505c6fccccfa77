// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a run needs before its first step: the plan as it will run, the data, the starting point.
// Everything here is decided alike on every rank; the user's mistakes become one ConfigError on all
// of them.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "planner/spec/plan.h"
#include "trainer/data/dataset.h"
#include "trainer/layers/context.h"
#include "trainer/model_checkpoint.h"
#include "trainer/options.h"
#include "trainer/trainer.h"

namespace argosy {

// How steps are made, as the options say.
TrainerSettings trainer_settings(const TrainOptions& options);

// Tokens and the order in which they are read.
struct DataStream {
  std::unique_ptr<TokenSource> source;
  std::unique_ptr<SampleOrder> order;
};

struct RunInputs {
  Plan plan;
  LayerSettings layers;  // dropout, document masks
  DataStream data;
  DataStream evaluation;  // empty without --eval-data
};

// Collective. Reads the plan and opens the data on every rank.
RunInputs open_inputs(Communicator& world, const TrainOptions& options);

// The checkpoint folder that a path means: step_N itself, or the newest whole one in a checkpoints
// or run folder. Throws ConfigError saying what was looked for; damaged checkpoints that were
// passed over are named in *skipped.
std::filesystem::path resolve_checkpoint(const std::filesystem::path& path,
                                         std::vector<std::string>* skipped);

// Where a run starts: a checkpoint, or initial values where there is none.
struct StartPoint {
  int64_t step = 0;                  // of the checkpoint that is resumed; 0: a fresh start
  std::filesystem::path checkpoint;  // empty: initial values
  Restore restore = Restore::resume;
  int64_t older_step = 0;  // of the checkpoint before the resumed one; 0: none; on rank 0
  std::vector<std::string> warnings;  // what the user may not have meant; on rank 0
};

// Collective. Follows --resume and --init, the same on all ranks. Throws ConfigError when there is
// no such checkpoint, or when it is of another model, optimizer or seed: before anything is
// written.
StartPoint find_start(Communicator& world, const TrainOptions& options, const Plan& plan);

// Collective. Runs `action` on rank 0; what it throws there is thrown on all ranks.
void on_root(Communicator& world, const std::function<void()>& action);

// "trainable params: 9,175,040 || all params: 3,221,924,864 || trainable%: 0.2848", as PEFT prints
// it.
std::string trainable_line(const Plan& plan);

// A few lines that say what runs where. cpu_threads: of each rank; 0 if its device is no CPU.
std::vector<std::string> describe_run(const Plan& plan, int cpu_threads);

}  // namespace argosy
