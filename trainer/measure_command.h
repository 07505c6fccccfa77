// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-train --measure OUT.json: what this machine does, as a cluster file for the planner. Start
// it under mpirun with one rank a core: everything is measured with all ranks busy, as in training.
#pragma once

#include <iosfwd>

#include "comm/communicator.h"
#include "trainer/device/device_context.h"
#include "trainer/options.h"

namespace argosy {

// Collective. Throws ConfigError on a single rank: links cannot be measured alone.
int run_measure(const TrainOptions& options, DeviceContext& device, Communicator& world,
                int local_ranks, std::ostream& out);

}  // namespace argosy
