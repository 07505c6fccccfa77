// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/window/group.h"

#include <string>
#include <utility>

#include "planner/spec/check.h"

namespace argosy {
namespace {

constexpr int kBytesBits = 48, kDtypeBits = 8;

uint64_t pack(const WindowCallName& name) {
  const uint64_t head = (static_cast<uint64_t>(name.kind) << kDtypeBits) |
                        static_cast<uint64_t>(static_cast<uint8_t>(name.dtype));
  return (head << kBytesBits) | static_cast<uint64_t>(name.bytes);
}

WindowCallName unpack(uint64_t word) {
  return {static_cast<WindowKind>(word >> (kBytesBits + kDtypeBits)),
          static_cast<DType>((word >> kBytesBits) & 0xff),
          static_cast<int64_t>(word & ((uint64_t{1} << kBytesBits) - 1))};
}

std::string describe(const WindowCallName& name) {
  constexpr const char* kNames[] = {"all_reduce", "reduce_scatter", "all_gather",
                                    "all_to_all", "broadcast",      "barrier"};
  const std::string kind = kNames[static_cast<size_t>(name.kind)];
  if (name.kind == WindowKind::barrier) return kind;
  if (name.kind == WindowKind::all_to_all) return concat(kind, " in ", to_string(name.dtype));
  return concat(kind, " of ", name.bytes, " bytes in ", to_string(name.dtype));
}

}  // namespace

WindowGroup::WindowGroup(std::shared_ptr<WindowMemory> memory, std::vector<WindowPlace> places,
                         int rank, int world_rank)
    : memory_(std::move(memory)), places_(std::move(places)), rank_(rank), world_rank_(world_rank) {
  std::vector<WindowPlace> peers = places_;
  peers.erase(peers.begin() + rank_);
  memory_->join(places_[static_cast<size_t>(rank_)], std::move(peers));
}

WindowGroup::~WindowGroup() {
  memory_->release(places_[static_cast<size_t>(rank_)]);
}

WindowCall::WindowCall(std::shared_ptr<WindowGroup> group, Size size, WindowCallName name)
    : group_(std::move(group)), name_(name) {
  lane_ = static_cast<int>(size == Size::small ? group_->next_small_++ % kSmallLanes
                                               : kSmallLanes + group_->next_large_++ % kLargeLanes);
  ticket_ = group_->lanes_[static_cast<size_t>(lane_)].calls_started++;
}

WindowCall::~WindowCall() {
  if (!is_on_ || posted_ != taken_) return;  // given up: the job is failing
  WindowGroup::Lane& lane = group_->lanes_[static_cast<size_t>(lane_)];
  lane.rounds += posted_;
  ++lane.calls_over;
}

bool WindowCall::is_its_turn() {
  const WindowGroup::Lane& lane = group_->lanes_[static_cast<size_t>(lane_)];
  if (lane.calls_over != ticket_) return false;
  base_ = lane.rounds;
  is_on_ = true;
  return true;
}

bool WindowCall::has_room() {
  const uint64_t round = base_ + posted_;
  if (round < kLaneDepth) return true;
  for (int peer = 0; peer < group_->size(); ++peer) {
    if (peer == group_->rank()) continue;
    if (control(peer).taken.load(std::memory_order_acquire) + kLaneDepth <= round) return false;
  }
  return true;
}

std::byte* WindowCall::own_slot() const {
  const auto self = static_cast<size_t>(group_->rank());
  return group_->memory_->slot(group_->places_[self], lane_, base_ + posted_);
}

void WindowCall::post() {
  LaneControl& own = control(group_->rank());
  const uint64_t round = base_ + posted_;
  own.calls[round % kLaneDepth] = pack(name_);
  own.posted.store(round + 1, std::memory_order_release);
  ++posted_;
  group_->memory_->changed();
}

Event& WindowCall::arrival() {
  first_awaited_ = 0;
  last_awaited_ = group_->size() - 1;
  return arrival_;
}

Event& WindowCall::arrival_of(int peer) {
  first_awaited_ = last_awaited_ = peer;
  return arrival_;
}

bool WindowCall::has_arrived() {
  const uint64_t round = base_ + taken_;
  for (; first_awaited_ <= last_awaited_; ++first_awaited_) {
    if (first_awaited_ == group_->rank()) continue;
    if (control(first_awaited_).posted.load(std::memory_order_acquire) <= round) return false;
    check_call_of(first_awaited_);
  }
  return true;
}

void WindowCall::check_call_of(int peer) const {
  const WindowCallName theirs = unpack(control(peer).calls[(base_ + taken_) % kLaneDepth]);
  if (theirs == name_) return;
  throw Error(concat("rank ", group_->world_rank_, ": ", describe(name_), " met ", describe(theirs),
                     " of group rank ", peer));
}

const std::byte* WindowCall::slot_of(int peer) const {
  return group_->memory_->slot(group_->places_[static_cast<size_t>(peer)], lane_, base_ + taken_);
}

void WindowCall::take() {
  ++taken_;
  control(group_->rank()).taken.store(base_ + taken_, std::memory_order_release);
  group_->memory_->changed();
}

}  // namespace argosy
