// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Schedules that split the backward pass: gradients of weights, for which nobody waits, fill what
// would be bubbles.
#include <algorithm>
#include <array>

#include "planner/spec/schedule.h"
#include "planner/spec/schedule_builder.h"

namespace argosy {

namespace {

constexpr auto kForward = ActionKind::forward;
constexpr auto kInput = ActionKind::backward_input;
constexpr auto kWeight = ActionKind::backward_weight;

// Writes a rank's list: each kind takes the micro-batches of a chunk in order. Micro-batches beyond
// the last are counted but not written.
class RankList {
 public:
  RankList(std::vector<Action>& actions, std::array<int, 2> stages, int num_microbatches)
      : actions_(actions), stages_(stages), num_microbatches_(num_microbatches) {}

  void add(ActionKind kind, int chunk = 0) {
    int& next = next_[static_cast<size_t>(kind)][static_cast<size_t>(chunk)];
    if (next < num_microbatches_) {
      actions_.push_back({kind, stages_[static_cast<size_t>(chunk)], next});
    }
    ++next;
  }
  int count(ActionKind kind, int chunk = 0) const {
    return next_[static_cast<size_t>(kind)][static_cast<size_t>(chunk)];
  }

 private:
  std::vector<Action>& actions_;
  std::array<int, 2> stages_;
  int num_microbatches_;
  std::array<std::array<int, 2>, kNumActionKinds> next_{};  // [kind][chunk]
};

}  // namespace

// Qi et al. 2023 (arXiv 2401.10241), section 2: the forwards of 1F1B. Rank r puts off the weights
// of r micro-batches until it would wait at the end, so that every rank holds as much as rank 0 of
// 1F1B, and the bubble is (p - 1)(F + I - W).
Schedule zb_h1(int num_stages, int num_microbatches) {
  Schedule schedule =
      empty_schedule(stage_placement(ScheduleKind::zb_h1, num_stages, 1), num_microbatches);
  schedule.splits_backward = true;
  for (int stage = 0; stage < num_stages; ++stage) {
    RankList list(schedule.actions[static_cast<size_t>(stage)], {stage, stage}, num_microbatches);
    const int warm_up = std::min(num_stages - stage - 1, num_microbatches);
    for (int i = 0; i < warm_up; ++i) list.add(kForward);
    while (list.count(kInput) < num_microbatches) {
      list.add(kForward);
      list.add(kInput);
      if (list.count(kInput) - list.count(kWeight) > stage) list.add(kWeight);
    }
    while (list.count(kWeight) < num_microbatches) list.add(kWeight);
  }
  return schedule;
}

// Qi et al. 2024 (arXiv 2405.15362), ZB-V: stages go down the ranks (chunk 0) and up again (chunk
// 1), so that the gradient starts on the rank that the first micro-batch started from. With F = I =
// W the ranks wait p - 1 passes in all, at their start and end, and no rank holds more than p
// micro-batches of both its chunks.
Schedule zb_v(int num_ranks, int num_microbatches) {
  Schedule schedule =
      empty_schedule(stage_placement(ScheduleKind::zb_v, num_ranks, 2), num_microbatches);
  schedule.splits_backward = true;
  // The pattern needs this many to be full; fewer leave their places empty.
  const int full = std::max(2 * num_ranks - 1, num_microbatches);
  for (int rank = 0; rank < num_ranks; ++rank) {
    RankList list(schedule.actions[static_cast<size_t>(rank)], {rank, 2 * num_ranks - 1 - rank},
                  num_microbatches);
    // Until the first micro-batch has gone down and comes up; then both chunks in turn, until its
    // gradient comes.
    for (int i = 0; i < 2 * (num_ranks - rank) - 1; ++i) list.add(kForward, 0);
    for (int i = 0; i < rank; ++i) {
      list.add(kForward, 1);
      list.add(kForward, 0);
    }
    for (int i = 0; i < num_ranks - rank; ++i) {
      for (const ActionKind kind : {kForward, kInput, kWeight}) list.add(kind, 1);
    }
    while (list.count(kForward, 1) < full) {
      if (list.count(kForward, 0) < full) list.add(kForward, 0);
      for (const ActionKind kind : {kInput, kWeight}) list.add(kind, 0);
      for (const ActionKind kind : {kForward, kInput, kWeight}) list.add(kind, 1);
    }
    // The last gradients come from the other ranks; weights fill the time between them.
    for (int i = 0; i < rank; ++i) {
      for (const int chunk : {0, 1}) list.add(kInput, chunk);
    }
    for (int i = 0; i < num_ranks - rank; ++i) {
      for (const ActionKind kind : {kInput, kWeight}) list.add(kind, 0);
    }
    for (const int chunk : {1, 0}) {
      while (list.count(kWeight, chunk) < full) list.add(kWeight, chunk);
    }
  }
  return schedule;
}

}  // namespace argosy
