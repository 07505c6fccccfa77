// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Work of a device that is written down once and begun with one call ever after, instead of op by
// op: the host's share of each is what a step of small ops lasts.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace argosy {

class DeviceGraph {
 public:
  virtual ~DeviceGraph() = default;
  // Puts all of it on the compute queue, behind what is there.
  virtual void launch() = 0;
  virtual int64_t num_nodes() const = 0;  // kernels, copies, stamps
};

class DeviceGraphs {
 public:
  virtual ~DeviceGraphs() = default;
  // What `work` puts on the compute queue, and on those that it makes wait for that and waits for
  // itself. None of it runs. Every address and number that a kernel is given stays as it is now:
  // memory that it uses must be kept for it (MemoryPool::reserve_step_blocks), and what changes
  // from step to step is read from memory. Throws Error: what cannot be captured, such as waiting
  // for the device.
  virtual std::unique_ptr<DeviceGraph> capture(const std::function<void()>& work) = 0;
};

}  // namespace argosy
