// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include "planner/spec/clock.h"
#include "trainer/device/device_context.h"

namespace argosy::ops {

// Adds the seconds of its scope. Two looks at the clock cost about 50 ns, the smallest product 500.
// Of a device that works by itself the scope tells nothing: nothing is added.
class OpTimer {
 public:
  OpTimer(const DeviceContext& ctx, double& sum_s)
      : is_timed_(ctx.device() == Device::cpu), sum_s_(sum_s) {}
  ~OpTimer() {
    if (is_timed_) sum_s_ += seconds_since(begin_);
  }
  OpTimer(const OpTimer&) = delete;
  OpTimer& operator=(const OpTimer&) = delete;

 private:
  bool is_timed_;
  double& sum_s_;
  Clock::time_point begin_ = Clock::now();
};

}  // namespace argosy::ops
