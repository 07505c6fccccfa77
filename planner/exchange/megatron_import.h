// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A run that somebody else set up, from its Megatron-LM flags.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace argosy {

struct MegatronRun {
  std::string model_json;  // config.json of the model; "" if no flag describes one
  int64_t seq_len = 0, global_batch = 0;
  std::string precision = "fp32", optimizer = "adamw";
  std::string fix;  // every decision, as for --fix
  std::vector<std::string> warnings;
};

// `text`: flags, or a script that calls pretrain_gpt.py with them (comments, quotes and
// continued lines are understood, shell variables are not). `num_devices`: of the run; data
// parallelism follows. Throws ConfigError naming the flag that cannot be priced.
MegatronRun import_megatron(std::string_view text, int64_t num_devices);

}  // namespace argosy
