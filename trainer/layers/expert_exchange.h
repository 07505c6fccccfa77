// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The way of rows to their experts and back: an all-to-all over ep to the ranks that hold the
// expert, then over etp, whose ranks hold a slice of the expert's width each, an all-gather of the
// rows on the way there and a reduce-scatter of the partial outputs on the way back. Everything is
// ragged. With ep = etp = 1 nothing moves.
#pragma once

#include <cstdint>
#include <vector>

#include "trainer/layers/context.h"

namespace argosy {

// Who sends how many rows to whom, for one micro-batch and layer.
struct ExchangePlan {
  std::vector<int64_t> send_rows;       // [ep] rows of this rank for each rank's experts
  std::vector<int64_t> recv_rows;       // [ep] rows from each rank
  std::vector<int64_t> gathered_rows;   // [etp] rows that each rank of the etp group received
  std::vector<int64_t> rows_of_expert;  // [E/ep] rows of each local expert, from all ranks
  // Gathered row expert_order[i] is row i in the order of the experts: permutation of 0..R-1.
  std::vector<int32_t> expert_order;
};

// rows_of_expert: [E] rows of this rank for each expert. Exchanges counts over ep and etp (control
// traffic, not recorded).
ExchangePlan plan_exchange(const LayerContext& ctx, const std::vector<int64_t>& rows_of_expert);

// Where rows are made that are to be exchanged: in `category` itself if they stay as they are.
MemoryCategory category_of_rows(const LayerContext& ctx, MemoryCategory category);

// rows (s*k, H) sorted by expert -> (R, H) sorted by local expert, in `category`.
Tensor send_to_experts(const LayerContext& ctx, const ExchangePlan& plan, const Tensor& rows,
                       MemoryCategory category);
// rows (R, H) sorted by local expert, partial sums over etp -> (s*k, H) in the order in which they
// were sent.
Tensor return_from_experts(const LayerContext& ctx, const ExchangePlan& plan, const Tensor& rows,
                           MemoryCategory category);

}  // namespace argosy
