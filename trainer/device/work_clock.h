// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// When work was done, told by what does it: the host looks at its own clock, a device that works by
// itself leaves stamps on its compute queue, which are read when it is done.
#pragma once

#include <string>
#include <vector>

#include "comm/device_streams.h"
#include "planner/spec/clock.h"

namespace argosy {

struct Moment {
  double host_s = 0;
  int64_t stamp = DeviceClock::kNoStamp;
};
// Of work that was begun and ended.
struct WorkSpan {
  std::string name;
  Moment begin, end;
};

class WorkClock {
 public:
  explicit WorkClock(DeviceStreams* streams)
      : streams_(streams), device_(streams != nullptr ? streams->clock() : nullptr) {}
  bool is_device() const { return device_ != nullptr; }

  // Second 0 is now; a device has nothing to do.
  void restart() {
    later_.clear();
    origin_ = Clock::now();
    if (is_device()) device_->restart();
  }
  // From now on a device writes nothing down. The host's clock goes on.
  void stop() {
    if (is_device()) device_->stop();
  }
  // Behind the ops that were begun.
  Moment now() {
    if (is_device()) return {0, device_->stamp(streams_->compute())};
    return {seconds_since(origin_), DeviceClock::kNoStamp};
  }
  // From second 0. A device must be done with what it was told.
  double seconds(const Moment& moment) const {
    if (!is_device()) return moment.host_s;
    return moment.stamp == DeviceClock::kNoStamp ? 0 : device_->seconds(moment.stamp);
  }

  // Stamps of a device, as its clock has them.
  int64_t num_stamps() const { return is_device() ? device_->num_stamps() : 0; }
  void skip_to(int64_t stamp) {
    if (is_device()) device_->skip_to(stamp);
  }

  // *sum_s += the seconds between, as soon as they are known: now, or with read().
  void add(const Moment& begin, const Moment& end, double* sum_s) {
    if (!is_device()) {
      *sum_s += end.host_s - begin.host_s;
    } else if (begin.stamp != DeviceClock::kNoStamp && end.stamp != DeviceClock::kNoStamp) {
      later_.push_back({begin, end, sum_s});
    }
  }
  // A device being done: what was added.
  void read() {
    for (const Later& later : later_) *later.sum_s += seconds(later.end) - seconds(later.begin);
    later_.clear();
  }

  // Two stamps an op cost a device some microseconds; whoever wants no times of ops says so.
  bool times_ops = true;

 private:
  struct Later {
    Moment begin, end;
    double* sum_s;
  };
  DeviceStreams* streams_;
  DeviceClock* device_;  // null: the host works
  Clock::time_point origin_ = Clock::now();
  std::vector<Later> later_;
};

}  // namespace argosy
