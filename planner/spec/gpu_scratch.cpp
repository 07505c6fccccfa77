// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/gpu_scratch.h"

#include <algorithm>
#include <bit>

#include "planner/spec/integers.h"
#include "planner/spec/work_shape.h"

namespace argosy {
namespace {

// Heads that a part may begin behind: whole groups of a key/value head, and statistics of 4 bytes
// (of a row for documents, of a sequence else) that are whole 16 bytes.
int64_t heads_of_step(const GradientCall& call) {
  constexpr int64_t kStatistics = 4;
  const int64_t group = call.num_heads / call.num_kv_heads;
  const int64_t of_head = call.has_documents ? 1 : call.seq_len;
  int64_t heads = group;
  while (heads * of_head % kStatistics != 0) heads += group;
  return std::min(heads, call.num_heads);
}

}  // namespace

int64_t ordered_head_bytes(int64_t seq_len) {
  constexpr int64_t kRows = 64, kCols = 128;  // of cuDNN's tiles
  return round_up(seq_len, kRows) * round_up(seq_len, kCols) * size_in_bytes(DType::bf16);
}

GradientPart gradient_part(const GradientCall& call, int64_t most_bytes) {
  if (call.count == 0) return {call.num_heads, 0};
  const int64_t most_heads = most_bytes / std::max<int64_t>(1, ordered_head_bytes(call.seq_len));
  if (most_heads < call.num_heads) {
    const int64_t step = heads_of_step(call), steps = ceil_div(call.num_heads, step);
    const int64_t parts = ceil_div(steps, std::clamp(most_heads / step, int64_t{1}, steps));
    return {std::min(call.num_heads, ceil_div(steps, parts) * step), 1};
  }
  const int64_t most = std::clamp(most_heads / std::max<int64_t>(1, call.num_heads), int64_t{1},
                                  std::max<int64_t>(1, call.count));
  const int64_t count = call.has_documents
                            ? static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(most)))
                            : ceil_div(call.count, ceil_div(call.count, most));
  return {call.num_heads, count};
}

int64_t ordered_scratch_bytes(const GradientCall& call, const GradientPart& part) {
  return part.heads * part.count * ordered_head_bytes(call.seq_len);
}

int64_t padded_gpu_columns(int64_t element_bytes, int64_t n) {
  return element_bytes == size_in_bytes(DType::bf16) ? round_up(n, kGpuColumns) : n;
}

int64_t most_ordered_bytes(int64_t device_bytes) {
  constexpr int64_t kShare = 32;
  return device_bytes / kShare;
}

int64_t ordered_attention_bytes(const Plan& plan, const LayerWork& layer, int64_t device_bytes) {
  const auto& ops = layer.forward.ops;
  const bool attends = std::any_of(ops.begin(), ops.end(),
                                   [](const OpWork& op) { return op.kind == OpKind::attention; });
  const bool is_ring = plan.mesh.cp > 1 && plan.cp_kind == ContextParallel::ring;
  if (!attends || is_ring || compute_dtype(plan.precision) != DType::bf16) return 0;
  const RankShape shape = rank_shape(plan, 0);  // whose heads Ulysses deals out over cp
  const GradientCall call{.count = plan.micro_batch,
                          .seq_len = plan.seq_len,
                          .num_heads = std::max<int64_t>(1, shape.q_heads / shape.cp),
                          .num_kv_heads = std::max<int64_t>(1, shape.kv_heads / shape.cp)};
  const GradientPart part = gradient_part(call, most_ordered_bytes(device_bytes));
  const int64_t of_all_heads = call.num_heads == call.num_kv_heads
                                   ? 0
                                   : 2 * part.count * plan.seq_len * part.heads *
                                         plan.model.head_dim * size_in_bytes(DType::bf16);
  return ordered_scratch_bytes(call, part) + of_all_heads;
}

}  // namespace argosy
