// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a communicator of device memory needs of the rank's device, which it does not know.
#pragma once

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

class DeviceStreams {
 public:
  virtual ~DeviceStreams() = default;
  virtual std::string device_id() const = 0;  // of the hardware: ranks with equal ones share it
  virtual DeviceQueue& compute() = 0;         // where ops run
  virtual std::unique_ptr<DeviceQueue> make_queue() = 0;
  // Called again and again while this rank waits for its device; it may throw. Empty: nothing.
  virtual void set_while_waiting(std::function<void()> action) = 0;
};

}  // namespace argosy
