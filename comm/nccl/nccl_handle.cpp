// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/nccl/nccl_handle.h"

#include <sched.h>

#include <atomic>
#include <exception>
#include <memory>
#include <thread>

#include "comm/nccl/nccl_check.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

constexpr double kFinalizeLimitS = 10.0;  // peers that are gone would keep it for ever
constexpr double kAbortLimitS = 5.0;      // kernels have been told to end long before

// NCCL tells a communicator's kernels to end and then waits for threads of its own, which may wait
// for the device, on which kernels of another communicator wait for a rank that is gone (NCCL issue
// 1013). So all are told at once, each by a thread. Calls that are part of a CUDA graph keep their
// communicator until the graph is destroyed (commDestroySync() in NCCL's init.cc): by those who
// hear of the error only when this returns. What has not ended by the limit is left to its thread.
void abort_each(const std::vector<ncclComm_t>& comms) {
  const auto under_way = std::make_shared<std::atomic<size_t>>(comms.size());
  for (ncclComm_t comm : comms) {
    const auto end_one = [comm, under_way] {
      (void)ncclCommAbort(comm);
      --*under_way;
    };
    try {
      std::thread(end_one).detach();
    } catch (const std::exception&) {  // no thread: one after the other then
      end_one();
    }
  }
  const Clock::time_point begin = Clock::now();
  while (*under_way > 0 && seconds_since(begin) < kAbortLimitS) sched_yield();
}

}  // namespace

void NcclRank::check() {
  try {
    for (NcclHandle* handle : handles_) handle->check();
  } catch (...) {
    abort_all();
    throw;
  }
}

void NcclRank::abort_all() noexcept {
  std::vector<ncclComm_t> comms;
  comms.reserve(handles_.size());
  for (NcclHandle* handle : handles_) {
    if (ncclComm_t comm = handle->give_up()) comms.push_back(comm);
  }
  abort_each(comms);
}

NcclHandle::NcclHandle(NcclRank& rank, const ncclUniqueId& id, int size, int member, double limit_s,
                       std::string what)
    : rank_(rank), limit_s_(limit_s), what_(std::move(what)) {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  check_nccl(ncclCommInitRankConfig(&comm_, size, id, member, &config), "ncclCommInitRankConfig",
             rank_.world_rank());
  rank_.add(this);
}

NcclHandle::~NcclHandle() {
  // While an exception unwinds, the other ranks may never come: finalizing would wait for them, and
  // so might aborting one alone.
  if (std::uncaught_exceptions() > 0) rank_.abort_all();
  rank_.remove(this);
  if (comm_ == nullptr) return;
  if (!ready_) {
    abort_each({give_up()});
    return;
  }
  const Clock::time_point begin = Clock::now();
  ncclResult_t code = ncclCommFinalize(comm_);
  while (code == ncclInProgress && seconds_since(begin) < kFinalizeLimitS) {
    sched_yield();
    code = state();
  }
  if (code == ncclSuccess) {
    (void)ncclCommDestroy(comm_);
  } else {
    abort_each({give_up()});
  }
}

ncclResult_t NcclHandle::state() const {
  ncclResult_t state = ncclSuccess;
  const ncclResult_t code = ncclCommGetAsyncError(comm_, &state);
  return code == ncclSuccess ? state : code;
}

void NcclHandle::check() {
  if (comm_ == nullptr) throw Error(concat("rank ", rank_.world_rank(), ": NCCL was aborted"));
  check_nccl(state(), concat("NCCL's ", what_).c_str(), rank_.world_rank(), comm_);
}

void NcclHandle::fail_if_late(const char* call) {
  if (seconds_since(begin_) <= limit_s_) return;
  rank_.abort_all();
  throw Error(concat("rank ", rank_.world_rank(), ": ", call, ": the ", what_,
                     " is not complete after ", limit_s_,
                     " s: a rank has failed or does not reach the others"));
}

bool NcclHandle::ready() {
  if (ready_) return true;
  check();
  ready_ = state() == ncclSuccess;
  if (!ready_) fail_if_late("ncclCommInitRankConfig");
  return ready_;
}

void NcclHandle::begin(ncclResult_t code, const char* call) {
  CHECK(call_ == nullptr, call, " before ", call_, " was taken");
  check_nccl(code, call, rank_.world_rank(), comm_);
  if (code != ncclInProgress) return;
  call_ = call;
  begin_ = Clock::now();
}

bool NcclHandle::taken() {
  if (call_ == nullptr) return true;
  check();
  if (state() == ncclInProgress) {
    fail_if_late(call_);
    return false;
  }
  check();
  call_ = nullptr;
  return true;
}

}  // namespace argosy
