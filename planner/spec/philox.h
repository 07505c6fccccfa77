// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Counter-based random numbers, Philox4x32-10 (Salmon et al., SC 2011): the value depends on (key,
// counter) alone, never on who asks or in which order, so that any layout draws the same weights
// and reads the same samples. What kernels draw is constexpr here: any device may call it.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string_view>

namespace argosy {

using PhiloxBlock = std::array<uint32_t, 4>;

// Four words of 32 bits, each in 64: a loop that draws many numbers vectorises so.
struct PhiloxWords {
  uint64_t x0, x1, x2, x3;
};
[[gnu::always_inline]] constexpr PhiloxWords philox_words(uint64_t key, uint64_t counter_low,
                                                          uint64_t counter_high) {
  // Multipliers and Weyl increments of Philox4x32 (section 3.3 there).
  constexpr uint64_t kMultiplier0 = 0xD2511F53u, kMultiplier1 = 0xCD9E8D57u;
  constexpr uint32_t kWeyl0 = 0x9E3779B9u, kWeyl1 = 0xBB67AE85u;
  constexpr uint64_t kLow = 0xffffffffu;
  constexpr int kRounds = 10;
  PhiloxWords x = {counter_low & kLow, counter_low >> 32, counter_high & kLow, counter_high >> 32};
  auto key0 = static_cast<uint32_t>(key), key1 = static_cast<uint32_t>(key >> 32);
#pragma GCC unroll 10
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t product0 = kMultiplier0 * x.x0, product1 = kMultiplier1 * x.x2;
    x = {(product1 >> 32) ^ x.x1 ^ key0, product1 & kLow, (product0 >> 32) ^ x.x3 ^ key1,
         product0 & kLow};
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return x;
}

constexpr PhiloxBlock philox(uint64_t key, uint64_t counter_low, uint64_t counter_high) {
  const PhiloxWords x = philox_words(key, counter_low, counter_high);
  return {static_cast<uint32_t>(x.x0), static_cast<uint32_t>(x.x1), static_cast<uint32_t>(x.x2),
          static_cast<uint32_t>(x.x3)};
}

// 53 bits of two words of a block, as a number in [0, 1).
[[gnu::always_inline]] constexpr double unit_interval(uint64_t high, uint64_t low) {
  const uint64_t bits = (high << 32 | low) >> 11;
  return static_cast<double>(bits) * 0x1.0p-53;
}

// A normal number from one block (Box-Muller). The functions of double are the device's own: two
// devices may differ by an ulp of double. A template: they are not constexpr.
template <typename Block>
constexpr double to_normal(const Block& block) {
  const double radius_uniform =
      1.0 - unit_interval(block[0], block[1]);  // (0, 1]: the logarithm exists
  const double angle_uniform = unit_interval(block[2], block[3]);
  return std::sqrt(-2.0 * std::log(radius_uniform)) *
         std::cos(2.0 * std::numbers::pi * angle_uniform);
}

// FNV-1a, 64 bits: the stream of a tensor is named by hash_name(tensor name).
uint64_t hash_name(std::string_view name);

// Element `index` of stream `stream` under `seed`.
double uniform(uint64_t seed, uint64_t stream, uint64_t index);          // [0, 1), 53 bits
double standard_normal(uint64_t seed, uint64_t stream, uint64_t index);  // Box-Muller
constexpr uint64_t random_bits(uint64_t seed, uint64_t stream, uint64_t index) {
  const PhiloxBlock block = philox(seed, index, stream);
  return static_cast<uint64_t>(block[0]) << 32 | block[1];
}

}  // namespace argosy
