// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <algorithm>
#include <cstring>

#include "planner/spec/bfloat16.h"
#include "tests/support/cuda_emulation/graphs.h"
#include "tests/support/cuda_emulation/nccl.h"
#include "tests/support/cuda_emulation/nccl_state.h"

namespace argosy::cuda_emulation {
namespace {

using Work = std::function<void(Call&)>;

size_t bytes_of(ncclDataType_t type) {
  return type == ncclFloat64 ? 8 : type == ncclBfloat16 ? 2 : type == ncclUint8 ? 1 : 4;
}

ncclResult_t collective(ncclComm_t comm, cudaStream_t stream, const void* input, void* output,
                        const Work& work) {
  const std::scoped_lock lock(world().mutex);
  const bool of_graph = is_capturing(stream);
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
  const bool sends = input != nullptr, of_graph = is_capturing(stream);
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
}  // namespace argosy::cuda_emulation

using namespace argosy::cuda_emulation;  // NOLINT: the library's own names are global

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
