// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Ranks as threads, each with an emulated device of its own: the project's CUDA backend over the
// emulated runtime, and its NCCL communicator over the stand-in for NCCL.
#pragma once

#include <functional>

#include "comm/communicator.h"
#include "comm/nccl/nccl_communicator.h"
#include "trainer/device/device_context.h"

namespace argosy::cuda_emulation {

// How often a rank's host stood still until its device had come to a point.
struct HostWaits {
  int64_t downloads = 0, synchronizations = 0;
  int64_t uploads = 0;  // which wait only where their ring is full
};

// A device whose memory is filled with NaN, in the order of the ops, whenever it is given back, so
// that whoever still uses it, or uses it again without writing it, computes with NaN.
// `waits`: counted there; may be null.
std::unique_ptr<DeviceBackend> make_poisoning_backend(int index, HostWaits* waits = nullptr);

// Runs body(world, device) on `size` ranks; the first exception is rethrown.
void run_on_gpus(int size, const std::function<void(Communicator&, DeviceContext&)>& body,
                 const NcclOptions& options = {}, std::vector<HostWaits>* waits = nullptr);

}  // namespace argosy::cuda_emulation
