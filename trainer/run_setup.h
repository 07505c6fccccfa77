// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a run needs before its first step: the plan as it will run, the data, and the words that
// describe both. Everything here is decided alike on every rank; the user's mistakes become one
// ConfigError on all of them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "planner/spec/plan.h"
#include "trainer/data_streams.h"
#include "trainer/layers/context.h"
#include "trainer/options.h"
#include "trainer/tokenizer/tokenizer_folder.h"
#include "trainer/trainer.h"

namespace argosy {

// How steps are made, as the options say.
TrainerSettings trainer_settings(const TrainOptions& options);

struct RunInputs {
  Plan plan;
  std::filesystem::path tokenizer_folder;  // empty: bytes
  TokenizerFolder tokenizer;               // read where there is text
  LayerSettings layers;                    // dropout, document masks
  DataStream data;
  DataStream evaluation;  // empty without --eval-data
};

// The plan with what the options may change. Throws ConfigError naming --plan and what is wrong
// with the file, or both values where an option contradicts it.
Plan open_plan(const TrainOptions& options);

// Collective. Reads the plan and opens the data on every rank.
RunInputs open_inputs(Communicator& world, const TrainOptions& options);

// Throws ConfigError on all ranks where there are several: what `option` asks for is done by one.
void require_one_rank(const Communicator& world, const char* option);

// Collective. Runs `action` on rank 0; what it throws there is thrown on all ranks.
void on_root(Communicator& world, const std::function<void()>& action);

// "trainable params: 9,175,040 || all params: 3,221,924,864 || trainable%: 0.2848", as PEFT prints
// it.
std::string trainable_line(const Plan& plan);

// What kernels hold besides the workspaces of the plan follows from the device of a rank.
struct KernelDevice {
  int cpu_threads = 0;            // 0: it is no CPU
  int64_t ordered_gpu_bytes = 0;  // memory of a GPU that adds in a fixed order; 0: it is none
};
// A few lines that say what runs where.
std::vector<std::string> describe_run(const Plan& plan, const KernelDevice& device);

}  // namespace argosy
