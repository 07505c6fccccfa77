// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/philox.h"

namespace argosy {

uint64_t hash_name(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a offset basis and prime, 64 bits
  for (const char c : name) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3u;
  }
  return hash;
}

double uniform(uint64_t seed, uint64_t stream, uint64_t index) {
  const PhiloxBlock block = philox(seed, index, stream);
  return unit_interval(block[0], block[1]);
}

double standard_normal(uint64_t seed, uint64_t stream, uint64_t index) {
  return to_normal(philox(seed, index, stream));
}

}  // namespace argosy
