// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Collectives on the memory of GPUs by NCCL. What lies in host memory goes through the communicator
// of the hosts that it is made of.
#pragma once

#include <memory>

#include "comm/communicator.h"
#include "comm/device_streams.h"

namespace argosy {

struct NcclOptions {
  double connect_limit_s =
      120.0;  // until all ranks of a group have come; NCCL itself waits for ever
  // Several ranks on one GPU, for tests of correctness; prepare_nccl_environment must know it too.
  bool share_devices = false;
};

// Before the first call of NCCL: what it reads from the environment. Whoever has set a variable
// keeps his choice. One algorithm for all sizes, so that sums do not depend on what it measures;
// and, where devices are shared, an identity for each rank.
void prepare_nccl_environment(int world_rank, bool share_devices);

// Collective. `streams` must outlive it and all groups split from it. Throws ConfigError when two
// ranks have one GPU and may not, and Error in a build without NCCL.
std::unique_ptr<Communicator> make_nccl_communicator(std::unique_ptr<Communicator> hosts,
                                                     DeviceStreams& streams,
                                                     const NcclOptions& options = {});

}  // namespace argosy
