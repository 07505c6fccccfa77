// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/support/cuda_emulation/nccl.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "planner/spec/bfloat16.h"
#include "planner/spec/philox.h"
#include "tests/support/cuda_emulation/graphs.h"
#include "tests/support/cuda_emulation/streams.h"

using argosy::bfloat16;
using argosy::cuda_emulation::Meeting;

namespace {

constexpr int kLateAnswers = 2;  // how often a call that was taken still says that it was not
constexpr int kLateInit = 50;    // the same of a communicator that is there, at most

// A collective, or a message from one rank to another, as those who are part of it have called it.
struct Call : Meeting {
  explicit Call(size_t num_ranks) : Meeting(num_ranks), inputs(num_ranks), outputs(num_ranks) {}
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  size_t num_called = 0;
  bool of_graphs = false;  // on the first rank that called
};
using Work = std::function<void(Call&)>;

// What a call is told apart by: its sender and receiver (or -1) and its number among such.
using CallKey = std::tuple<int, int, int64_t>;
using Way = std::pair<int, int>;

struct Group {
  int size = 0, joined = 0;
  bool failed = false;
  std::map<CallKey, std::shared_ptr<Call>> calls;
  std::set<int> have_called;               // collectives
  std::set<Way> have_sent, have_received;  // (from, to)
};

struct World {
  std::mutex mutex;
  int64_t last_id = 0;
  std::map<int64_t, std::shared_ptr<Group>> groups;
  int broken_size = 0, broken_rank = -1, num_communicators = 0, num_outlived = 0;
};
World& world() {
  static World one;
  return one;
}

// What a rank has called and NCCL has not taken yet.
struct Batch {
  ncclComm_t comm = nullptr;
  cudaStream_t stream = nullptr;
  std::vector<std::shared_ptr<Meeting>> meetings;
  std::vector<Way> ways;  // of messages
  bool is_collective = false;
  // Of a capture, in the place of meetings: comes to a call with each launch.
  std::vector<std::function<std::shared_ptr<Meeting>()>> joins;
};

thread_local int group_depth = 0;
thread_local std::vector<Batch> batches;

size_t bytes_of(ncclDataType_t type) {
  return type == ncclFloat64 ? 8 : type == ncclBfloat16 ? 2 : 4;
}

}  // namespace

struct ncclComm {
  std::shared_ptr<Group> group;
  int rank = 0;
  std::map<Way, int64_t> num_calls;
  std::vector<Batch> waiting;  // at most one
  std::vector<std::weak_ptr<argosy::cuda_emulation::Task>> tasks;
  int late_answers = 0;
  std::shared_ptr<int> graphs = std::make_shared<int>();  // graphs with its calls hold it too
};

namespace {

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
  std::shared_ptr<argosy::cuda_emulation::Task> task;
  const cudaError_t error =
      argosy::cuda_emulation::enqueue_meetings(batch.stream, std::move(batch.meetings), &task);
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
  std::shared_ptr<argosy::cuda_emulation::Task> task;
  const cudaError_t error =
      argosy::cuda_emulation::enqueue_meetings(stream, std::move(meetings), &task);
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
    const cudaError_t error = argosy::cuda_emulation::capture_call(
        stream, [batch = std::move(batch), graphs = comm->graphs](cudaStream_t on) {
          return put_joins(batch, on);
        });
    return error == cudaSuccess ? ncclInProgress : ncclUnhandledCudaError;
  }
  if (!comm->waiting.empty()) return ncclInvalidUsage;
  comm->waiting.push_back(std::move(batch));
  comm->late_answers = kLateAnswers;
  return ncclInProgress;
}

Batch& batch_of(ncclComm_t comm, cudaStream_t stream) {
  const auto found = std::find_if(batches.begin(), batches.end(), [&](const Batch& one) {
    return one.comm == comm && one.stream == stream;
  });
  if (found != batches.end()) return *found;
  batches.push_back({comm, stream, {}, {}, false, {}});
  return batches.back();
}

// The call of this key, now that one more of its ranks has come to it.
// Whether it is part of a graph is a property of the call that all ranks share.
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

ncclResult_t collective(ncclComm_t comm, cudaStream_t stream, const void* input, void* output,
                        const Work& work) {
  const std::scoped_lock lock(world().mutex);
  const bool of_graph = argosy::cuda_emulation::is_capturing(stream);
  const auto come = [=] {
    const Way all(-1, -1);
    const auto call = join(*comm->group, {-1, -1, comm->num_calls[all]++},
                           static_cast<size_t>(comm->group->size), of_graph);
    const auto rank = static_cast<size_t>(comm->rank);
    call->inputs[rank] = input;
    call->outputs[rank] = output;
    call->work = [work, call = call.get()] { work(*call); };
    return call;
  };
  Batch& batch = batch_of(comm, stream);
  if (of_graph) {
    batch.joins.push_back(come);
  } else {
    comm->group->have_called.insert(comm->rank);
    batch.meetings.push_back(come());
  }
  batch.is_collective = true;
  return end_call();
}

// input: of a send; output: of a receive.
ncclResult_t message(ncclComm_t comm, cudaStream_t stream, const void* input, void* output,
                     size_t bytes, int peer) {
  const std::scoped_lock lock(world().mutex);
  const bool sends = input != nullptr, of_graph = argosy::cuda_emulation::is_capturing(stream);
  const Way way = sends ? Way(comm->rank, peer) : Way(peer, comm->rank);
  // Counted apart: a rank may send to itself.
  const Way counted = sends ? way : Way(-2 - peer, comm->rank);
  const auto come = [=] {
    const auto call = join(*comm->group, {way.first, way.second, comm->num_calls[counted]++},
                           size_t{2}, of_graph);
    if (sends) call->inputs[0] = input;
    if (!sends) call->outputs[1] = output;
    call->work = [call = call.get(), bytes] {
      std::memcpy(call->outputs[1], call->inputs[0], bytes);
    };
    return call;
  };
  Batch& batch = batch_of(comm, stream);
  if (of_graph) {
    batch.joins.push_back(come);
  } else {
    (sends ? comm->group->have_sent : comm->group->have_received).insert(way);
    batch.meetings.push_back(come());
  }
  batch.ways.push_back(way);
  return end_call();
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
Work sums(ncclDataType_t type, size_t count, ncclRedOp_t op, int begin, int end, First first) {
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

}  // namespace

namespace argosy::cuda_emulation {

void break_nccl(int size, int rank) {
  const std::scoped_lock lock(world().mutex);
  world().broken_size = size;
  world().broken_rank = rank;
}
int num_nccl_communicators() {
  const std::scoped_lock lock(world().mutex);
  return world().num_communicators;
}
int num_outlived_by_graphs() {
  const std::scoped_lock lock(world().mutex);
  return world().num_outlived;
}

}  // namespace argosy::cuda_emulation

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
  ++world().num_communicators;
  // Some ranks are told long before others.
  const auto late =
      argosy::random_bits(0, static_cast<uint64_t>(number), static_cast<uint64_t>(rank));
  *comm = new ncclComm{group, rank, {}, {}, {}, static_cast<int>(late % kLateInit)};
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

// What runs ends; the other ranks hear of it.
ncclResult_t ncclCommAbort(ncclComm_t comm) {
  {
    const std::scoped_lock lock(world().mutex);
    comm->group->failed = true;
    for (const auto& task : comm->tasks) {
      if (const auto one = task.lock()) argosy::cuda_emulation::abandon(one);
    }
  }
  return ncclCommDestroy(comm);
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
  --world().num_communicators;
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
  return message(comm, stream, data, nullptr, count * bytes_of(type), peer);
}
ncclResult_t ncclRecv(void* data, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return message(comm, stream, nullptr, data, count * bytes_of(type), peer);
}
