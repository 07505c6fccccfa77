// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <memory>
#include <vector>

#include "comm/call_log.h"
#include "comm/communicator.h"
#include "comm/heartbeat.h"
#include "comm/times.h"
#include "planner/spec/ledger.h"

namespace argosy {

// Where recording communicators write; nullptr: that is not recorded. Shared, so that one
// assignment pauses all of them (evaluation, measurements). What is pointed to is the caller's.
struct RecordingSwitch {
  Ledger* ledger = nullptr;
  CommTimes* times = nullptr;
  CallLog* calls = nullptr;
  Heartbeat* heartbeat = nullptr;
};

// Forwards to `inner` and writes each call under `axis`, unless the group has one rank: into the
// switch's ledger and calls when it is started (the ledger leaves out the axis `world`, which is
// control traffic, the calls leave out sends and receives), into its times when it is complete;
// its heartbeat says what is waited for. Barriers carry nothing and are not recorded; groups split
// from it do not record. members: world ranks of the group, for names; empty: as numbered in it.
std::unique_ptr<Communicator> make_recording_communicator(
    std::unique_ptr<Communicator> inner, Axis axis,
    std::shared_ptr<const RecordingSwitch> recording, std::vector<int64_t> members = {});

// The same with a ledger that stays, and must outlive it.
std::unique_ptr<Communicator> make_recording_communicator(std::unique_ptr<Communicator> inner,
                                                          Axis axis, Ledger* ledger);

}  // namespace argosy
