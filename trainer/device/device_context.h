// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Where a rank computes: its memory by named category, and a counter of the matrix FLOPs it ran.
// One per rank, passed down explicitly, so that ranks can be threads. CUDA's streams and handles
// will live here too.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <vector>

#include "planner/spec/types.h"
#include "trainer/tensor.h"

namespace argosy {

// Bytes as requested, by category. Freed blocks are kept and reused by size, so that a steady step
// maps no memory.
struct MemoryUse {
  std::array<int64_t, kNumMemoryCategories> current{}, peak{};
  int64_t total_current = 0, total_peak = 0;
};

// Seconds that products and attention took, for whoever sets them to 0 before. What a step computed
// beside them moved memory.
struct OpSeconds {
  double matmul_s = 0, attention_s = 0;
  bool operator==(const OpSeconds&) const = default;
};

class DeviceContext {
 public:
  explicit DeviceContext(Device device);
  ~DeviceContext();
  DeviceContext(const DeviceContext&) = delete;
  DeviceContext& operator=(const DeviceContext&) = delete;

  Device device() const { return device_; }

  // Uninitialised memory, 64-byte aligned. Tensors may outlive the scope but not the context.
  Tensor empty(Shape shape, DType dtype, MemoryCategory category);
  Tensor zeros(Shape shape, DType dtype, MemoryCategory category);

  // Moves a tensor's bytes to another category: an output that turns out to be kept for backward.
  // All views of the storage follow.
  void recategorize(const Tensor& tensor, MemoryCategory category);

  const MemoryUse& memory() const;
  void reset_peaks();  // peak := current

  int64_t matmul_flops = 0;  // products and attention since the caller last set it to 0
  OpSeconds op_seconds;      // the same of their time

 private:
  friend class Storage;
  struct Pool;
  Device device_;
  std::shared_ptr<Pool> pool_;
};

}  // namespace argosy
