// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// In the place of the communicator where the project is built without NCCL.
#include "comm/nccl/nccl_communicator.h"
#include "planner/spec/check.h"

namespace argosy {

void prepare_nccl_environment(int, bool) {}

std::unique_ptr<Communicator> make_nccl_communicator(std::unique_ptr<Communicator>, DeviceStreams&,
                                                     const NcclOptions&) {
  throw Error("this build has no NCCL: build with the cuda preset");
}

}  // namespace argosy
