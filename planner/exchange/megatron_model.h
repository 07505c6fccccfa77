// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The network that Megatron-LM's flags describe, as a Hugging Face config.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "planner/exchange/megatron_words.h"

namespace argosy {

struct MegatronModel {
  std::string config_json;
  double capacity_factor = 0;  // of experts; 0: dropless
  std::vector<std::string> warnings;
};

// Blocks of llama's kind (RMSNorm, RoPE, SwiGLU, no biases; with experts Mixtral's or Qwen's; with
// latent attention DeepSeek's, with its experts alone GLM's) or GPT-2's, windows of attention
// included. The vocabulary is padded for `tp` ranks. Throws ConfigError naming the flags of others.
MegatronModel read_megatron_model(MegatronFlags& flags, int64_t num_layers, int64_t seq_len,
                                  int64_t tp);

}  // namespace argosy
