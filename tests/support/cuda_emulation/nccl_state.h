// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the stand-in for NCCL knows: who has called what. nccl.cpp: communicators and groups of
// calls; nccl_calls.cpp: the calls.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/support/cuda_emulation/nccl.h"
#include "tests/support/cuda_emulation/streams.h"

namespace argosy::cuda_emulation {

// A collective, or a message from one rank to another, as those who are part of it have called it.
struct Call : Meeting {
  explicit Call(size_t num_ranks) : Meeting(num_ranks), inputs(num_ranks), outputs(num_ranks) {}
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  size_t num_called = 0;
  bool of_graphs = false;  // on the first rank that called
};
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

// All of it, communicators too, is read and written under its lock.
struct World {
  std::mutex mutex;
  int64_t last_id = 0;
  std::map<int64_t, std::shared_ptr<Group>> groups;
  std::set<ncclComm_t> comms;  // neither destroyed nor aborted
  int broken_size = 0, broken_rank = -1, num_outlived = 0, num_stuck_aborts = 0;
};
World& world();

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

// This thread's batch of a communicator's calls on a stream.
Batch& batch_of(ncclComm_t comm, cudaStream_t stream);
// The call of this key, now that one more of its ranks has come to it. Whether it is part of a
// graph is a property of the call that all ranks share.
std::shared_ptr<Call> join(Group& group, const CallKey& key, size_t num_ranks, bool of_graph);
// Outside of a group of calls NCCL is asked at once.
ncclResult_t end_call();

}  // namespace argosy::cuda_emulation

struct ncclComm {
  std::shared_ptr<argosy::cuda_emulation::Group> group;
  int rank = 0, device = 0;
  std::map<argosy::cuda_emulation::Way, int64_t> num_calls;
  std::vector<argosy::cuda_emulation::Batch> waiting;  // at most one
  std::vector<std::weak_ptr<argosy::cuda_emulation::Task>> tasks;
  int late_answers = 0;
  std::shared_ptr<int> graphs = std::make_shared<int>();  // graphs with its calls hold it too
};
