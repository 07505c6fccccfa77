// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What this machine's memory gives to plain loops, for benchmarks to hold their ops against.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include "planner/spec/clock.h"
#include "trainer/device/device_context.h"

namespace argosy::bench {

inline double seconds_of(const std::function<void()>& body) {
  const Clock::time_point begin = Clock::now();
  body();
  return seconds_since(begin);
}

inline double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

// Bytes that an op must move: each array that it reads, writes, or reads and writes in place,
// counted once in each direction.
struct Traffic {
  int64_t read_bytes = 0, written_bytes = 0, updated_bytes = 0;  // updated: read and written
  int64_t total() const { return read_bytes + written_bytes + 2 * updated_bytes; }
};

// A loop over the same traffic that does next to no arithmetic, on the threads of OpenMP: what is
// read is summed, what is written gets a constant, what is updated is scaled. The arrays are pieces
// of equal length, walked side by side as an op walks its operands.
class Reference {
 public:
  // `num_*`: arrays of each kind, at most 4 of one.
  Reference(DeviceContext& ctx, const Traffic& traffic, int num_read, int num_written,
            int num_updated);
  void run();

 private:
  std::vector<Tensor> read_, written_, updated_;  // fp32
  std::vector<double> sums_;                      // by thread: keeps the reads
};

}  // namespace argosy::bench
