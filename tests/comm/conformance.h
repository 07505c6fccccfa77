// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What every communicator must do, once, for all back ends and group sizes. A check is called by
// all ranks of `world` and reports by EXPECT.
#pragma once

#include <vector>

#include "comm/communicator.h"
#include "comm/message/transport.h"

namespace argosy {

struct ConformanceCheck {
  const char* name;
  void (*run)(Communicator& world);
};

const std::vector<ConformanceCheck>& conformance_checks();

// Cuts everything: a message after 1000 bytes, a piece after 4096, a slot of a window after 4032.
inline Limits tiny_limits() {
  Limits limits;
  limits.reduce_piece_bytes = 4096;
  limits.reduce_scratch_bytes = 20000;
  limits.small_all_reduce_bytes = 8;
  limits.message_bytes = 1000;
  limits.window_slot_bytes = 4000;
  return limits;
}
// The same where ranks share no memory.
inline Limits over_messages(Limits limits = {}) {
  limits.window_slot_bytes = 0;
  return limits;
}

// Reductions (conformance_reductions.cpp).
void check_all_reduce_adds_in_rank_order(Communicator& world);
void check_all_reduce_max(Communicator& world);
void check_reduce_scatter_ragged(Communicator& world);
void check_reduce_scatter_in_place(Communicator& world);
void check_bf16_is_rounded_once(Communicator& world);
void check_results_repeat(Communicator& world);

// Over two communicators of the same ranks, one through a window, one over messages.
void check_same_bits(Communicator& window, Communicator& messages);

// Data movement (conformance_movement.cpp).
void check_all_gather_ragged(Communicator& world);
void check_all_gather_in_place(Communicator& world);
void check_all_to_all_variable(Communicator& world);
void check_broadcast_every_root(Communicator& world);
void check_send_recv_ring(Communicator& world);
void check_send_keeps_order_and_tags(Communicator& world);

// Calls under way together, groups (conformance_flow.cpp).
void check_several_in_flight(Communicator& world);
void check_waits_in_another_order(Communicator& world);
void check_progress_across_communicators(Communicator& world);
void check_destroyed_request_waits(Communicator& world);
void check_test_finishes(Communicator& world);
void check_split(Communicator& world);
void check_barrier(Communicator& world);
void check_wrong_arguments(Communicator& world);

}  // namespace argosy
