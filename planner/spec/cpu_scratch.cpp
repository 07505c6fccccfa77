// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/cpu_scratch.h"

#include <algorithm>

#include "planner/spec/integers.h"

namespace argosy {

namespace {

// The largest result in bf16 whose sum is longer than what is summed in one go, in fp32. Of each
// product in forward: its own result and that of its input's gradient. Experts' products are one
// op; chunks of the head follow each other.
int64_t waiting_bytes(const Pass& forward) {
  constexpr int64_t kMostSummed = 2 * kMostSummedWords;  // elements
  int64_t most = 0;
  for (const OpWork& op : forward.ops) {
    if (op.kind != OpKind::matmul) continue;
    const int64_t rows = op.rows * (op.is_of_logits ? 1 : op.count);
    if (op.depth > kMostSummed) most = std::max(most, rows * op.cols);
    if (op.cols > kMostSummed) most = std::max(most, rows * op.depth);
  }
  return most * size_in_bytes(DType::fp32);
}

// The backward pass, which holds more: keys twice and values once, both gradients in fp32; of a
// tile queries, gradients, and scores with theirs.
int64_t attention_bytes_of_thread(const Plan& plan) {
  const bool is_ring = plan.cp_kind == ContextParallel::ring;
  const int64_t element = size_in_bytes(compute_dtype(plan.precision));
  const int64_t word = size_in_bytes(DType::fp32);
  const int64_t dims =
      ceil_div(std::max(plan.model.head_dim, plan.model.value_dim()), kMostPanel) * kMostPanel;
  // A ring's part of a sequence is in two pieces, each with a ragged tile.
  const int64_t keys = plan.seq_len / (is_ring ? plan.mesh.cp : 1) + 2 * kScoreKeys;
  const int64_t of_keys = keys * dims * (3 * element + 2 * word);
  const int64_t of_tile = kScoreRows * ((4 * dims + 2 * kMostPanel + 3 * kScoreKeys) * element +
                                        (2 * kScoreKeys + dims) * word);
  return of_keys + of_tile;
}

}  // namespace

CpuScratch cpu_scratch(const Plan& plan, const LayerWork& layer, int64_t num_threads) {
  CpuScratch scratch;
  if (plan.precision == Precision::fp64) return scratch;
  const auto has = [&layer](OpKind kind) {
    const auto& ops = layer.forward.ops;
    return std::any_of(ops.begin(), ops.end(),
                       [kind](const OpWork& op) { return op.kind == kind; });
  };
  if (has(OpKind::attention)) {
    scratch.attention_bytes = num_threads * attention_bytes_of_thread(plan);
  }
  const bool is_own = plan.precision != Precision::fp32;  // its products are a library's
  if (is_own && has(OpKind::matmul)) {
    scratch.product_bytes =
        kPackedRowsBytes + num_threads * kPackedColumnsBytes + waiting_bytes(layer.forward);
  }
  return scratch;
}

}  // namespace argosy
