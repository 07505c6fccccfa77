// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Rows of embedding and head by Megatron-LM's flags.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "planner/exchange/megatron_words.h"

namespace argosy {

// As Megatron pads it (_vocab_size_with_padding): so many rows on each of the `tp` ranks. Throws
// ConfigError naming the flag.
int64_t read_megatron_vocabulary(MegatronFlags& flags, int64_t tp,
                                 std::vector<std::string>& warnings);

}  // namespace argosy
