// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The two 8-bit floats of the OCP specification (OFP8, 2023), by their definition: sign, exponent,
// mantissa; e4m3 has no infinity and one NaN, e5m2 is a shortened half.
#pragma once

#include <cmath>
#include <cstdint>

namespace argosy::cuda_emulation {

// The value of the bits, `mantissa_bits` of them behind the exponent, which is off by `bias`.
inline float from_bits(uint8_t bits, int mantissa_bits, int bias) {
  const int exponent = (bits & 0x7f) >> mantissa_bits, mantissa = bits & ((1 << mantissa_bits) - 1);
  const float fraction = static_cast<float>(mantissa) / static_cast<float>(1 << mantissa_bits);
  const float size =
      exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1.0f + fraction, exponent - bias);
  return (bits & 0x80) != 0 ? -size : size;
}
inline float from_e4m3(uint8_t bits) {
  return (bits & 0x7f) == 0x7f ? NAN : from_bits(bits, 3, 7);
}
inline float from_e5m2(uint8_t bits) {
  if ((bits & 0x7f) > 0x7c) return NAN;
  if ((bits & 0x7f) == 0x7c) return (bits & 0x80) != 0 ? -INFINITY : INFINITY;
  return from_bits(bits, 2, 15);
}

// The nearest of a format's finite numbers, the even one of two; what is larger becomes the largest
// (as __NV_SATFINITE). Tries all: it is a reference.
template <typename Decode>
uint8_t nearest_bits(float value, const Decode& decode) {
  if (std::isnan(value)) return 0x7f;
  uint8_t best = 0;
  double best_distance = INFINITY;
  for (int bits = 0; bits < 0x80; ++bits) {
    const float size = decode(static_cast<uint8_t>(bits));
    if (!std::isfinite(size)) continue;
    const double distance = std::abs(std::abs(static_cast<double>(value)) - size);
    if (distance < best_distance || (distance == best_distance && bits % 2 == 0)) {
      best = static_cast<uint8_t>(bits);
      best_distance = distance;
    }
  }
  return static_cast<uint8_t>(best | (std::signbit(value) ? 0x80 : 0));
}
inline uint8_t to_e4m3(float value) {
  return nearest_bits(value, from_e4m3);
}
inline uint8_t to_e5m2(float value) {
  return nearest_bits(value, from_e5m2);
}

}  // namespace argosy::cuda_emulation
