// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a rank is doing, for another thread to read: a rank that hangs cannot tell.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "planner/spec/clock.h"

namespace argosy {

class Heartbeat {
 public:
  struct Activity {
    std::string action;  // "1RECV_F0", "data", "optimizer"
    std::string call;    // inside the communicator: "recv pp from rank 3"; else empty
    int64_t beats = 0;   // changes with every change
    Clock::time_point since = Clock::now();
  };

  // The rank's own thread. leave() is the end of a call.
  void act(std::string action) {
    const std::lock_guard lock(mutex_);
    activity_.action = std::move(action);
    beat();
  }
  void enter(std::string call) {
    const std::lock_guard lock(mutex_);
    activity_.call = std::move(call);
    beat();
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    activity_.call.clear();
    beat();
  }

  Activity activity() const {
    const std::lock_guard lock(mutex_);
    return activity_;
  }

 private:
  void beat() {
    ++activity_.beats;
    activity_.since = Clock::now();
  }
  mutable std::mutex mutex_;
  Activity activity_;
};

}  // namespace argosy
