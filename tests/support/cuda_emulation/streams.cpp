// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/support/cuda_emulation/streams.h"

#include <algorithm>

#include "planner/spec/philox.h"
#include "tests/support/cuda_emulation/devices.h"

namespace argosy::cuda_emulation {
namespace {

// True while it lives.
class Raised {
 public:
  explicit Raised(bool& flag) : flag_(flag) { flag_ = true; }
  ~Raised() { flag_ = false; }
  Raised(const Raised&) = delete;
  Raised& operator=(const Raised&) = delete;

 private:
  bool& flag_;
};

// How often a late event may be asked for before what it waits for is made to run. Whoever waits
// asks again and again; whoever only looks goes on.
constexpr int kLatePatience = 12;

bool is_late(const Stream& stream) {
  const Devices& all = devices();
  switch (all.timing) {
    case Timing::early:
      return false;
    case Timing::late:
      return true;
    case Timing::compute_late:
      return stream.is_compute;
    case Timing::others_late:
      return !stream.is_compute;
    case Timing::seeded:
      break;
  }
  const uint64_t place =
      static_cast<uint64_t>(stream.device) << 32 | static_cast<uint64_t>(stream.number);
  return random_bits(all.seed, place, static_cast<uint64_t>(stream.num_tasks)) % 2 == 0;
}

// Runs what a task does by itself. After a failure nothing of its device runs.
void run_work(Task& task) {
  Devices& all = devices();
  DeviceState& device = all.of(task.device);
  ++all.num_tasks_run;
  if (device.error == cudaSuccess && task.failure != cudaSuccess) device.error = task.failure;
  if (device.error == cudaSuccess && task.work) task.work();
}

void begin(Task& task) {
  if (std::exchange(task.started, true)) return;
  for (const std::shared_ptr<Meeting>& meeting : task.meetings) {
    if (++meeting->started < meeting->expected) continue;
    if (meeting->work) meeting->work();
    meeting->done = true;
  }
}

bool meetings_are_done(const Task& task) {
  return std::all_of(task.meetings.begin(), task.meetings.end(),
                     [](const auto& meeting) { return meeting->done; });
}

void finish(Task& task) {
  Stream& stream = *task.stream;
  task.done = true;
  task.ended = ++devices().num_tasks_ended;
  task.work = {};
  task.awaited.reset();
  task.meetings.clear();
  stream.tasks.pop_front();  // the task itself may end here
}

// The first task of a stream, where nothing keeps it; whether it is done.
bool run_first(Stream& stream) {
  const std::shared_ptr<Task> task = stream.tasks.front();
  if (task->running || (task->awaited && !task->awaited->done)) return false;
  bool done = false;
  {
    const Raised running(task->running);
    begin(*task);
    done = meetings_are_done(*task);
    if (done) run_work(*task);
  }
  if (done) finish(*task);
  return done;
}

// Runs what `task` waits for and itself, and nothing else that is late; whether it is done. By
// value: who named the task may let go of it when it ends.
bool force(const std::shared_ptr<Task> task) {  // NOLINT(performance-unnecessary-value-param)
  if (task->done) return true;
  if (task->visited) return false;
  const Raised visit(task->visited);
  Stream& stream = *task->stream;
  while (!task->done && stream.tasks.front() != task) {
    const std::shared_ptr<Task> first = stream.tasks.front();
    if (!force(first)) return false;
  }
  if (task->done) return true;
  if (task->awaited && !force(task->awaited)) return false;
  if (run_first(stream)) return true;
  const std::vector<std::shared_ptr<Meeting>> meetings = task->meetings;
  for (const std::shared_ptr<Meeting>& meeting : meetings) {
    const std::vector<std::weak_ptr<Task>> others = meeting->tasks;
    for (const std::weak_ptr<Task>& other : others) {
      if (const std::shared_ptr<Task> one = other.lock(); one && one != task) (void)force(one);
    }
  }
  return task->done || (stream.tasks.front() == task && run_first(stream));
}

}  // namespace

Devices& devices() {
  static Devices all;
  return all;
}

// What is not late, and what nobody holds back any more.
void advance() {
  Devices& all = devices();
  if (all.advancing) return;
  const Raised advancing(all.advancing);
  bool moved = true;
  while (moved) {
    moved = false;
    for (const auto& [key, stream] : all.streams) {
      while (!stream->tasks.empty() && (!stream->tasks.front()->late || stream->is_orphan) &&
             run_first(*stream)) {
        moved = true;
      }
    }
  }
  std::erase_if(all.streams,
                [](const auto& one) { return one.second->is_orphan && one.second->tasks.empty(); });
}

std::shared_ptr<Task> put(Stream& stream, std::function<void()> work) {
  auto task = std::make_shared<Task>();
  task->stream = &stream;
  task->device = stream.device;
  task->work = std::move(work);
  task->late = is_late(stream);
  ++stream.num_tasks;
  stream.tasks.push_back(task);
  return task;
}

bool reached(Event& event) {
  if (!event.task || event.task->done) return true;
  if (event.task->late && ++event.num_asked < kLatePatience) return false;
  const bool done = force(event.task);
  advance();
  return done;
}

bool drain(int device) {
  Devices& all = devices();
  bool empty = true;
  for (auto& [key, stream] : std::map(all.streams)) {
    if (stream->device != device || stream->tasks.empty()) continue;
    empty = force(stream->tasks.back()) && empty;
  }
  advance();
  return empty;
}

cudaError_t enqueue(cudaStream_t handle, std::function<void()> work) {
  if (handle == nullptr) {
    work();
    return cudaSuccess;
  }
  Devices& all = devices();
  const std::scoped_lock lock(all.mutex);
  Stream& stream = all.stream(handle);
  DeviceState& device = all.of(stream.device);
  if (device.error != cudaSuccess) return device.error;
  cudaError_t code = cudaSuccess;
  if (stream.capture && is_captured(stream, {.work = std::move(work)}, &code)) return code;
  const std::shared_ptr<Task> task = put(stream, std::move(work));
  if (stream.is_compute && device.fail_after >= 0 && device.fail_after-- == 0) {
    task->failure = device.error_to_come;
  }
  advance();
  return cudaSuccess;
}

cudaError_t enqueue_meetings(cudaStream_t handle, std::vector<std::shared_ptr<Meeting>> meetings,
                             std::shared_ptr<Task>* task) {
  Devices& all = devices();
  const std::scoped_lock lock(all.mutex);
  Stream& stream = all.stream(handle);
  if (const cudaError_t error = all.of(stream.device).error; error != cudaSuccess) return error;
  *task = put(stream, {});
  (*task)->meetings = std::move(meetings);
  for (const std::shared_ptr<Meeting>& meeting : (*task)->meetings) {
    meeting->tasks.push_back(*task);
  }
  advance();
  return cudaSuccess;
}

void abandon(const std::shared_ptr<Task>& task) {
  Devices& all = devices();
  const std::scoped_lock lock(all.mutex);
  if (task->done) return;
  task->meetings.clear();
  task->started = true;
  advance();
}

void set_timing(Timing timing, uint64_t seed) {
  Devices& all = devices();
  const std::scoped_lock lock(all.mutex);
  all.timing = timing;
  all.seed = seed;
}
void set_num_devices(int count) {
  Devices& all = devices();
  const std::scoped_lock lock(all.mutex);
  all.states.resize(static_cast<size_t>(count));
}
void set_device_bytes(int device, int64_t bytes) {
  Devices& all = devices();
  const std::scoped_lock lock(all.mutex);
  all.of(device).total_bytes = bytes;
}
int64_t peak_bytes_of_device(int device) {
  Devices& all = devices();
  const std::scoped_lock lock(all.mutex);
  return all.of(device).peak_bytes;
}
void fail_later(int device, int64_t after, cudaError_t error) {
  Devices& all = devices();
  const std::scoped_lock lock(all.mutex);
  all.of(device).fail_after = after;
  all.of(device).error_to_come = error;
}
int64_t num_tasks_run() {
  Devices& all = devices();
  const std::scoped_lock lock(all.mutex);
  return all.num_tasks_run;
}
std::set<int> entered_devices() {
  const std::scoped_lock lock(devices().mutex);
  return devices().entered;
}
void reset_devices() {
  Devices& all = devices();
  const std::scoped_lock lock(all.mutex);
  all.entered.clear();
  all.timing = Timing::early;
  std::erase_if(all.streams, [](const auto& one) { return one.second->is_orphan; });
  for (DeviceState& device : all.states) {
    const DeviceState before = std::exchange(device, {});
    device.used_bytes = before.used_bytes;
    device.peak_bytes = before.peak_bytes;
  }
}

}  // namespace argosy::cuda_emulation
