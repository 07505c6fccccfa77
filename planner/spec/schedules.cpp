// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The builders: who computes what in which order. A new schedule is one more function here or in
// zero_bubble.cpp.
#include <algorithm>
#include <numeric>
#include <utility>

#include "planner/spec/check.h"
#include "planner/spec/mesh.h"
#include "planner/spec/schedule.h"
#include "planner/spec/schedule_builder.h"

namespace argosy {

namespace {

// Appends `kind` of the micro-batches [begin, end).
void append(std::vector<Action>& actions, ActionKind kind, int stage, int begin, int end) {
  for (int microbatch = begin; microbatch < end; ++microbatch) {
    actions.push_back({kind, stage, microbatch});
  }
}

// One pass of one chunk, the chunk counted among those of its rank.
struct ChunkPass {
  int chunk = 0, microbatch = 0;
};

// Interleaving runs a group of micro-batches through a chunk, then through the next. A group of p
// keeps all ranks busy; m that is no multiple of p is spread over groups of p to 2p - 1, because a
// last group of fewer would make everybody wait for its round trips.
std::vector<int64_t> group_sizes(int num_ranks, int num_microbatches) {
  return split_sizes(num_microbatches, std::max(1, num_microbatches / num_ranks));
}

// The order in which every rank works: forwards take the chunks upwards, backwards downwards.
std::vector<ChunkPass> passes(const std::vector<int64_t>& groups, int num_chunks, bool upwards) {
  std::vector<ChunkPass> order;
  int begin = 0;
  for (const int64_t size : groups) {
    const int end = begin + static_cast<int>(size);
    for (int i = 0; i < num_chunks; ++i) {
      const int chunk = upwards ? i : num_chunks - 1 - i;
      for (int microbatch = begin; microbatch < end; ++microbatch) {
        order.push_back({chunk, microbatch});
      }
    }
    begin = end;
  }
  return order;
}

}  // namespace

Schedule empty_schedule(std::vector<int> rank_of_stage, int num_microbatches) {
  CHECK(!rank_of_stage.empty() && num_microbatches >= 1, rank_of_stage.size(), " stages, ",
        num_microbatches, " micro-batches");
  Schedule schedule;
  schedule.num_stages = static_cast<int>(rank_of_stage.size());
  schedule.num_microbatches = num_microbatches;
  const int last_rank = *std::max_element(rank_of_stage.begin(), rank_of_stage.end());
  schedule.actions.resize(static_cast<size_t>(last_rank) + 1);
  schedule.rank_of_stage = std::move(rank_of_stage);
  return schedule;
}

std::vector<int> stage_placement(ScheduleKind kind, int num_ranks, int virtual_stages) {
  std::vector<int> rank_of_stage;
  for (int stage = 0; stage < num_ranks * virtual_stages; ++stage) {
    rank_of_stage.push_back(static_cast<int>(pipeline_rank_of_stage(kind, num_ranks, stage)));
  }
  return rank_of_stage;
}

Schedule gpipe(int num_stages, int num_microbatches) {
  Schedule schedule =
      empty_schedule(stage_placement(ScheduleKind::gpipe, num_stages, 1), num_microbatches);
  for (int stage = 0; stage < num_stages; ++stage) {
    std::vector<Action>& actions = schedule.actions[static_cast<size_t>(stage)];
    append(actions, ActionKind::forward, stage, 0, num_microbatches);
    append(actions, ActionKind::backward, stage, 0, num_microbatches);
  }
  return schedule;
}

Schedule one_f_one_b(int num_stages, int num_microbatches) {
  Schedule schedule =
      empty_schedule(stage_placement(ScheduleKind::one_f_one_b, num_stages, 1), num_microbatches);
  for (int stage = 0; stage < num_stages; ++stage) {
    std::vector<Action>& actions = schedule.actions[static_cast<size_t>(stage)];
    // Enough forwards that the first gradient comes back just as they end; from then on each
    // backward frees the activations that the next forward needs.
    const int warm_up = std::min(num_stages - stage - 1, num_microbatches);
    append(actions, ActionKind::forward, stage, 0, warm_up);
    for (int microbatch = warm_up; microbatch < num_microbatches; ++microbatch) {
      actions.push_back({ActionKind::forward, stage, microbatch});
      actions.push_back({ActionKind::backward, stage, microbatch - warm_up});
    }
    append(actions, ActionKind::backward, stage, num_microbatches - warm_up, num_microbatches);
  }
  return schedule;
}

// Narayanan et al. 2021 (arXiv 2104.04473), section 2.2, for any number of micro-batches.
Schedule interleaved(int num_ranks, int virtual_stages, int num_microbatches) {
  if (virtual_stages == 1) return one_f_one_b(num_ranks, num_microbatches);
  Schedule schedule = empty_schedule(
      stage_placement(ScheduleKind::interleaved, num_ranks, virtual_stages), num_microbatches);
  const std::vector<int64_t> groups = group_sizes(num_ranks, num_microbatches);
  const std::vector<ChunkPass> forwards = passes(groups, virtual_stages, true);
  const std::vector<ChunkPass> backwards = passes(groups, virtual_stages, false);
  const auto num_passes = static_cast<int>(forwards.size());
  for (int rank = 0; rank < num_ranks; ++rank) {
    std::vector<Action>& actions = schedule.actions[static_cast<size_t>(rank)];
    const auto add = [&](ActionKind kind, const ChunkPass& pass) {
      actions.push_back({kind, pass.chunk * num_ranks + rank, pass.microbatch});
    };
    // The first gradient of the last chunk returns when the first group (the longest) has passed
    // the other chunks, and the pipeline below this rank twice: forward and back.
    const int first_group = static_cast<int>(groups.front());
    const int warm_up =
        std::min(2 * (num_ranks - rank - 1) + (virtual_stages - 1) * first_group, num_passes);
    for (int i = 0; i < num_passes + warm_up; ++i) {
      if (i < num_passes) add(ActionKind::forward, forwards[static_cast<size_t>(i)]);
      if (i >= warm_up) add(ActionKind::backward, backwards[static_cast<size_t>(i - warm_up)]);
    }
  }
  return schedule;
}

Schedule forward_only(int num_stages, int num_microbatches) {
  return forward_only(stage_placement(ScheduleKind::gpipe, num_stages, 1), num_microbatches);
}

Schedule forward_only(std::vector<int> rank_of_stage, int num_microbatches) {
  Schedule schedule = empty_schedule(std::move(rank_of_stage), num_microbatches);
  // Groups as above; inside of one, stages in order: an order of the whole job that every rank's
  // list is a part of cannot deadlock, wherever the stages sit.
  int begin = 0;
  for (const int64_t size :
       group_sizes(static_cast<int>(schedule.actions.size()), num_microbatches)) {
    const int end = begin + static_cast<int>(size);
    for (int stage = 0; stage < schedule.num_stages; ++stage) {
      const int rank = schedule.rank_of_stage[static_cast<size_t>(stage)];
      append(schedule.actions[static_cast<size_t>(rank)], ActionKind::forward, stage, begin, end);
    }
    begin = end;
  }
  return schedule;
}

Schedule build_schedule(ScheduleKind kind, int num_ranks, int num_microbatches,
                        int virtual_stages) {
  switch (kind) {
    case ScheduleKind::gpipe:
      return add_transfers(gpipe(num_ranks, num_microbatches));
    case ScheduleKind::one_f_one_b:
      return add_transfers(one_f_one_b(num_ranks, num_microbatches));
    case ScheduleKind::interleaved:
      return add_transfers(interleaved(num_ranks, virtual_stages, num_microbatches));
    case ScheduleKind::zb_h1:
      return add_transfers(zb_h1(num_ranks, num_microbatches));
    case ScheduleKind::zb_v:
      return add_transfers(zb_v(num_ranks, num_microbatches));
  }
  CHECK(false, "schedule kind ", static_cast<int>(kind));
  return {};
}

Schedule build_schedule(const Plan& plan) {
  return build_schedule(plan.schedule, static_cast<int>(plan.mesh.pp),
                        static_cast<int>(plan.num_microbatches()),
                        static_cast<int>(plan.virtual_stages));
}

Schedule build_evaluation_schedule(const Plan& plan) {
  return add_transfers(forward_only(stage_placement(plan.schedule, static_cast<int>(plan.mesh.pp),
                                                    static_cast<int>(plan.virtual_stages)),
                                    static_cast<int>(plan.num_microbatches())));
}

}  // namespace argosy
