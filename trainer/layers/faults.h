// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Deliberate mistakes, the silent bugs of distributed training, for tests alone: the comparison of
// layouts must notice each of them (tests/end_to_end/mutation_test.cpp). A place that can be wrong
// asks `ctx.fault`; nothing but a test sets it.
#pragma once

#include <string_view>

namespace argosy {

enum class Fault {
  none,
  partial_sum_left_out,        // a row-parallel product is not summed over tp
  tensor_gradient_not_summed,  // gradients that are to be summed over tp or etp are not
  kv_copies_not_summed,        // copies of key/value heads keep their own gradients
  tied_embedding_not_summed,   // first and last stage keep their own gradients of the shared table
  data_reduction_left_out,     // gradients are not summed over dp_cp and edp
  data_reduction_twice,        // gradients are summed twice
  data_reduction_wrong_group,  // dense gradients are summed over the experts' group
  expert_gradient_averaged,    // expert gradients are divided by edp
  router_counts_not_summed,    // the auxiliary loss sees this rank's tokens alone
  norm_counts_replicas,        // the gradient norm counts copies
  parameters_stale,            // updated shards are not gathered
  replica_drifts,              // the last rank's copies change a little
  experts_swapped,             // rows of two neighbouring experts are exchanged
  vocabulary_offset_ignored,   // ids are looked up as if this rank's rows began at 0
  loss_per_rank,               // the loss is divided by this rank's tokens
  microbatches_swapped,        // backward reads another micro-batch's tokens
  causal_offset_missing,       // keys of the ring stand where this rank's do
  positions_local,             // a context-parallel rank counts positions from 0
  gathers_for_a_sum,           // the last rank of a group gathers what the others sum
  shard_sum_overwritten,       // ZeRO 2 and 3: shards keep the last micro-batch's gradients alone
  gathered_values_kept,        // ZeRO 3: what was gathered once is never gathered again
  shard_replicas_not_summed,   // hybrid sharding: holders of a shard keep their own gradients
};
inline constexpr int kNumFaults = 23;

std::string_view to_string(Fault fault);

}  // namespace argosy
