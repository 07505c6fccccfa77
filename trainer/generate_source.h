// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Whose weights --generate asks: a checkpoint, or a folder of Hugging Face, and an adapter.
#pragma once

#include <filesystem>

#include "planner/spec/plan.h"
#include "trainer/layers/parameters.h"
#include "trainer/model_checkpoint.h"
#include "trainer/options.h"

namespace argosy {

// What is read, and the network on one rank, a sequence at a time. plan.seq_len: the tokens that
// the model may see at once.
struct GenerateSource {
  std::filesystem::path weights;
  Restore restore = Restore::weights;
  std::filesystem::path adapter;  // a folder of PEFT, or a checkpoint of a LoRA job; empty: none
  Plan plan;
};

// Keys and values of all tokens that a network without a plan of ours may see, at most. Others see
// as many tokens as they were planned for.
inline constexpr int64_t kMostCacheBytes = int64_t{2} << 30;

// Follows --run-dir, --init and --init-adapter. Throws ConfigError when there are no such weights.
GenerateSource find_generate_source(const TrainOptions& options);

// Loads them.
void restore_source(const LayerContext& ctx, const GenerateSource& source, ParameterStore& store);

}  // namespace argosy
