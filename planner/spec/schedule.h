// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A pipeline schedule is data: per pipeline rank a list of actions. Builders emit compute alone;
// lowering adds transfers; validate proves that the result cannot deadlock; the simulator times it
// and the trainer runs the very same list.
//
// Reading of the lists: a rank performs its actions in order.
//   forward, backward       compute; start when their prerequisites are complete
//   backward_input,         the two halves of a split backward (Qi et al. 2023): the gradient of
//   backward_weight         the stage's input, which the stage before it waits for, and later the
//                           gradients of its weights, for which nobody waits
//   send_*                  post a transfer of a finished tensor to the neighbour stage and go on
//   recv_*                  post the matching receive and go on; the compute that needs the data
//   waits for it
// validate() assumes the worst of a network: a transfer completes only when both sides have posted
// it (rendezvous).
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "planner/spec/plan.h"

namespace argosy {

enum class ActionKind {
  forward,
  backward,
  send_activation,
  recv_activation,
  send_gradient,
  recv_gradient,
  backward_input,
  backward_weight
};
inline constexpr int kNumActionKinds = 8;

constexpr bool is_compute(ActionKind kind) {
  return kind == ActionKind::forward || kind == ActionKind::backward ||
         kind == ActionKind::backward_input || kind == ActionKind::backward_weight;
}
constexpr bool is_send(ActionKind kind) {
  return kind == ActionKind::send_activation || kind == ActionKind::send_gradient;
}

// `stage` is the stage whose tensor it is about: 1RECV_F0 receives the input of stage 1, 0SEND_F0
// sends the output of stage 0.
struct Action {
  ActionKind kind = ActionKind::forward;
  int stage = 0;
  int microbatch = 0;
  auto operator<=>(const Action&) const = default;
};

struct Schedule {
  int num_stages = 0;
  int num_microbatches = 0;
  bool splits_backward = false;              // backward_input and backward_weight, no backward
  std::vector<int> rank_of_stage;            // [num_stages] -> pipeline rank
  std::vector<std::vector<Action>> actions;  // [pipeline rank], program order
};

// Compute-only schedules of m micro-batches on p ranks with a stage each.
Schedule gpipe(int num_stages, int num_microbatches);
Schedule one_f_one_b(int num_stages, int num_microbatches);
Schedule zb_h1(int num_stages, int num_microbatches);
// With several stages on a rank: stage s on rank s % p, and the V of zb-v.
Schedule interleaved(int num_ranks, int virtual_stages, int num_microbatches);
Schedule zb_v(int num_ranks, int num_microbatches);
// Evaluation.
Schedule forward_only(int num_stages, int num_microbatches);
Schedule forward_only(std::vector<int> rank_of_stage, int num_microbatches);

// Adds the transfers between stages on different ranks: each send directly after the compute that
// made the tensor, each receive placed so that no rank waits for a peer that waits for it.
Schedule add_transfers(const Schedule& compute_only);

// builder + lowering. `num_ranks` is pp; virtual_stages must suit the kind, as validate(Plan) says.
Schedule build_schedule(ScheduleKind kind, int num_ranks, int num_microbatches,
                        int virtual_stages = 1);
Schedule build_schedule(const Plan& plan);
Schedule build_evaluation_schedule(const Plan& plan);

// The action that makes the gradient which the stage before waits for.
inline ActionKind gradient_maker(const Schedule& schedule) {
  return schedule.splits_backward ? ActionKind::backward_input : ActionKind::backward;
}
// The action after which nothing of a micro-batch is kept on its stage.
inline ActionKind last_of_microbatch(const Schedule& schedule) {
  return schedule.splits_backward ? ActionKind::backward_weight : ActionKind::backward;
}

// The other end of a transfer: 1RECV_F0 for 0SEND_F0 and the reverse. Its rank, rank_of_stage of
// its stage, is the peer.
Action counterpart(const Action& transfer);

// Actions that must be complete before `action` may start (compute) or be posted (transfers); the
// one definition that validate, simulate and the trainer share.
std::vector<Action> prerequisites(const Action& action, const Schedule& schedule);

// Throws std::logic_error naming rank and action: every forward (and backward, or both of its
// halves) of every stage and micro-batch exactly once, sends and receives in pairs and in the same
// order on both ends, and the whole list runs to its end under rendezvous.
void validate(const Schedule& schedule, bool with_backward = true);

// Micro-batches whose activations are alive at once on each rank, at most; with several stages on a
// rank, (stage, micro-batch) pairs. Without a backward nothing is kept: the one at hand.
std::vector<int> max_in_flight(const Schedule& schedule);

// The notation of torch.distributed.pipelining, one line a rank, comma separated:
// "0F0,0SEND_F0,...". `microbatch` follows the kind: F, B, I and W (backward_input and
// backward_weight), SEND_F, RECV_F, SEND_B, RECV_B. A file with transfers is read there with
// format="compute_comms", one of a builder alone with "compute_only".
std::string to_string(const Action& action);
std::string to_csv(const Schedule& schedule);
// Stages and micro-batches are counted from the actions, so that a hand-written file needs no
// header; empty cells (PyTorch's idle slots) are skipped. Throws ConfigError naming line, column
// and cell. What the actions mean together is for validate() to say.
Schedule parse_schedule_csv(std::string_view text);

}  // namespace argosy
