// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/nccl/nccl_handle.h"

#include <sched.h>

#include <exception>

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

void NcclRank::abort_all() noexcept {
  for (NcclHandle* handle : handles_) handle->abort();
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
  rank_.remove(this);
  if (comm_ == nullptr) return;
  // While an exception unwinds, the other ranks may never come: finalizing would wait for them.
  if (!ready_ || std::uncaught_exceptions() > 0) {
    abort();
    return;
  }
  const Clock::time_point begin = Clock::now();
  bool done = ncclCommFinalize(comm_) != ncclInProgress;
  while (!done && seconds_since(begin) < kFinalizeLimitS) {
    done = state() != ncclInProgress;
    sched_yield();
  }
  if (done) {
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
