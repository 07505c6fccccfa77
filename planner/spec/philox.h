// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Counter-based random numbers, Philox4x32-10 (Salmon et al., SC 2011): the value depends on (key,
// counter) alone, never on who asks or in which order, so that any layout draws the same weights
// and reads the same samples.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace argosy {

using PhiloxBlock = std::array<uint32_t, 4>;
PhiloxBlock philox(uint64_t key, uint64_t counter_low, uint64_t counter_high);

// FNV-1a, 64 bits: the stream of a tensor is named by hash_name(tensor name).
uint64_t hash_name(std::string_view name);

// Element `index` of stream `stream` under `seed`.
double uniform(uint64_t seed, uint64_t stream, uint64_t index);          // [0, 1), 53 bits
double standard_normal(uint64_t seed, uint64_t stream, uint64_t index);  // Box-Muller
uint64_t random_bits(uint64_t seed, uint64_t stream, uint64_t index);

}  // namespace argosy
