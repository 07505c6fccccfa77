// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Updates by the host's cores of weights that are on a device (ZeRO-Offload, Ren et al. 2021,
// arXiv 2101.06840). The optimizer's state stays in the host's memory; gradients and weights come
// down and weights go up again, load by load: while the host updates one, the next one comes down
// and the one before goes up. Where the device is the host, nothing is copied.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "comm/device_streams.h"
#include "planner/spec/host_loads.h"
#include "trainer/device/device_context.h"
#include "trainer/ops/update.h"

namespace argosy {

// The host's side, kept from step to step.
class HostMemory {
 public:
  // The device must outlive it. weights, gradients: what dtypes come down.
  HostMemory(DeviceContext& device, DType weights, DType gradients,
             int64_t load_elements = kHostLoadElements);

  DeviceContext& context() { return host_; }  // of the optimizer's state
  const MemoryUse& memory() const { return host_.memory(); }

 private:
  friend class HostUpdate;
  // Where a load lies, in pinned memory.
  struct Slot {
    Tensor grads, params;                  // (load_elements)
    std::unique_ptr<DeviceMark> down, up;  // of its latest copies; null: there were none
  };
  static constexpr size_t kNumSlots = kNumHostLoads;

  DeviceContext& device_;
  DeviceContext host_;
  int64_t load_elements_;
  Tensor scale_;                       // fp64 (1)
  std::array<Slot, kNumSlots> slots_;  // not where the device is the host
  std::unique_ptr<DeviceQueue> down_, up_;
};

// One update, while it lives.
class HostUpdate {
 public:
  // parts: gradients and weights of the device, state of the host; they begin to come down behind
  // the ops that were begun. grad_scale: fp64 (1) on the device, which is waited for.
  HostUpdate(HostMemory& memory, std::vector<ops::UpdatePart> parts, const Tensor& grad_scale);

  // Updates on the host: parts and factor are in its memory.
  using Apply =
      std::function<void(std::span<const ops::UpdatePart> parts, const Tensor& grad_scale)>;
  // Goes on until `num_parts` are updated; what the device is told from then on finds them.
  void advance(size_t num_parts, const Apply& apply);

 private:
  // Elements [from, from + size) of a part, at `at` of the slot.
  struct Piece {
    size_t part = 0;
    int64_t from = 0, size = 0, at = 0;
  };
  using Load = std::vector<Piece>;

  void plan_loads();
  HostMemory::Slot& slot_of(size_t load) { return memory_.slots_[load % HostMemory::kNumSlots]; }
  void begin_down(size_t load);
  void update(size_t load, const Apply& apply);

  HostMemory& memory_;
  std::vector<ops::UpdatePart> parts_;
  std::vector<Load> loads_;  // none where the device is the host
  size_t num_updated_ = 0;   // loads; where the device is the host, parts
};

}  // namespace argosy
