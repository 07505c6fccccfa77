// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Operands as a step finds them: not in the caches.
#pragma once

#include <algorithm>
#include <vector>

#include "planner/spec/check.h"
#include "trainer/measure/meter.h"
#include "trainer/measure/sizes.h"

namespace argosy {

inline constexpr int64_t kMostBodies = 512;

// One piece of memory for the operands of all jobs, touched once: first touches may cost more than
// what is measured.
class Arena {
 public:
  Arena(const Meter& meter, const MeasureSizes& sizes)
      : memory_(meter.operands(sizes.arena_bytes)), cold_bytes_(sizes.cold_bytes) {}

  // The whole of it is free again.
  void clear() { used_bytes_ = 0; }
  int64_t cold_bytes() const { return cold_bytes_; }
  // Meter::operands() at first, then what earlier jobs left. Valid as long as this.
  Tensor take(Shape shape, DType dtype) {
    constexpr int64_t kAlignment = 256;  // as devices allocate
    const int64_t bytes = shape.size() * size_in_bytes(dtype);
    CHECK(used_bytes_ + bytes <= memory_.bytes(), used_bytes_, " + ", bytes);
    char* data = static_cast<char*>(memory_.raw()) + used_bytes_;
    used_bytes_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    return {memory_.storage(), data, shape, dtype, memory_.device()};
  }

 private:
  Tensor memory_;
  int64_t cold_bytes_;
  int64_t used_bytes_ = 0;
};

// Bodies of one size, so many that none is left in the caches when its turn comes again: a step
// meets each of its weights and activations a few times, with all others in between.
template <typename Body, typename... Args>
std::vector<Body> cold_bodies(Arena& arena, int64_t body_bytes, const Args&... args) {
  arena.clear();
  const int64_t count = std::clamp<int64_t>(arena.cold_bytes() / body_bytes, 1, kMostBodies);
  std::vector<Body> bodies;
  for (int64_t i = 0; i < count; ++i) bodies.emplace_back(arena, args...);
  return bodies;
}

// Seconds of one of them.
template <typename Body>
double cold_seconds(Meter& meter, const std::vector<Body>& bodies) {
  size_t next = 0;
  return meter.seconds([&] { bodies[next++ % bodies.size()].run(meter.device()); });
}

}  // namespace argosy
