// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Between a rank's memory and a checkpoint: which pieces it saves (what it owns), and which it
// loads (all it holds).
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "trainer/layers/context.h"
#include "trainer/layers/parameters.h"
#include "trainer/parallel/gradients.h"
#include "trainer/parallel/sharded_optimizer.h"

namespace argosy {

// Collective. Parameters ("parameter") and optimizer state that this rank stands for: over all
// ranks disjoint and complete.
std::vector<TensorPiece> owned_pieces(const LayerContext& ctx, const ParameterStore& store,
                                      const ShardedOptimizer& optimizer);

// What the routers remember, saved by the first rank: the balancing bias of a layer is a
// "parameter" of its own, named as Hugging Face names it (mlp.gate.e_score_correction_bias); the
// shares of the step before are of kind "router_shares".
std::vector<TensorPiece> router_pieces(const LayerContext& ctx);

// Collective. All that a checkpoint has of this rank: both of these.
std::vector<TensorPiece> checkpoint_pieces(const LayerContext& ctx, const ParameterStore& store,
                                           const ShardedOptimizer& optimizer);

// Reduced gradients ("gradient") that this rank stands for; for tests and replica checks.
std::vector<TensorPiece> owned_gradients(const ParameterStore& store,
                                         const ReducedGradients& reduced);

// What a load restores.
//   resume   parameters, master weights and optimizer state
//   weights  parameters, LoRA factors included: to generate text
//   base     parameters of the base model alone: to start a job from; LoRA factors stay as they are
enum class Restore { resume, weights, base };

// Throws ConfigError naming the first difference unless the checkpoint holds the tensors that
// `what` restores, in these shapes.
void check_same_model(const Manifest& stored, const std::vector<TensorSpec>& tensors, Restore what,
                      const std::filesystem::path& checkpoint_dir);

// Collective. `optimizer` may be null unless it is a resume. Loads from any layout and precision;
// parameters prefer stored master weights when they are wider. For `base`, a folder of Hugging Face
// will do.
void restore_checkpoint(const LayerContext& ctx, const std::filesystem::path& checkpoint_dir,
                        Restore what, ParameterStore& store, ShardedOptimizer* optimizer);

// Collective. LoRA factors of PEFT's folder of an adapter, into parameters and their masters, of
// which nothing is rounded off; without optimizer into parameters alone.
void restore_adapter(const LayerContext& ctx, const std::filesystem::path& adapter_dir,
                     ParameterStore& store, const ShardedOptimizer* optimizer);
// Collective. The same from a checkpoint of a LoRA job, into parameters alone.
void restore_adapter_of_checkpoint(const LayerContext& ctx,
                                   const std::filesystem::path& checkpoint_dir,
                                   ParameterStore& store);

}  // namespace argosy
