// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// One NCCL communicator without blocking calls: it is made while this rank does other things, each
// call may take a while to be accepted, and errors of other ranks come by themselves.
#pragma once

#include <nccl.h>

#include <string>
#include <utility>
#include <vector>

#include "planner/spec/clock.h"

namespace argosy {

class NcclHandle;

// All handles of a rank: a failure of one ends them all.
class NcclRank {
 public:
  explicit NcclRank(int world_rank) : world_rank_(world_rank) {}
  int world_rank() const { return world_rank_; }
  void add(NcclHandle* handle) { handles_.push_back(handle); }
  void remove(NcclHandle* handle) { std::erase(handles_, handle); }
  // Throws Error, after it has aborted all, if a call of any handle failed on any of its ranks.
  void check();
  // Returns when all have ended, or after some seconds: graphs of CUDA keep their communicators.
  void abort_all() noexcept;

 private:
  int world_rank_;
  std::vector<NcclHandle*> handles_;
};

class NcclHandle {
 public:
  // Begins to make the communicator `what` ("group of 4") of `size` ranks, this one being `member`.
  NcclHandle(NcclRank& rank, const ncclUniqueId& id, int size, int member, double limit_s,
             std::string what);
  ~NcclHandle();
  NcclHandle(const NcclHandle&) = delete;
  NcclHandle& operator=(const NcclHandle&) = delete;

  bool ready();  // throws Error when it failed or took longer than the limit
  ncclComm_t get() const { return comm_; }
  // After a call, which is what `code` is of: NCCL may take it only when other ranks have made
  // theirs, and those may wait for what else this rank has to do.
  void begin(ncclResult_t code, const char* call);
  bool taken();  // throws Error when it failed or took longer than the limit
  void check();  // throws Error if anything failed since
  // The communicator, or null: for whoever aborts it.
  ncclComm_t give_up() noexcept { return std::exchange(comm_, nullptr); }

 private:
  ncclResult_t state() const;
  void fail_if_late(const char* call);

  NcclRank& rank_;
  double limit_s_;
  std::string what_;
  Clock::time_point begin_ = Clock::now();  // of what is under way
  ncclComm_t comm_ = nullptr;
  bool ready_ = false;
  const char* call_ = nullptr;  // not taken yet
};

}  // namespace argosy
