// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-train --verify N: N steps at the plan's layout and, on rank 0, the same steps on one rank;
// says how far loss, gradients and parameters are apart. Trains nothing and writes no run folder.
#pragma once

#include <iosfwd>

#include "comm/communicator.h"
#include "trainer/device/device_context.h"
#include "trainer/layers/faults.h"
#include "trainer/options.h"

namespace argosy {

// Collective. kExitDone when all steps agree within verify_tolerance(), else kExitFailure with the
// worst tensor named. Rank 0 needs memory for the whole model, gradients and optimizer state.
// fault: a mistake of the layout, not of the one rank; for tests of what is noticed.
int run_verify(const TrainOptions& options, DeviceContext& device, Communicator& world,
               std::ostream& out, Fault fault = Fault::none);

}  // namespace argosy
