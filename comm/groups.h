// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The mesh made real: one communicator an axis for this rank.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "comm/communicator.h"
#include "comm/recording.h"
#include "planner/spec/ledger.h"
#include "planner/spec/mesh.h"

namespace argosy {

class ProcessGroups {
 public:
  // Collective over `world`, whose size must be mesh.world_size() (ConfigError printing every
  // factor). With a ledger, calls on every axis but `world` are recorded into it; it must outlive
  // this. Groups of one are self communicators.
  ProcessGroups(Communicator& world, const Mesh& mesh, int64_t num_kv_heads,
                Ledger* ledger = nullptr);

  Communicator& operator[](Axis axis) const;
  Communicator& control() const {
    return *control_;
  }  // all ranks, never recorded: logging, counts, guards
  // Where this rank's calls are recorded from now on; nullptr: nowhere, as in evaluations.
  void set_ledger(Ledger* ledger) { recording_->ledger = ledger; }
  Ledger* ledger() const { return recording_->ledger; }
  // Where this rank's calls, control traffic included, are timed from now on; nullptr: nowhere.
  void set_times(CommTimes* times) { recording_->times = times; }
  // Where calls are logged and what is waited for is told; nullptr: nowhere.
  void set_calls(CallLog* calls) { recording_->calls = calls; }
  void set_heartbeat(Heartbeat* heartbeat) { recording_->heartbeat = heartbeat; }
  // World ranks of the group of `rank`, ascending.
  std::vector<int64_t> members(Axis axis, int64_t rank) const {
    return group_members(mesh_, axis, rank, num_kv_heads_);
  }
  const Mesh& mesh() const { return mesh_; }
  const Coordinates& coordinates() const { return coordinates_; }
  int64_t rank() const { return rank_; }

 private:
  Mesh mesh_;
  Coordinates coordinates_;
  int64_t rank_ = 0;
  int64_t num_kv_heads_ = 0;
  std::shared_ptr<RecordingSwitch> recording_;
  std::unique_ptr<Communicator> control_;  // also Axis::world
  std::array<std::unique_ptr<Communicator>, kNumAxes> groups_;
};

// Control traffic on a recorded axis (counts of rows, of choices): nothing is recorded while this
// lives.
class UnrecordedScope {
 public:
  explicit UnrecordedScope(ProcessGroups& groups) : groups_(groups), ledger_(groups.ledger()) {
    groups_.set_ledger(nullptr);
  }
  ~UnrecordedScope() { groups_.set_ledger(ledger_); }
  UnrecordedScope(const UnrecordedScope&) = delete;
  UnrecordedScope& operator=(const UnrecordedScope&) = delete;

 private:
  ProcessGroups& groups_;
  Ledger* ledger_;
};

}  // namespace argosy
