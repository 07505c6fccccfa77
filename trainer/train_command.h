// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The training job from options to exit code: set up, step, report, save.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>

#include "comm/communicator.h"
#include "trainer/device/device_context.h"
#include "trainer/options.h"
#include "trainer/start_times.h"

namespace argosy {

struct TrainHost {
  int local_ranks = 1;                   // of this job on this machine
  int local_cpus = 0;                    // that these ranks may use, all together; 0: not known
  std::function<bool()> stop_requested;  // a signal asked to save and leave
  std::ostream* out = nullptr;           // rank 0 writes here
  StartTimes* start_times = nullptr;     // of this rank; goes on here; null: not told
  // Called on a thread of the watchdog when this rank hangs, with where; it must end the process.
  std::function<void(const std::string& message)> on_stall;
};

// Collective. Returns an exit code of planner/spec/check.h; throws what main reports.
int run_training(const TrainOptions& options, DeviceContext& device, Communicator& world,
                 const TrainHost& host);

}  // namespace argosy
