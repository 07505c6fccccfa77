// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// How long a run is by Megatron-LM's flags, and how its batch grows.
#pragma once

#include <cstdint>

#include "planner/exchange/import.h"
#include "planner/exchange/megatron_words.h"

namespace argosy {

// Sets global_batch, tokens and ramp of `run`, whose seq_len is there already. `batch_unit`:
// sequences that all data parallel ranks compute at once; without a flag that is the batch. Throws
// ConfigError naming the flag.
void read_megatron_length(MegatronFlags& flags, int64_t batch_unit, PeerRun& run);

}  // namespace argosy
