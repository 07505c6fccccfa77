// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A script that starts a program with a configuration of DeepSpeed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace argosy {

// Has it --deepspeed or --deepspeed_config, and none of Megatron's flags of a model?
bool is_deepspeed_command(std::string_view text);

struct DeepSpeedLaunch {
  std::string file;         // of the configuration, as the script names it
  std::string config_json;  // where Hugging Face's arguments say what "auto" is, with these values
  int64_t seq_len = 0;      // of the arguments; 0: none says it
};

// Throws ConfigError if no file is named or it cannot be read; `where` is for messages.
DeepSpeedLaunch read_deepspeed_launch(std::string_view text, const std::string& where);

// Throws ConfigError for arguments of Hugging Face's Trainer without DeepSpeed: what decides the
// layout is not among them.
void refuse_trainer_command(std::string_view text, const std::string& where);

}  // namespace argosy
