// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// torchtitan's names of schedules, and its setups as one table of sections. Keys are
// those of torchtitan/config/job_config.py, v0.2.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "planner/spec/plan.h"

namespace argosy {

// Converters of a model to products in 8 bits; float8 is the older name of the first.
inline constexpr const char* kFloat8 = "float8";
inline constexpr const char* kFloat8Linears = "quantize.linear.float8";
inline constexpr const char* kFloat8Experts = "quantize.grouped_mm.float8";

// Names of torch.distributed.pipelining, in small and capital letters alike; "" or nothing: there
// is none.
std::string torchtitan_schedule(ScheduleKind kind);
std::optional<ScheduleKind> schedule_of_torchtitan(std::string_view name);
std::string torchtitan_schedule_names();

// Is it a command with a flag as --training.seq_len, or with CONFIG_FILE and run_train.sh?
bool is_torchtitan_command(std::string_view text);

// A JSON object of the sections with their keys, of a TOML file's text or a command line's; flags
// win over the file that --job.config_file or else CONFIG_FILE of the environment names. Throws
// ConfigError.
std::string read_torchtitan_setup(std::string_view text, const std::string& where);

}  // namespace argosy
