// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a communicator of device memory needs of the rank's device, which it does not know.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace argosy {

// A point on a stream.
class DeviceMark {
 public:
  virtual ~DeviceMark() = default;
  virtual bool reached() const = 0;
};

// What is put on a queue runs in order, beside other queues.
class DeviceQueue {
 public:
  virtual ~DeviceQueue() = default;
  virtual void* stream() const = 0;                      // as the device's library calls it
  virtual void wait_for(const DeviceMark& mark) = 0;     // whatever is put on it from now on
  virtual std::unique_ptr<DeviceMark> mark() const = 0;  // behind all that is on it
};

// Moments of queues, as the device itself writes them down.
class DeviceClock {
 public:
  static constexpr int64_t kNoStamp = -1;
  virtual ~DeviceClock() = default;
  // Forgets all stamps; second 0 is now, the device having nothing to do.
  virtual void restart() = 0;
  virtual void stop() = 0;  // until restart() there are no stamps but kNoStamp
  // Where the queue is when it has done what was put on it so far.
  virtual int64_t stamp(const DeviceQueue& queue) = 0;
  // From second 0, of a stamp that was reached. Also after stop().
  virtual double seconds(int64_t stamp) const = 0;
  // Stamps since restart(). A captured step (trainer/device/device_graph.h) writes its own whenever
  // it is launched: after as many as there were when it was captured, they are skipped.
  virtual int64_t num_stamps() const = 0;
  virtual void skip_to(int64_t stamp) = 0;
};
// From one moment of a queue to another.
struct DeviceSpan {
  int64_t begin = DeviceClock::kNoStamp, end = DeviceClock::kNoStamp;
  bool is_known() const { return begin != DeviceClock::kNoStamp && end != DeviceClock::kNoStamp; }
};
inline int64_t stamp_of(DeviceClock* clock, const DeviceQueue& queue) {
  return clock != nullptr ? clock->stamp(queue) : DeviceClock::kNoStamp;
}

class DeviceStreams {
 public:
  virtual ~DeviceStreams() = default;
  virtual std::string device_id() const = 0;  // of the hardware: ranks with equal ones share it
  virtual DeviceQueue& compute() = 0;         // where ops run
  virtual std::unique_ptr<DeviceQueue> make_queue() = 0;
  // Called again and again while this rank waits for its device; it may throw. Empty: nothing.
  virtual void set_while_waiting(std::function<void()> action) = 0;
  // Returns when the mark is reached.
  virtual void wait(const DeviceMark& mark) const {
    while (!mark.reached()) {
    }
  }
  // To be called first by a thread that is not the rank's own and asks marks: CUDA gives a thread
  // the first device of all, and its first call there takes half a GiB of that one's memory.
  virtual void enter_thread() const {}
  virtual DeviceClock* clock() { return nullptr; }  // null: nobody can tell when work was done
  // What is put on the compute queue, and on those that wait for it, is written down to run later:
  // no mark of it is ever reached.
  virtual bool is_capturing() const { return false; }
  // Names what the host puts on queues until pop_range(), for profilers. Ranges nest.
  virtual void push_range(const std::string&) {}
  virtual void pop_range() {}
};

class DeviceRange {
 public:
  DeviceRange(DeviceStreams* streams, const std::string& name) : streams_(streams) {
    if (streams_ != nullptr) streams_->push_range(name);
  }
  ~DeviceRange() {
    if (streams_ != nullptr) streams_->pop_range();
  }
  DeviceRange(const DeviceRange&) = delete;
  DeviceRange& operator=(const DeviceRange&) = delete;

 private:
  DeviceStreams* streams_;
};

}  // namespace argosy
