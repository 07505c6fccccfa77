// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Which part of which tensor a rank holds, and who owns it. The trainer allocates by it, ZeRO
// shards by it, the gradient norm counts by it, checkpoints are written by it: one map, so that
// they cannot disagree.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "planner/spec/mesh.h"
#include "planner/spec/model.h"
#include "planner/spec/plan.h"

namespace argosy {

// A rectangle of a logical tensor.
struct Box {
  Range rows, cols;
  int64_t size() const { return rows.size() * cols.size(); }
  bool empty() const { return rows.empty() || cols.empty(); }
  auto operator<=>(const Box&) const = default;
};
Box intersect(const Box& a, const Box& b);

// Row-major elements [range.begin, range.end) of `box` as at most three rectangles (in global
// coordinates, in flat order).
std::vector<Box> boxes_of_flat_range(const Box& box, Range range);

// Tensors that are kept in one flat buffer on a rank, in order, without gaps.
//   dense         reduced over dp_cp            expert          reduced over edp
//   *_frozen      the base of a LoRA job: no gradient, no optimizer state
enum class Domain { dense, expert, dense_frozen, expert_frozen };
inline constexpr int kNumDomains = 4;
Axis reduction_axis(Domain domain);  // dp_cp or edp
Axis tensor_axis(Domain domain);     // the group that cuts its tensors: tp or etp
bool is_trainable(Domain domain);

// What must be summed inside the tensor-parallel group (etp for experts) after the last backward,
// because each rank saw part of the tokens (norms and router under sequence parallelism), of the
// heads (q_norm, k_norm, copies of key/value heads) or of the outputs (LoRA factors that are
// replicated).
enum class GradientSum { none, tp, kv_replica };

struct LocalTensor {
  int tensor = 0;  // index into model_tensors(plan.model, plan.lora)
  Box box;         // this rank's part, global coordinates
  Domain domain = Domain::dense;
  int64_t offset = 0;  // first element in the domain's flat buffer
  GradientSum gradient_sum = GradientSum::none;
  bool counts = true;  // false: a copy. Another rank of the tp group or the tied first stage stands
                       // for these elements in the gradient norm and in checkpoints
};

struct DomainLayout {
  int64_t num_elements = 0;  // of the flat buffer on this rank
  Range owned;  // this rank's part among the ranks of reduction_axis(domain): split_range, ragged,
                // no padding
};

struct RankLayout {
  std::vector<LocalTensor>
      tensors;  // tensors whose gradient_sum is tp come first in their domain, then kv_replica,
                // then the others, each in model order: so that each sum is one contiguous call
  std::array<DomainLayout, kNumDomains> domains;
  std::array<int64_t, kNumDomains>
      num_tp_summed{};  // elements at the front of the domain that are summed over tp
  std::array<int64_t, kNumDomains>
      num_kv_summed{};  // elements behind those that are summed over kv_replica

  const DomainLayout& operator[](Domain domain) const {
    return domains[static_cast<size_t>(domain)];
  }
};

// `tensors` is model_tensors(plan.model, plan.lora). The last stage of a tied model holds
// a copy of the embedding, unless it is on the rank of the first.
RankLayout rank_layout(const Plan& plan, const std::vector<TensorSpec>& tensors, int64_t rank);

}  // namespace argosy
