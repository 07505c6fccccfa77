// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the CPU's own kernels hold while they run, besides the workspaces of work.h: it follows from
// the number of threads, which a plan does not decide, and is megabytes where those are hundreds.
#pragma once

#include <algorithm>
#include <cstdint>

#include "planner/spec/plan.h"
#include "planner/spec/work.h"

namespace argosy {

// Limits of our packed products (trainer/ops/packed_schedule.cpp says why): bytes of packed rows of
// all threads together and of packed columns of each, words of 4 bytes that are summed in one go.
inline constexpr int64_t kPackedRowsBytes = int64_t{2} << 20;
inline constexpr int64_t kPackedColumnsBytes = int64_t{384} << 10;
inline constexpr int64_t kMostSummedWords = 2048;
// Of a tile of attention's scores (trainer/ops/cpu_kernels.h), and rows or columns that are packed
// together.
inline constexpr int64_t kScoreRows = 96, kScoreKeys = 64, kMostPanel = 32;

// Upper bounds for one rank in `layer`, of whichever op takes most. fp64 is not counted: it is for
// proofs.
struct CpuScratch {
  int64_t product_bytes = 0;    // bf16: packed operands, and sums that wait in fp32
  int64_t attention_bytes = 0;  // packed keys and values of a head, their gradients, tiles
  int64_t most_bytes() const { return std::max(product_bytes, attention_bytes); }
};
CpuScratch cpu_scratch(const Plan& plan, const LayerWork& layer, int64_t num_threads);

}  // namespace argosy
