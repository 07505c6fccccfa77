// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The all-to-all of expert parallelism: rows sorted by expert go to the rank that holds the expert,
// and back. With ep = 1 nothing moves.
#pragma once

#include <cstdint>
#include <vector>

#include "trainer/layers/context.h"

namespace argosy {

// Who sends how many rows to whom, for one micro-batch and layer.
struct ExchangePlan {
  std::vector<int64_t> send_rows;       // [ep] rows of this rank for each rank's experts
  std::vector<int64_t> recv_rows;       // [ep] rows from each rank
  std::vector<int64_t> rows_of_expert;  // [E/ep] rows of each local expert, from all ranks
  std::vector<int32_t>
      expert_order;  // received row i goes behind the others of its expert: permutation of 0..R-1
  int64_t received() const;
};

// rows_of_expert: [E] rows of this rank for each expert. Exchanges counts over ep (control traffic,
// not recorded).
ExchangePlan plan_exchange(const LayerContext& ctx, const std::vector<int64_t>& rows_of_expert);

// rows (s*k, H) sorted by expert -> (R, H) sorted by local expert, in `category`.
Tensor send_to_experts(const LayerContext& ctx, const ExchangePlan& plan, const Tensor& rows,
                       MemoryCategory category);
// rows (R, H) sorted by local expert -> (s*k, H) in the order in which they were sent.
Tensor return_from_experts(const LayerContext& ctx, const ExchangePlan& plan, const Tensor& rows,
                           MemoryCategory category);

}  // namespace argosy
