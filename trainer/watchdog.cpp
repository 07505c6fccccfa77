// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/watchdog.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "planner/spec/check.h"
#include "planner/spec/clock.h"

namespace argosy {

std::string describe_stall(int rank, const Heartbeat::Activity& activity, double seconds) {
  const std::string action = activity.action.empty() ? "its start" : activity.action;
  const std::string call = activity.call.empty() ? "" : concat(", waiting in ", activity.call);
  return concat("rank ", rank, " has been in ", action, call, ", for ", std::lround(seconds), " s");
}

Watchdog::Watchdog(const Heartbeat& heartbeat, int rank, double limit_s,
                   std::function<void(const std::string& message)> on_stall)
    : heartbeat_(heartbeat),
      rank_(rank),
      limit_s_(limit_s),
      on_stall_(std::move(on_stall)),
      thread_([this] { run(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  thread_.join();
}

void Watchdog::run() {
  const std::chrono::duration<double> period(std::min(1.0, limit_s_ / 4));
  std::unique_lock lock(mutex_);
  while (!stop_.wait_for(lock, period, [&] { return stopping_; })) {
    const Heartbeat::Activity activity = heartbeat_.activity();
    const double still_s = seconds_since(activity.since);
    if (still_s < limit_s_) continue;
    lock.unlock();
    on_stall_(describe_stall(rank_, activity, still_s));
    return;
  }
}

}  // namespace argosy
