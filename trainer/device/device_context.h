// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Where a rank computes: its memory by named category, and a counter of the matrix FLOPs it ran.
// One per rank, passed down explicitly, so that ranks can be threads. CUDA's streams and handles
// are found through it: cuda_device.h.
#pragma once

#include <cstdint>
#include <memory>

#include "planner/spec/types.h"
#include "trainer/device/memory_pool.h"
#include "trainer/device/work_clock.h"
#include "trainer/tensor.h"

namespace argosy {

// Seconds that products and attention took, for whoever sets them to 0 before. What a step computed
// beside them moved memory.
struct OpSeconds {
  double matmul_s = 0, attention_s = 0;
  bool operator==(const OpSeconds&) const = default;
};

class DeviceContext {
 public:
  // The device `index` of its kind that this process sees. Throws what its backend throws.
  explicit DeviceContext(Device device, int index = 0);
  DeviceContext(Device device, std::unique_ptr<DeviceBackend> backend);  // tests bring their own
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

  const MemoryUse& memory() const { return pool_->use(); }
  void reset_peaks() { pool_->reset_peaks(); }  // peak := current
  // Blocks that nobody uses go back to the device: of sizes that will not come again.
  void release_unused() { pool_->release_unused(); }

  MemoryPool& pool() const { return *pool_; }
  DeviceBackend& backend() const { return pool_->backend(); }
  void synchronize() { backend().synchronize(); }  // until all ops that were begun are done

  int64_t matmul_flops = 0;  // products and attention since the caller last set it to 0
  OpSeconds op_seconds;      // the same of their time; of a device once clock().read() was called
  WorkClock& clock() { return clock_; }

  // For profilers: what ops belong to from now on, until the next activity; "": to none.
  void begin_activity(const std::string& name);

 private:
  Device device_;
  std::shared_ptr<MemoryPool> pool_;
  WorkClock clock_;
  bool in_activity_ = false;
};

// While it lives, tensors are made in blocks of this list. In those of steps they are gone before
// the next step, or belong to the captured one.
class BlocksFrom {
 public:
  BlocksFrom(const DeviceContext& ctx, BlockList list) : pool_(ctx.pool()), before_(pool_.list()) {
    pool_.set_list(list);
  }
  ~BlocksFrom() { pool_.set_list(before_); }
  BlocksFrom(const BlocksFrom&) = delete;
  BlocksFrom& operator=(const BlocksFrom&) = delete;

 private:
  MemoryPool& pool_;
  BlockList before_;
};

// Of the context that the tensor's memory is from. CHECKs that it has some.
DeviceBackend& backend_of(const Tensor& tensor);

}  // namespace argosy
