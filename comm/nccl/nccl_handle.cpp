// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/nccl/nccl_handle.h"

#include <sched.h>

#include <exception>
#include <thread>

#include "comm/nccl/nccl_check.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

constexpr double kFinalizeLimitS = 10.0;  // peers that are gone would keep it for ever

}  // namespace

void NcclRank::check() {
  try {
    for (NcclHandle* handle : handles_) handle->check();
  } catch (...) {
    abort_all();
    throw;
  }
}

// NCCL tells a communicator's kernels to end and then waits for threads of its own, which may wait
// for the device, on which kernels of another communicator wait for a rank that is gone (NCCL issue
// 1013). So all are told at once, each by a thread.
void NcclRank::abort_all() noexcept {
  std::vector<std::thread> threads;
  for (NcclHandle* handle : handles_) {
    try {
      threads.emplace_back([handle] { handle->abort(); });
    } catch (const std::exception&) {  // no thread, no memory: one after the other then
      handle->abort();
    }
  }
  for (std::thread& thread : threads) thread.join();
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
    abort();
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
    abort();
  }
}

void NcclHandle::abort() noexcept {
  if (comm_ != nullptr) (void)ncclCommAbort(comm_);
  comm_ = nullptr;
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
