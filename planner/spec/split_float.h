// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// An fp32 number as a bf16 number and 16 bits more. The bf16 is the number rounded to nearest even;
// the rest is the distance between both as bit patterns, in steps of the fp32. So a weight and its
// master take 4 bytes together, not 6.
//
// One fp32 in 131,072 has no code: half way between two bf16 with the lower one even, which is
// where it is rounded to, it lies 2^15 steps above, and a rest ends at 2^15 - 1. (The fp32 that
// round to one even bf16 are 65,537.) It becomes the fp32 next to it towards that bf16. All others,
// infinities, zeros and denormals included, come back to the bit; a NaN stays a NaN.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "planner/spec/bfloat16.h"

namespace argosy {

// Both are made of arithmetic on bit patterns alone, which compilers vectorise.
inline float join_float(bfloat16 rounded, int16_t rest) {
  const uint32_t high = static_cast<uint32_t>(rounded.bits) << 16;
  return std::bit_cast<float>(high + static_cast<uint32_t>(static_cast<int32_t>(rest)));
}

// Of the bf16 that `value` is rounded to.
inline int16_t rest_of_float(float value, bfloat16 rounded) {
  const uint32_t high = static_cast<uint32_t>(rounded.bits) << 16;
  const auto steps = static_cast<int32_t>(std::bit_cast<uint32_t>(value) - high);
  return static_cast<int16_t>(std::clamp(steps, -32768, 32767));
}

}  // namespace argosy
