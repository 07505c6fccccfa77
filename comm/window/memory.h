// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Memory that all ranks of a node can read and write: a segment of each rank, cut into places of
// one size, one for each group that the rank belongs to. What lies in a place and how ranks take
// turns is window/group.h's.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "comm/message/transport.h"
#include "planner/spec/windows.h"

namespace argosy {

// What a rank tells its peers about one lane; it alone writes here. Counts of rounds since the
// group was made.
struct alignas(64) LaneControl {
  std::atomic<uint64_t> posted;  // its slot of that many rounds has been written
  std::atomic<uint64_t> taken;   // it has read the slots of all peers that often
  uint64_t calls[kLaneDepth];    // which call a slot belongs to, written before posted
};
static_assert(std::atomic<uint64_t>::is_always_lock_free);  // or it would not work across processes

struct PlaceControl {
  alignas(64) std::atomic<uint64_t> state;  // 2 x generation, + 1 once its owner has left the group
  LaneControl lanes[kWindowLanes];
};

static_assert(sizeof(PlaceControl) == kWindowControlBytes);

// Of calls that are cut as `limits` say.
inline WindowLayout layout_of(const Limits& limits) {
  return {limits.small_all_reduce_bytes, limits.window_slot_bytes};
}

// A place of some rank. Generations count the groups that a place has served.
struct WindowPlace {
  int64_t segment = 0, index = 0, generation = 0;
};

// One rank's view. Not thread-safe: it belongs to the rank.
class WindowMemory {
 public:
  struct Source {
    std::vector<std::byte*> segments;  // of all ranks of the node, on whole cache lines
    int64_t own = 0;                   // which of them is this rank's
    int64_t num_places = 0;            // that fit each segment
    // Gets real memory for a part of the own segment; false: there is none left.
    std::function<bool(std::byte* data, int64_t bytes)> populate;
    std::function<void()>
        changed;  // something was posted or taken: wakes sleeping peers; may be empty
    std::shared_ptr<void> keeper;  // what holds the memory
  };
  WindowMemory(Source source, const WindowLayout& layout);

  int64_t own_segment() const { return source_.own; }
  const WindowLayout& layout() const { return layout_; }
  // A place of this rank with counts of 0, for a group whose other places join() names; index -1:
  // none is free, or the system has no memory left.
  WindowPlace acquire();
  void join(const WindowPlace& own, std::vector<WindowPlace> peers);
  // This rank looks at the places of the group no more. A place is used again when all have left.
  void release(const WindowPlace& own);

  PlaceControl& control(const WindowPlace& place) const;
  std::byte* slot(const WindowPlace& place, int lane, uint64_t round) const;
  void changed() const {
    if (source_.changed) source_.changed();
  }
  int64_t populated_bytes() const { return num_populated_ * layout_.place_bytes(); }

 private:
  std::byte* address(int64_t segment, int64_t index) const;
  bool is_free(int64_t index) const;

  Source source_;
  WindowLayout layout_;
  struct Own {
    int64_t generation = 0;  // 0: never used
    bool is_held = false;
    std::vector<WindowPlace> peers;
  };
  std::vector<Own> own_;
  int64_t num_populated_ = 0;  // places; the first ones
};

}  // namespace argosy
