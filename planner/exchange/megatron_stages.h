// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// How Megatron-LM's flags deal layers: to stages of the pipeline, and kinds to layers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/exchange/megatron_words.h"

namespace argosy {

struct MegatronStages {
  std::vector<int64_t> layers;  // of each stage, virtual ones included; empty: nothing says it
  int64_t virtual_stages = 1;   // of a rank
};

// Equal stages, unless a layout or the numbers of the first and last rank say otherwise.
// `num_layers` 0: the model is not among the flags. Throws ConfigError naming the flag.
MegatronStages read_megatron_stages(MegatronFlags& flags, int64_t num_layers, int64_t pp);

// "Et*3|(tt|)*29tmL": layers of each stage; modules for multi-token prediction (m) are the model's
// and go with the last stage. Empty: it is not of this form, or has a stage without layers.
std::vector<int64_t> layers_of_layout(std::string_view layout);

// A list of 0 and 1 for `num_layers` layers as Megatron reads it, "([0]*3+[1]*58)" or "[0,1]*8";
// none: it is not such a list, or of another length.
std::optional<std::vector<bool>> layer_pattern(std::string_view text, int64_t num_layers);

}  // namespace argosy
