// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/window/memory.h"

#include <algorithm>
#include <new>
#include <utility>

#include "planner/spec/check.h"

namespace argosy {

WindowMemory::WindowMemory(Source source, const WindowLayout& layout)
    : source_(std::move(source)), layout_(layout), own_(static_cast<size_t>(source_.num_places)) {
  for (const std::byte* segment : source_.segments) {
    CHECK(reinterpret_cast<uintptr_t>(segment) % alignof(PlaceControl) == 0,
          "a segment of the window at ", static_cast<const void*>(segment));
  }
}

std::byte* WindowMemory::address(int64_t segment, int64_t index) const {
  return source_.segments[static_cast<size_t>(segment)] + index * layout_.place_bytes();
}

PlaceControl& WindowMemory::control(const WindowPlace& place) const {
  return *std::launder(reinterpret_cast<PlaceControl*>(address(place.segment, place.index)));
}

std::byte* WindowMemory::slot(const WindowPlace& place, int lane, uint64_t round) const {
  return address(place.segment, place.index) + layout_.slot_offset(lane, round);
}

// All who shared the last group have left it: a peer says so, or has gone on to use its own place
// again, which it does only when all have left.
bool WindowMemory::is_free(int64_t index) const {
  const Own& own = own_[static_cast<size_t>(index)];
  if (own.is_held) return false;
  return std::all_of(own.peers.begin(), own.peers.end(), [&](const WindowPlace& peer) {
    const uint64_t state = control(peer).state.load(std::memory_order_acquire);
    return state != 2 * static_cast<uint64_t>(peer.generation);
  });
}

WindowPlace WindowMemory::acquire() {
  WindowPlace place{source_.own, -1, 0};
  for (int64_t index = 0; index < source_.num_places; ++index) {
    if (index == num_populated_) {
      if (!source_.populate(address(source_.own, index), layout_.place_bytes())) return place;
      new (address(source_.own, index)) PlaceControl{};
      ++num_populated_;
    }
    if (!is_free(index)) continue;
    Own& own = own_[static_cast<size_t>(index)];
    own.is_held = true;
    own.peers.clear();
    place.index = index;
    place.generation = ++own.generation;
    PlaceControl& fresh = control(place);
    for (LaneControl& lane : fresh.lanes) {
      lane.posted.store(0, std::memory_order_relaxed);
      lane.taken.store(0, std::memory_order_relaxed);
    }
    fresh.state.store(2 * static_cast<uint64_t>(place.generation), std::memory_order_release);
    return place;
  }
  return place;
}

void WindowMemory::join(const WindowPlace& own, std::vector<WindowPlace> peers) {
  own_[static_cast<size_t>(own.index)].peers = std::move(peers);
}

void WindowMemory::release(const WindowPlace& own) {
  own_[static_cast<size_t>(own.index)].is_held = false;
  control(own).state.store(2 * static_cast<uint64_t>(own.generation) + 1,
                           std::memory_order_release);
}

}  // namespace argosy
