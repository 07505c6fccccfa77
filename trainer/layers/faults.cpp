// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/faults.h"

#include <array>

namespace argosy {

std::string_view to_string(Fault fault) {
  constexpr std::array<std::string_view, kNumFaults> kNames = {
      "none",
      "partial_sum_left_out",
      "tensor_gradient_not_summed",
      "kv_copies_not_summed",
      "tied_embedding_not_summed",
      "data_reduction_left_out",
      "data_reduction_twice",
      "data_reduction_wrong_group",
      "expert_gradient_averaged",
      "router_counts_not_summed",
      "norm_counts_replicas",
      "parameters_stale",
      "replica_drifts",
      "experts_swapped",
      "vocabulary_offset_ignored",
      "loss_per_rank",
      "microbatches_swapped",
      "causal_offset_missing",
      "positions_local",
      "gathers_for_a_sum",
      "shard_sum_overwritten",
      "gathered_values_kept",
      "shard_replicas_not_summed",
  };
  return kNames[static_cast<size_t>(fault)];
}

}  // namespace argosy
