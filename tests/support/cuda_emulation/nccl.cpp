// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/support/cuda_emulation/nccl.h"

#include <sched.h>

#include <algorithm>
#include <cstring>

#include "planner/spec/clock.h"
#include "planner/spec/philox.h"
#include "tests/support/cuda_emulation/devices.h"
#include "tests/support/cuda_emulation/graphs.h"
#include "tests/support/cuda_emulation/nccl_state.h"

namespace argosy::cuda_emulation {
namespace {

constexpr int kLateAnswers = 2;       // how often a call that was taken still says that it was not
constexpr int kLateInit = 50;         // the same of a communicator that is there, at most
constexpr double kAbortLimitS = 1.0;  // of a device that others keep; NCCL waits for ever
constexpr double kGraphsLimitS = 30;  // the same of graphs with the communicator's calls

thread_local int group_depth = 0;
thread_local std::vector<Batch> batches;

bool is_connected(const Batch& batch) {
  const Group& group = *batch.comm->group;
  if (batch.is_collective && static_cast<int>(group.have_called.size()) < group.size) return false;
  return std::all_of(batch.ways.begin(), batch.ways.end(), [&](const Way& way) {
    return group.have_sent.contains(way) && group.have_received.contains(way);
  });
}

// Puts what was called on its stream, if all whom it concerns have called too.
ncclResult_t move_on(ncclComm_t comm) {
  if (comm->waiting.empty() || !is_connected(comm->waiting.front())) return ncclSuccess;
  Batch batch = std::move(comm->waiting.front());
  comm->waiting.clear();
  std::shared_ptr<Task> task;
  const cudaError_t error = enqueue_meetings(batch.stream, std::move(batch.meetings), &task);
  if (error != cudaSuccess) return ncclUnhandledCudaError;
  std::erase_if(comm->tasks, [](const auto& one) { return one.expired(); });
  comm->tasks.push_back(task);
  return ncclSuccess;
}

// A launch: this rank comes to the calls of its graph.
cudaError_t put_joins(const Batch& batch, cudaStream_t stream) {
  const std::scoped_lock lock(world().mutex);
  std::vector<std::shared_ptr<Meeting>> meetings;
  for (const auto& join : batch.joins) meetings.push_back(join());
  std::shared_ptr<Task> task;
  const cudaError_t error = enqueue_meetings(stream, std::move(meetings), &task);
  if (error != cudaSuccess) return error;
  std::erase_if(batch.comm->tasks, [](const auto& one) { return one.expired(); });
  batch.comm->tasks.push_back(task);
  return cudaSuccess;
}

ncclResult_t submit(Batch batch) {
  ncclComm_t comm = batch.comm;
  if (!batch.joins.empty()) {
    comm->late_answers = kLateAnswers;
    const cudaStream_t stream = batch.stream;
    const cudaError_t error =
        capture_call(stream, [batch = std::move(batch), graphs = comm->graphs](cudaStream_t on) {
          return put_joins(batch, on);
        });
    return error == cudaSuccess ? ncclInProgress : ncclUnhandledCudaError;
  }
  if (!comm->waiting.empty()) return ncclInvalidUsage;
  comm->waiting.push_back(std::move(batch));
  comm->late_answers = kLateAnswers;
  return ncclInProgress;
}

// Whether calls of communicators that nobody has aborted are on the device's streams.
bool others_keep(int device) {
  const std::scoped_lock lock(world().mutex, devices().mutex);
  for (const ncclComm_t comm : world().comms) {
    if (comm->device != device) continue;
    for (const auto& task : comm->tasks) {
      if (const auto one = task.lock(); one && !one->done) return true;
    }
  }
  return false;
}

}  // namespace

World& world() {
  static World one;
  return one;
}

Batch& batch_of(ncclComm_t comm, cudaStream_t stream) {
  const auto found = std::find_if(batches.begin(), batches.end(), [&](const Batch& one) {
    return one.comm == comm && one.stream == stream;
  });
  if (found != batches.end()) return *found;
  batches.push_back({comm, stream, {}, {}, false, {}});
  return batches.back();
}

std::shared_ptr<Call> join(Group& group, const CallKey& key, size_t num_ranks, bool of_graph) {
  std::shared_ptr<Call>& place = group.calls[key];
  if (!place) {
    place = std::make_shared<Call>(num_ranks);
    place->of_graphs = of_graph;
  }
  const std::shared_ptr<Call> call = place;
  if (call->of_graphs != of_graph) group.failed = true;
  if (++call->num_called == num_ranks) group.calls.erase(key);
  return call;
}

ncclResult_t end_call() {
  if (group_depth > 0) return ncclSuccess;
  Batch batch = std::move(batches.back());
  batches.clear();
  return submit(std::move(batch));
}

void break_nccl(int size, int rank) {
  const std::scoped_lock lock(world().mutex);
  world().broken_size = size;
  world().broken_rank = rank;
}
int num_nccl_communicators() {
  const std::scoped_lock lock(world().mutex);
  return static_cast<int>(world().comms.size());
}
int num_outlived_by_graphs() {
  const std::scoped_lock lock(world().mutex);
  return world().num_outlived;
}
int num_stuck_aborts() {
  const std::scoped_lock lock(world().mutex);
  return world().num_stuck_aborts;
}

}  // namespace argosy::cuda_emulation

using namespace argosy::cuda_emulation;  // NOLINT: the library's own names are global

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  const std::scoped_lock lock(world().mutex);
  const int64_t number = ++world().last_id;
  std::memcpy(id->internal, &number, sizeof number);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int size, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
  if (config->blocking != 0) return ncclInvalidArgument;
  int64_t number = 0;
  std::memcpy(&number, id.internal, sizeof number);
  const std::scoped_lock lock(world().mutex);
  std::shared_ptr<Group>& group = world().groups[number];
  if (!group) group = std::make_shared<Group>();
  group->size = size;
  ++group->joined;
  // Some ranks are told long before others.
  const auto late =
      argosy::random_bits(0, static_cast<uint64_t>(number), static_cast<uint64_t>(rank));
  int device = 0;
  (void)cudaGetDevice(&device);
  *comm = new ncclComm{group, rank, device, {}, {}, {}, static_cast<int>(late % kLateInit)};
  world().comms.insert(*comm);
  return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* state) {
  const std::scoped_lock lock(world().mutex);
  *state = ncclSuccess;
  const bool is_broken = comm->group->size == world().broken_size &&
                         (world().broken_rank < 0 || world().broken_rank == comm->rank);
  if (is_broken || comm->group->failed) {
    *state = ncclRemoteError;
    return ncclSuccess;
  }
  *state = move_on(comm);
  if (*state != ncclSuccess) return ncclSuccess;
  if (comm->group->joined < comm->group->size || !comm->waiting.empty()) {
    *state = ncclInProgress;
  } else if (comm->late_answers > 0) {
    --comm->late_answers;
    *state = ncclInProgress;
  }
  return ncclSuccess;
}

// What runs ends; the other ranks hear of it. Then it waits for the device, as freeing memory does,
// and for the graphs with its calls.
ncclResult_t ncclCommAbort(ncclComm_t comm) {
  {
    const std::scoped_lock lock(world().mutex);
    comm->group->failed = true;
    for (const auto& task : comm->tasks) {
      if (const auto one = task.lock()) abandon(one);
    }
    world().comms.erase(comm);
  }
  const argosy::Clock::time_point begin = argosy::Clock::now();
  const auto is_stuck = [&](double limit_s) {
    sched_yield();
    if (argosy::seconds_since(begin) <= limit_s) return false;
    const std::scoped_lock lock(world().mutex);
    ++world().num_stuck_aborts;
    return true;
  };
  while (others_keep(comm->device) && !is_stuck(kAbortLimitS)) {
  }
  while (comm->graphs.use_count() > 1 && !is_stuck(kGraphsLimitS)) {
  }
  delete comm;
  return ncclSuccess;
}
ncclResult_t ncclCommFinalize(ncclComm_t comm) {
  const std::scoped_lock lock(world().mutex);
  // NCCL waits until all graphs with its calls are gone: for ever, if this thread holds them.
  if (comm->graphs.use_count() > 1) ++world().num_outlived;
  comm->late_answers = kLateAnswers;
  return ncclInProgress;
}
ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  const std::scoped_lock lock(world().mutex);
  world().comms.erase(comm);
  delete comm;
  return ncclSuccess;
}
const char* ncclGetErrorString(ncclResult_t code) {
  switch (code) {
    case ncclRemoteError:
      return "remote process exited or there was a network error";
    case ncclUnhandledCudaError:
      return "unhandled cuda error";
    case ncclInvalidUsage:
      return "invalid usage";
    default:
      return "other";
  }
}
const char* ncclGetLastError(ncclComm_t) {
  return "as the test wants";
}
ncclResult_t ncclGroupStart() {
  ++group_depth;
  return ncclSuccess;
}
ncclResult_t ncclGroupEnd() {
  if (--group_depth > 0) return ncclSuccess;
  const std::scoped_lock lock(world().mutex);
  ncclResult_t code = ncclSuccess;
  for (Batch& batch : std::exchange(batches, {})) {
    const ncclResult_t one = submit(std::move(batch));
    if (one != ncclSuccess) code = one;
  }
  return code;
}
