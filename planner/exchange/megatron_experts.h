// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Experts and windows among Megatron-LM's flags.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "planner/exchange/megatron_words.h"

namespace argosy {

struct MegatronExperts {
  int64_t num_experts = 0;  // 0: a dense model
  int64_t top_k = 2, ffn_size = 0;
  int64_t shared_ffn_size = 0;   // of all shared experts together
  bool has_shared_gate = false;  // their output is scaled by a gate
  bool rescales_weights = true;  // the choices' weights sum to one
  bool is_sigmoid = false;       // scores are sigmoids, with a balancing bias
  int64_t num_groups = 1, top_groups = 1;
  double routed_scaling = 1, capacity_factor = 0;
  std::vector<bool> layer_is_moe;  // [num_layers]
  std::string idle_flags;          // of a dense model: flags of experts, without influence

  int64_t num_dense_layers() const;
  // The dense layers are the first ones.
  bool is_dense_first() const;
};

// `ffn_size` of the dense MLP. Throws ConfigError naming the flag.
MegatronExperts read_megatron_experts(MegatronFlags& flags, int64_t num_layers, int64_t ffn_size);

struct MegatronWindow {
  int64_t keys = 0;                // that a query sees, itself included; 0: all before it
  std::vector<bool> layer_has_it;  // [num_layers]
};
MegatronWindow read_megatron_window(MegatronFlags& flags, int64_t num_layers);

}  // namespace argosy
