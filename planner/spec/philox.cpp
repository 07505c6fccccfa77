// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/philox.h"

#include <cmath>
#include <numbers>

namespace argosy {

namespace {

// Multipliers and Weyl increments of Philox4x32 (Salmon et al., SC 2011, section 3.3).
constexpr uint64_t kMultiplier0 = 0xD2511F53u, kMultiplier1 = 0xCD9E8D57u;
constexpr uint32_t kWeyl0 = 0x9E3779B9u, kWeyl1 = 0xBB67AE85u;
constexpr int kRounds = 10;

double to_unit_interval(uint32_t high, uint32_t low) {
  const uint64_t bits = (static_cast<uint64_t>(high) << 32 | low) >> 11;
  return static_cast<double>(bits) * 0x1.0p-53;
}

}  // namespace

PhiloxBlock philox(uint64_t key, uint64_t counter_low, uint64_t counter_high) {
  PhiloxBlock x = {static_cast<uint32_t>(counter_low), static_cast<uint32_t>(counter_low >> 32),
                   static_cast<uint32_t>(counter_high), static_cast<uint32_t>(counter_high >> 32)};
  uint32_t key0 = static_cast<uint32_t>(key), key1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t product0 = kMultiplier0 * x[0], product1 = kMultiplier1 * x[2];
    x = {static_cast<uint32_t>(product1 >> 32) ^ x[1] ^ key0, static_cast<uint32_t>(product1),
         static_cast<uint32_t>(product0 >> 32) ^ x[3] ^ key1, static_cast<uint32_t>(product0)};
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return x;
}

uint64_t hash_name(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a offset basis and prime, 64 bits
  for (const char c : name) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3u;
  }
  return hash;
}

uint64_t random_bits(uint64_t seed, uint64_t stream, uint64_t index) {
  const PhiloxBlock block = philox(seed, index, stream);
  return static_cast<uint64_t>(block[0]) << 32 | block[1];
}

double uniform(uint64_t seed, uint64_t stream, uint64_t index) {
  const PhiloxBlock block = philox(seed, index, stream);
  return to_unit_interval(block[0], block[1]);
}

double standard_normal(uint64_t seed, uint64_t stream, uint64_t index) {
  const PhiloxBlock block = philox(seed, index, stream);
  const double radius_uniform =
      1.0 - to_unit_interval(block[0], block[1]);  // (0, 1]: the logarithm exists
  const double angle_uniform = to_unit_interval(block[2], block[3]);
  return std::sqrt(-2.0 * std::log(radius_uniform)) *
         std::cos(2.0 * std::numbers::pi * angle_uniform);
}

}  // namespace argosy
