// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The places of one group's ranks, and how a call uses them. A call is a number of rounds, the same
// on every rank: each rank writes its slot and posts it, waits until its peers have posted theirs,
// reads them, and says that it has taken them, after which they may be overwritten.
//
// Calls take the lanes of their size in turn, and those of one lane run one after the other in the
// order in which they were started, which is the same on all ranks. No call waits for a later one:
// whatever order ranks wait in, the oldest call of each lane can always go on.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "comm/message/event.h"
#include "comm/window/memory.h"
#include "planner/spec/types.h"

namespace argosy {

// What all ranks of a call must agree on; compared at every round.
enum class WindowKind : uint8_t {
  all_reduce,
  reduce_scatter,
  all_gather,
  all_to_all,
  broadcast,
  barrier
};
struct WindowCallName {
  WindowKind kind = WindowKind::barrier;
  DType dtype = DType::fp32;
  int64_t bytes = 0;  // of the whole buffer; 0 where ranks may differ
  bool operator==(const WindowCallName&) const = default;
};

class WindowGroup {
 public:
  // places: of all ranks of the group, in their order. world_rank is for messages.
  WindowGroup(std::shared_ptr<WindowMemory> memory, std::vector<WindowPlace> places, int rank,
              int world_rank);
  ~WindowGroup();
  WindowGroup(const WindowGroup&) = delete;
  WindowGroup& operator=(const WindowGroup&) = delete;

  int rank() const { return rank_; }
  int size() const { return static_cast<int>(places_.size()); }
  int64_t small_bytes() const { return memory_->layout().small_slot_bytes; }

 private:
  friend class WindowCall;
  struct Lane {
    int64_t calls_started = 0, calls_over = 0;  // of this rank
    uint64_t rounds = 0;                        // of the calls that are over
  };
  PlaceControl& control(int rank) const {
    return memory_->control(places_[static_cast<size_t>(rank)]);
  }

  std::shared_ptr<WindowMemory> memory_;
  std::vector<WindowPlace> places_;
  int rank_, world_rank_;
  std::array<Lane, kWindowLanes> lanes_;
  int64_t next_small_ = 0, next_large_ = 0;
};

// One call's way through its lane.
class WindowCall {
 public:
  enum class Size { small, large };
  WindowCall(std::shared_ptr<WindowGroup> group, Size size, WindowCallName name);
  ~WindowCall();  // the lane is the next call's, if this one came to its end
  WindowCall(const WindowCall&) = delete;
  WindowCall& operator=(const WindowCall&) = delete;

  int64_t slot_bytes() const { return group_->memory_->layout().slot_bytes(lane_); }
  int64_t num_posted() const { return static_cast<int64_t>(posted_); }

  // The calls before it on the lane are over. To be awaited before all else.
  Event& turn() { return turn_; }
  // All peers have taken what stood in the slot of the next round.
  Event& room() { return room_; }
  std::byte* own_slot() const;  // of the next round: after room()
  void post();

  // All peers have posted the round that is to be taken next, or one peer has. Throws Error if one
  // of them is in another call.
  Event& arrival();
  Event& arrival_of(int peer);
  const std::byte* slot_of(int peer) const;  // of that round
  void take();

 private:
  struct Condition : Event {
    Condition(WindowCall* call_, bool (WindowCall::*holds_)()) : call(call_), holds(holds_) {}
    bool test() override { return (call->*holds)(); }
    WindowCall* call;
    bool (WindowCall::*holds)();
  };
  bool is_its_turn();
  bool has_room();
  bool has_arrived();
  void check_call_of(int peer) const;
  LaneControl& control(int rank) const { return group_->control(rank).lanes[lane_]; }

  std::shared_ptr<WindowGroup> group_;
  WindowCallName name_;
  int lane_;
  int64_t ticket_;
  bool is_on_ = false;                          // its turn has come
  uint64_t base_ = 0, posted_ = 0, taken_ = 0;  // rounds of the lane before it, its own
  int first_awaited_ = 0, last_awaited_ = 0;    // peers of an arrival that are yet to be seen
  Condition turn_{this, &WindowCall::is_its_turn};
  Condition room_{this, &WindowCall::has_room};
  Condition arrival_{this, &WindowCall::has_arrived};
};

}  // namespace argosy
