// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Where a run starts: what --resume, --init and --init-adapter mean, found before anything is
// written, and loaded when there is memory for it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "planner/spec/plan.h"
#include "trainer/model_checkpoint.h"
#include "trainer/options.h"

namespace argosy {

// The checkpoint folder that a path means: step_N itself, or the newest whole one in a checkpoints
// or run folder. Throws ConfigError saying what was looked for; damaged checkpoints that were
// passed over are named in *skipped.
std::filesystem::path resolve_checkpoint(const std::filesystem::path& path,
                                         std::vector<std::string>* skipped);

// Where a run starts: a checkpoint, or initial values where there is none.
struct StartPoint {
  int64_t step = 0;                  // of the checkpoint that is resumed; 0: a fresh start
  std::filesystem::path checkpoint;  // empty: initial values
  std::filesystem::path adapter;     // PEFT's folder of a LoRA job's factors; empty: none
  Restore restore = Restore::resume;
  std::string init;        // --init of the run's first start; on rank 0
  int64_t older_step = 0;  // of the checkpoint before the resumed one; 0: none; on rank 0
  std::vector<std::string> warnings;  // what the user may not have meant; on rank 0
};

// "weights  base, adapter adapters": what is read.
std::string describe(const StartPoint& start);

// Collective. Follows --resume, --init and --init-adapter, the same on all ranks. Throws
// ConfigError when there is no such checkpoint, or when it is of another model, optimizer or seed:
// before anything is written.
StartPoint find_start(Communicator& world, const TrainOptions& options, const Plan& plan);

// Collective. Where --resume auto goes on when `failed` cannot be loaded: the newest older
// checkpoint whose files have their sizes. Nothing where there is none, or where the user named the
// step.
std::optional<StartPoint> older_start(Communicator& world, const TrainOptions& options,
                                      const Plan& plan, const StartPoint& failed);

// Rank 0's, once `start` is loaded. What --resume auto has passed over gets names of its own: a
// later save of the same step must not replace it. Returns the new paths.
std::vector<std::filesystem::path> set_passed_over_aside(const TrainOptions& options,
                                                         const StartPoint& start);

// What restore_start() does not bring: the rest is not made before it is loaded.
InitialValues values_to_make(const StartPoint& start);

// Collective. Loads it, into memory that has the initial values that values_to_make() names. Throws
// Error on all ranks alike where it is damaged; what was loaded until then must not be used.
void restore_start(const LayerContext& ctx, const StartPoint& start, ParameterStore& store,
                   ShardedOptimizer& optimizer);

}  // namespace argosy
