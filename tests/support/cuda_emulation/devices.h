// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The state of the emulated devices, for the runtime's functions alone.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "planner/spec/check.h"
#include "tests/support/cuda_emulation/graphs.h"
#include "tests/support/cuda_emulation/streams.h"

namespace argosy::cuda_emulation {

struct Task {
  Stream* stream = nullptr;
  int device = 0;
  std::function<void()> work;
  std::shared_ptr<Task> awaited;  // of another stream
  std::vector<std::shared_ptr<Meeting>> meetings;
  cudaError_t failure = cudaSuccess;  // what it fails with
  bool late = false, started = false, running = false, visited = false, done = false;
  int64_t ended = 0;  // which of all tasks that ended
};

struct Stream {
  int device = 0, number = 0;
  bool is_compute = false;
  bool is_orphan = false;  // destroyed by its owner, not empty yet
  int64_t num_tasks = 0;   // so far
  std::deque<std::shared_ptr<Task>> tasks;
  std::shared_ptr<Capture> capture;  // what is put on it is written down there
  size_t number_in_capture = 0;
};

struct Event {
  std::shared_ptr<Task> task;  // none: recorded nowhere, or in a capture alone
  int num_asked = 0;
  std::shared_ptr<Capture> capture = nullptr;
  size_t node = 0;  // of the capture
};

struct DeviceState {
  int num_streams = 0;
  int64_t total_bytes = int64_t{1} << 30, used_bytes = 0, peak_bytes = 0;
  cudaError_t error = cudaSuccess, error_to_come = cudaSuccess;
  int64_t fail_after = -1;
};

struct Devices {
  std::recursive_mutex mutex;
  Timing timing = Timing::early;
  uint64_t seed = 0;
  bool advancing = false;
  int64_t num_tasks_run = 0, num_tasks_ended = 0;
  std::set<int> entered;  // devices that a thread has called
  std::vector<DeviceState> states = std::vector<DeviceState>(8);
  std::map<const void*, std::shared_ptr<Stream>> streams;
  std::map<const char*, int64_t> blocks, pinned;  // bytes by where they begin
  std::map<const char*, int> device_of_block;
  std::vector<void*> left;  // freed while their device had failed: its streams may use them

  DeviceState& of(int device) { return states.at(static_cast<size_t>(device)); }
  Stream& stream(cudaStream_t handle) {
    const auto found = streams.find(handle);
    CHECK(found != streams.end(), "a stream that was destroyed, or never made");
    return *found->second;
  }
};
Devices& devices();

// All of these under the devices' lock.
void enter_device();  // a call of this thread, whatever it is about
std::shared_ptr<Task> put(Stream& stream, std::function<void()> work);
void advance();
bool reached(Event& event);
bool drain(int device);  // whether all that was put on its streams is done

}  // namespace argosy::cuda_emulation
