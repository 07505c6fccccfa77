// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-train --measure OUT.json: what this machine does, as a cluster file for the planner. Start
// it under mpirun with one rank a core, or with --device cuda one a GPU: everything is measured
// with all ranks busy, as in training.
#pragma once

#include <iosfwd>

#include "comm/communicator.h"
#include "trainer/device/device_context.h"
#include "trainer/options.h"

namespace argosy {

// Collective. Throws ConfigError on a single core, whose links cannot be measured alone, on several
// machines, and where ranks share a GPU.
int run_measure(const TrainOptions& options, DeviceContext& device, Communicator& world,
                int local_ranks, std::ostream& out);

}  // namespace argosy
