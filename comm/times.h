// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// When this rank communicated, and for how long it could do nothing else: what a recording
// communicator measures beside the ledger's counts. Calls on a device's queue are measured by the
// device's own clock, and what could do nothing else is then its compute queue.
#pragma once

#include <array>
#include <vector>

#include "comm/device_streams.h"
#include "planner/spec/clock.h"
#include "planner/spec/ledger.h"

namespace argosy {

// One call of this rank. Seconds from CommTimes::restart().
struct CommSpan {
  CollectiveKind kind = CollectiveKind::all_reduce;
  Axis axis = Axis::world;
  double start_s = 0;    // posted; on a device: begun there
  double end_s = 0;      // this rank knows that it is complete: late if it looked late
  double blocked_s = 0;  // of the span, inside the communicator: posting, testing, waiting
  double busy_s = 0;     // what the call itself took: inside the communicator, or on its queue
};

// Calls on a device's queues, and waits of its compute queue for them, as stamps of its clock.
struct DeviceCalls {
  struct Call {
    CollectiveKind kind;
    Axis axis;
    DeviceSpan span;
  };
  struct Wait {
    Axis axis;
    DeviceSpan span;
  };
  std::vector<Call> calls;
  std::vector<Wait> waits;
};

// Seconds inside the communicator, by axis. The rest of a span ran beside other work.
using BlockedSeconds = std::array<double, kNumAxes>;

// Of one rank, on its own thread.
class CommTimes {
 public:
  // The device whose queues carry calls; null: none. restart() and stop() of its clock are the
  // caller's, as close to those of this as can be.
  void set_device(DeviceStreams* device) { device_ = device; }
  DeviceStreams* device() const { return device_; }

  // Forgets everything; times count from now on.
  void restart() {
    origin_ = Clock::now();
    spans_.clear();
    blocked_s_ = {};
    on_device_ = {};
  }
  double now_s() const { return seconds_since(origin_); }

  void add_blocked(Axis axis, double seconds) { blocked_s_[static_cast<size_t>(axis)] += seconds; }
  void add(const CommSpan& span) { spans_.push_back(span); }
  // A call on a device's queue, and a wait of its compute queue for one.
  void add(CollectiveKind kind, Axis axis, DeviceSpan span) {
    on_device_.calls.push_back({kind, axis, span});
  }
  void add_wait(Axis axis, DeviceSpan span) { on_device_.waits.push_back({axis, span}); }
  int64_t num_waits() const { return static_cast<int64_t>(on_device_.waits.size()); }
  // Those so far. A captured step (trainer/device/device_graph.h) makes them again.
  const DeviceCalls& on_device() const { return on_device_; }
  void add(const DeviceCalls& again) {
    on_device_.calls.insert(on_device_.calls.end(), again.calls.begin(), again.calls.end());
    on_device_.waits.insert(on_device_.waits.end(), again.waits.begin(), again.waits.end());
  }

  // The device having nothing left to do: its calls become spans().
  void read_device() {
    for (const auto& [kind, axis, span] : on_device_.calls) {
      if (!span.is_known()) continue;
      const double start_s = device_->clock()->seconds(span.begin);
      const double end_s = device_->clock()->seconds(span.end);
      spans_.push_back({kind, axis, start_s, end_s, 0, end_s - start_s});
    }
    on_device_.calls.clear();
  }
  // Of the compute queue, in the waits [begin, end), by axis. As read_device().
  BlockedSeconds waited_s(int64_t begin, int64_t end) const {
    BlockedSeconds seconds{};
    for (int64_t i = begin; i < end; ++i) {
      const auto& [axis, span] = on_device_.waits[static_cast<size_t>(i)];
      if (!span.is_known()) continue;
      seconds[static_cast<size_t>(axis)] +=
          device_->clock()->seconds(span.end) - device_->clock()->seconds(span.begin);
    }
    return seconds;
  }

  const std::vector<CommSpan>& spans() const { return spans_; }   // in the order of their ends
  const BlockedSeconds& blocked_s() const { return blocked_s_; }  // of the host

 private:
  Clock::time_point origin_ = Clock::now();
  std::vector<CommSpan> spans_;
  BlockedSeconds blocked_s_{};
  DeviceStreams* device_ = nullptr;
  DeviceCalls on_device_;
};

}  // namespace argosy
