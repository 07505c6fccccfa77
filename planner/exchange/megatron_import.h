// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A run that somebody else set up, from its Megatron-LM flags.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "planner/exchange/import.h"

namespace argosy {

// `text`: flags, or a script that calls pretrain_gpt.py with them (comments, quotes and
// continued lines are understood, shell variables too). `num_devices`: of the run; data
// parallelism follows. `model`: the caller's, null if the flags must describe one. Throws
// ConfigError naming the flag that cannot be priced; messages begin with `where`.
PeerRun import_megatron(std::string_view text, int64_t num_devices,
                        const ModelSpec* model = nullptr, const std::string& where = "--import");

}  // namespace argosy
