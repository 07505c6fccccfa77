// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A device whose stamps have the times that a test says.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "comm/device_streams.h"

namespace argosy {

class ScriptedQueue : public DeviceQueue {
 public:
  void* stream() const override { return nullptr; }
  void wait_for(const DeviceMark&) override {}
  std::unique_ptr<DeviceMark> mark() const override { return nullptr; }
};

class ScriptedClock : public DeviceClock {
 public:
  void restart() override {
    times_s_.clear();
    runs_ = true;
  }
  void stop() override { runs_ = false; }
  int64_t stamp(const DeviceQueue&) override {
    if (!runs_) return kNoStamp;
    times_s_.push_back(script_s.empty() ? -1.0 : script_s.front());
    if (!script_s.empty()) script_s.pop_front();
    return static_cast<int64_t>(times_s_.size()) - 1;
  }
  double seconds(int64_t stamp) const override { return times_s_.at(static_cast<size_t>(stamp)); }
  int64_t num_stamps() const override { return static_cast<int64_t>(times_s_.size()); }
  // The script has times for what is skipped too.
  void skip_to(int64_t stamp) override {
    while (num_stamps() < stamp) (void)ScriptedClock::stamp(ScriptedQueue());
  }

  std::deque<double> script_s;  // of the next stamps, in the order in which they are asked for

 private:
  std::vector<double> times_s_;
  bool runs_ = false;
};

class ScriptedStreams : public DeviceStreams {
 public:
  std::string device_id() const override { return "scripted"; }
  DeviceQueue& compute() override { return compute_; }
  std::unique_ptr<DeviceQueue> make_queue() override { return std::make_unique<ScriptedQueue>(); }
  void set_while_waiting(std::function<void()>) override {}
  DeviceClock* clock() override { return &scripted_clock; }
  void push_range(const std::string& name) override { ranges.push_back("begin " + name); }
  void pop_range() override { ranges.push_back("end"); }

  ScriptedClock scripted_clock;
  std::vector<std::string> ranges;

 private:
  ScriptedQueue compute_;
};

}  // namespace argosy
