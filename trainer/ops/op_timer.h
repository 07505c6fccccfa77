// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <exception>

#include "trainer/device/device_context.h"

namespace argosy::ops {

// Adds the seconds of its scope; of a device that works by itself, those of the ops that were begun
// in it. Two looks at the host's clock cost about 50 ns, the smallest product 500.
class OpTimer {
 public:
  OpTimer(DeviceContext& ctx, double& sum_s)
      : clock_(ctx.clock()), sum_s_(sum_s), begin_(now(clock_)) {}
  ~OpTimer() {
    try {
      clock_.add(begin_, now(clock_), &sum_s_);
    } catch (const std::exception&) {  // a device that failed says so again with the next op
    }
  }
  OpTimer(const OpTimer&) = delete;
  OpTimer& operator=(const OpTimer&) = delete;

 private:
  static Moment now(WorkClock& clock) { return clock.times_ops ? clock.now() : Moment(); }

  WorkClock& clock_;
  double& sum_s_;
  Moment begin_;
};

}  // namespace argosy::ops
