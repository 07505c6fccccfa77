// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Ends a job that hangs, and says where. A thread of its own that reads the rank's heartbeat; it
// never communicates.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "comm/heartbeat.h"

namespace argosy {

// "rank 3 has been in 1RECV_F0, waiting in recv pp from rank 1, for 600 s".
std::string describe_stall(int rank, const Heartbeat::Activity& activity, double seconds);

class Watchdog {
 public:
  // on_stall is called once, on the watchdog's thread, when the heartbeat has not changed for
  // limit_s seconds. `heartbeat` must outlive this.
  Watchdog(const Heartbeat& heartbeat, int rank, double limit_s,
           std::function<void(const std::string& message)> on_stall);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void run();

  const Heartbeat& heartbeat_;
  int rank_;
  double limit_s_;
  std::function<void(const std::string&)> on_stall_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::thread thread_;  // declared last: starts when the rest is there
};

}  // namespace argosy
