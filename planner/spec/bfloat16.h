// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The bf16 number: the upper half of an fp32. Storage only; arithmetic is done in fp32.
#pragma once

#include <bit>
#include <cstdint>

namespace argosy {

struct bfloat16 {
  uint16_t bits = 0;
  bfloat16() = default;
  // Round to nearest even; NaN stays a NaN.
  explicit bfloat16(float value) {
    const uint32_t word = std::bit_cast<uint32_t>(value);
    const bool is_nan = (word & 0x7fffffffu) > 0x7f800000u;
    bits = static_cast<uint16_t>(is_nan ? (word >> 16) | 0x40u
                                        : (word + 0x7fffu + ((word >> 16) & 1u)) >> 16);
  }
  explicit bfloat16(double value) : bfloat16(static_cast<float>(value)) {}
  operator float() const {
    return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
  }  // NOLINT: exact
};
static_assert(sizeof(bfloat16) == 2);

}  // namespace argosy
