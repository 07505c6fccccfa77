// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/comm/nccl/fake_nccl.h"

#include <nccl.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "planner/spec/bfloat16.h"
#include "tests/comm/nccl/fake_device.h"

using argosy::bfloat16;

namespace {

// One call, as all ranks of the group have put it on their queues.
struct Call {
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  int arrived = 0, left = 0;
  bool done = false;
};
struct Message {
  const void* data = nullptr;
  bool received = false;
};

struct Group {
  std::mutex mutex;
  std::condition_variable changed;
  int size = 0, joined = 0;
  bool aborted = false;
  std::map<int64_t, Call> calls;
  std::map<std::pair<int, int>, std::map<int64_t, Message>> messages;  // (from, to) -> number
};

std::mutex groups_mutex;
std::map<int64_t, std::shared_ptr<Group>> groups;  // by id
std::atomic<int64_t> last_id{0};
std::atomic<int> broken_size{0}, num_communicators{0};

}  // namespace

struct ncclComm {
  std::shared_ptr<Group> group;
  int rank = 0;
  int64_t next_call = 0;
  std::map<std::pair<int, int>, int64_t> next_message;
  int late_answers = 0;  // how often a call that was taken still says that it was not
};

namespace {

// A part of a send and receive group, on one communicator and queue.
struct Transfer {
  bool sends;
  void* data;
  size_t bytes;
  int peer;
  int64_t number;
};
struct Pending {
  ncclComm* comm;
  cudaStream_t stream;
  std::vector<Transfer> transfers;
};
thread_local int group_depth = 0;
thread_local std::vector<Pending> pending;

void put(cudaStream_t stream, std::function<void()> task) {
  reinterpret_cast<const argosy::FakeQueue*>(stream)->put(std::move(task));
}

ncclResult_t taken(ncclComm* comm) {
  comm->late_answers = 2;
  return ncclInProgress;
}

size_t bytes_of(ncclDataType_t type) {
  return type == ncclFloat64 ? 8 : type == ncclBfloat16 ? 2 : 4;
}

using Compute = std::function<void(Call&)>;

// The last rank to arrive computes for all.
ncclResult_t collective(ncclComm* comm, cudaStream_t stream, const void* input, void* output,
                        Compute compute) {
  const int64_t number = comm->next_call++;
  put(stream, [=, group = comm->group, rank = comm->rank] {
    std::unique_lock lock(group->mutex);
    const auto size = static_cast<size_t>(group->size);
    Call& call = group->calls[number];
    call.inputs.resize(size);
    call.outputs.resize(size);
    call.inputs[static_cast<size_t>(rank)] = input;
    call.outputs[static_cast<size_t>(rank)] = output;
    if (++call.arrived == group->size) {
      compute(call);
      call.done = true;
      group->changed.notify_all();
    }
    group->changed.wait(lock, [&] { return call.done || group->aborted; });
    if (++call.left == group->size) group->calls.erase(number);
  });
  return group_depth > 0 ? ncclSuccess : taken(comm);
}

// From the last rank to the first, rounded after each addition.
template <typename T>
void reduce(const Call& call, size_t first, size_t count, ncclRedOp_t op, std::vector<T>* result) {
  const auto at = [&](size_t rank, size_t i) {
    return static_cast<const T*>(call.inputs[rank])[first + i];
  };
  result->resize(count);
  for (size_t i = 0; i < count; ++i) {
    T value = at(call.inputs.size() - 1, i);
    for (size_t rank = call.inputs.size() - 1; rank-- > 0;) {
      const T other = at(rank, i);
      if (op == ncclMax) {
        value = value < other ? other : value;
      } else {
        value = static_cast<T>(value + other);
      }
    }
    (*result)[i] = value;
  }
}

template <typename Body>
void dispatch(ncclDataType_t type, const Body& body) {
  if (type == ncclFloat64) return body.template operator()<double>();
  if (type == ncclFloat32) return body.template operator()<float>();
  if (type == ncclBfloat16) return body.template operator()<bfloat16>();
  body.template operator()<int32_t>();
}

// Rank r of [begin, end) gets `count` sums from element first(r) on.
template <typename First>
Compute sums(ncclDataType_t type, size_t count, ncclRedOp_t op, int begin, int end, First first) {
  return [=](Call& call) {
    dispatch(type, [&]<typename T>() {
      std::vector<std::vector<T>> results(call.inputs.size());  // inputs may be outputs
      const auto last = end < 0 ? call.inputs.size() : static_cast<size_t>(end);
      for (auto r = static_cast<size_t>(begin); r < last; ++r)
        reduce(call, first(r), count, op, &results[r]);
      for (auto r = static_cast<size_t>(begin); r < last; ++r)
        std::memcpy(call.outputs[r], results[r].data(), count * sizeof(T));
    });
  };
}

void run_transfers(Group& group, int rank, const std::vector<Transfer>& transfers) {
  std::unique_lock lock(group.mutex);
  for (const Transfer& one : transfers) {
    if (one.sends) group.messages[{rank, one.peer}][one.number].data = one.data;
  }
  group.changed.notify_all();
  for (const Transfer& one : transfers) {
    Message& message = group.messages[one.sends ? std::pair(rank, one.peer)
                                                : std::pair(one.peer, rank)][one.number];
    if (one.sends) continue;
    group.changed.wait(lock, [&] { return message.data != nullptr || group.aborted; });
    if (group.aborted) return;
    std::memcpy(one.data, message.data, one.bytes);
    message.received = true;
    group.changed.notify_all();
  }
  for (const Transfer& one : transfers) {
    if (!one.sends) continue;
    Message& message = group.messages[{rank, one.peer}][one.number];
    group.changed.wait(lock, [&] { return message.received || group.aborted; });
  }
}

ncclResult_t transfer(ncclComm* comm, cudaStream_t stream, Transfer one) {
  const auto way = one.sends ? std::pair(comm->rank, one.peer) : std::pair(one.peer, comm->rank);
  one.number = comm->next_message[{way.first * 1000 + way.second, one.sends ? 1 : 0}]++;
  if (group_depth == 0) {
    put(stream,
        [=, group = comm->group, rank = comm->rank] { run_transfers(*group, rank, {one}); });
    return taken(comm);
  }
  for (Pending& group : pending) {
    if (group.comm == comm && group.stream == stream) {
      group.transfers.push_back(one);
      return ncclSuccess;
    }
  }
  pending.push_back({comm, stream, {one}});
  return ncclSuccess;
}

}  // namespace

namespace argosy {

void break_fake_nccl(int size) {
  broken_size = size;
}
void mend_fake_nccl() {
  broken_size = 0;
}
int num_fake_nccl_communicators() {
  return num_communicators;
}

}  // namespace argosy

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  const int64_t number = ++last_id;
  std::memcpy(id->internal, &number, sizeof number);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int size, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
  if (config->blocking != 0) return ncclInvalidArgument;
  int64_t number = 0;
  std::memcpy(&number, id.internal, sizeof number);
  const std::lock_guard lock(groups_mutex);
  std::shared_ptr<Group>& group = groups[number];
  if (!group) group = std::make_shared<Group>();
  group->size = size;
  ++group->joined;
  ++num_communicators;
  *comm = new ncclComm{group, rank, 0, {}, 0};
  return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* state) {
  const std::lock_guard lock(groups_mutex);
  *state = ncclSuccess;
  if (comm->group->size == broken_size) {
    *state = ncclRemoteError;
  } else if (comm->group->joined < comm->group->size || comm->late_answers > 0) {
    --comm->late_answers;
    *state = ncclInProgress;
  }
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  {
    const std::lock_guard lock(comm->group->mutex);
    comm->group->aborted = true;
  }
  comm->group->changed.notify_all();
  return ncclCommDestroy(comm);
}
ncclResult_t ncclCommFinalize(ncclComm_t comm) {
  return taken(comm);
}
ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  --num_communicators;
  delete comm;
  return ncclSuccess;
}
const char* ncclGetErrorString(ncclResult_t code) {
  return code == ncclRemoteError ? "remote process exited or there was a network error" : "other";
}
const char* ncclGetLastError(ncclComm_t) {
  return "as the test wants";
}
ncclResult_t ncclGroupStart() {
  ++group_depth;
  return ncclSuccess;
}
ncclResult_t ncclGroupEnd() {
  --group_depth;
  for (Pending& one : pending) {
    put(one.stream,
        [group = one.comm->group, rank = one.comm->rank, transfers = std::move(one.transfers)] {
          run_transfers(*group, rank, transfers);
        });
    one.comm->late_answers = 2;
  }
  const ncclResult_t code = pending.empty() ? ncclSuccess : ncclInProgress;
  pending.clear();
  return code;
}

ncclResult_t ncclAllReduce(const void* input, void* output, size_t count, ncclDataType_t type,
                           ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
  return collective(comm, stream, input, output,
                    sums(type, count, op, 0, -1, [](size_t) { return size_t{0}; }));
}
ncclResult_t ncclReduceScatter(const void* input, void* output, size_t count, ncclDataType_t type,
                               ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
  return collective(comm, stream, input, output,
                    sums(type, count, op, 0, -1, [count](size_t rank) { return rank * count; }));
}
ncclResult_t ncclReduce(const void* input, void* output, size_t count, ncclDataType_t type,
                        ncclRedOp_t op, int root, ncclComm_t comm, cudaStream_t stream) {
  return collective(comm, stream, input, output,
                    sums(type, count, op, root, root + 1, [](size_t) { return size_t{0}; }));
}
ncclResult_t ncclAllGather(const void* input, void* output, size_t count, ncclDataType_t type,
                           ncclComm_t comm, cudaStream_t stream) {
  const size_t bytes = count * bytes_of(type);
  return collective(comm, stream, input, output, [bytes](Call& call) {
    for (void* to : call.outputs) {
      for (size_t rank = 0; rank < call.inputs.size(); ++rank)
        std::memmove(static_cast<char*>(to) + rank * bytes, call.inputs[rank], bytes);
    }
  });
}
ncclResult_t ncclBroadcast(const void* input, void* output, size_t count, ncclDataType_t type,
                           int root, ncclComm_t comm, cudaStream_t stream) {
  const size_t bytes = count * bytes_of(type);
  return collective(comm, stream, input, output, [=](Call& call) {
    for (void* to : call.outputs) std::memmove(to, call.inputs[static_cast<size_t>(root)], bytes);
  });
}
ncclResult_t ncclSend(const void* data, size_t count, ncclDataType_t type, int peer,
                      ncclComm_t comm, cudaStream_t stream) {
  return transfer(comm, stream, {true, const_cast<void*>(data), count * bytes_of(type), peer, 0});
}
ncclResult_t ncclRecv(void* data, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return transfer(comm, stream, {false, data, count * bytes_of(type), peer, 0});
}
