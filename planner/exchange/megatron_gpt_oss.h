// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// gpt-oss among Megatron-LM's flags, as examples/gptoss of 2026 has it.
#pragma once

#include <string>
#include <vector>

#include "planner/exchange/megatron_experts.h"
#include "planner/exchange/megatron_words.h"

namespace argosy {

struct MegatronGptOss {
  bool has_attention_bias = true;
  double clamp = 0;  // of its activation; 0: no flag says it
  std::vector<std::string> warnings;
};

// Takes the flags of its activation and its softmax. `is_bias_off`: --disable-bias-linear. Throws
// ConfigError naming what its blocks do not have.
MegatronGptOss read_megatron_gpt_oss(MegatronFlags& flags, const MegatronExperts& experts,
                                     bool is_bias_off);

}  // namespace argosy
