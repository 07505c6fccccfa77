// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Streams and events of emulated devices. Work that is put on a stream waits there: it runs when
// its turn has come, which may be at once or not before somebody waits for it, as the test chooses.
// Nothing but streams, events and meetings of ranks orders it. So an order that the program left
// out is an order that is not kept, and shows as values that are not there yet, or no longer.
//
// All devices of a process share one lock: one thing runs at a time, on whichever thread asks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "tests/support/cuda_emulation/cuda_runtime.h"

namespace argosy::cuda_emulation {

// When work runs that may run. Late: not before somebody waits for it. The compute stream is the
// first that a device makes; all others communicate.
enum class Timing {
  early,         // as soon as it may
  late,          // as late as it can be
  compute_late,  // communication starts before what it does not wait for is computed
  others_late,   // computation goes on before what it does not wait for has been communicated
  seeded         // each of these by a coin, work by work
};
void set_timing(Timing timing, uint64_t seed = 0);

struct Task;
struct Stream;

// A call that several ranks make together: it runs when all have put theirs on a stream, and all of
// these have come to their turn.
struct Meeting {
  explicit Meeting(size_t num_expected) : expected(num_expected) {}
  size_t expected;
  std::function<void()> work;
  std::vector<std::weak_ptr<Task>> tasks;  // of those who have come so far
  size_t started = 0;
  bool done = false;
};

// Puts work on a stream; the null stream runs it at once, as do streams of no device. What is
// returned is the device's error, sticky as CUDA's are.
cudaError_t enqueue(cudaStream_t stream, std::function<void()> work);
// The same for the part of this rank in meetings: all of them begin at once and the stream goes on
// when all are done. *task is for abandon().
cudaError_t enqueue_meetings(cudaStream_t stream, std::vector<std::shared_ptr<Meeting>> meetings,
                             std::shared_ptr<Task>* task);
// This rank leaves its part without an effect; the others wait on.
void abandon(const std::shared_ptr<Task>& task);

// --- what tests set and read

void set_num_devices(int count);                   // at first 8
void set_device_bytes(int device, int64_t bytes);  // at first 1 GiB
int64_t peak_bytes_of_device(int device);          // since it was last all free
// The work number `after` that is put on the device's compute stream from now on fails when it
// runs: from then on every call of this device returns `error`. 0: the next.
void fail_later(int device, int64_t after, cudaError_t error);
// Work of all streams, for tests that want to know that something ran.
int64_t num_tasks_run();
// Devices on which threads have made calls so far: on a GPU each takes memory of it for a context.
// A thread that has chosen none calls device 0.
std::set<int> entered_devices();
// Errors, timing and failures to come are as at first; streams that nobody has are forgotten.
void reset_devices();

}  // namespace argosy::cuda_emulation
