// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// Choice of experts and the losses that keep them busy. All floating tensors in the statistic
// dtype. Ties go to the lower expert index. s tokens, E experts, k choices.
#pragma once

#include "planner/spec/model.h"
#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// How logits become choices and weights.
struct RouterRule {
  RouterOrder order = RouterOrder::softmax_then_topk;  // of softmax scores
  bool normalize = true;
  ScoringFunction scoring = ScoringFunction::softmax;
  int64_t num_groups = 1, top_groups = 1;
  double scaling = 1.0;

  constexpr bool from_logits() const {  // weights are a softmax over the chosen logits
    return scoring == ScoringFunction::softmax && order == RouterOrder::topk_then_softmax;
  }
};
inline RouterRule router_rule(const MoeSpec& moe) {
  return {moe.order,      moe.normalize_topk, moe.scoring,
          moe.num_groups, moe.top_groups,     moe.routed_scaling};
}

// softmax: probs (s,E) = softmax(logits), sums (s) = log(sum(exp(logits))). sigmoid: probs =
// sigmoid(logits), each expert by itself, sums = their sum.
// experts (s,k) int32, descending by logit; with a bias (E) (it may be undefined) or groups by
// probs + bias, within the best groups: those with the largest sums of their two best experts.
// weights (s,k) as the rule says, from probs without the bias.
void router_forward(DeviceContext& ctx, const RouterRule& rule, const Tensor& logits,
                    const Tensor& bias, const Tensor& probs, const Tensor& experts,
                    const Tensor& weights, const Tensor& sums);

// dlogits (s,E) from dweights (s,k), from dshares (s,E) (the auxiliary loss; may be undefined: the
// gradient with respect to probs, of sigmoid scores to probs / sums) and, softmax alone, from the z
// loss z_factor * sums^2 per token with mask (s) (0 or 1). Choices are constants.
void router_backward(DeviceContext& ctx, const RouterRule& rule, const Tensor& dweights,
                     const Tensor& probs, const Tensor& experts, const Tensor& weights,
                     const Tensor& dshares, const Tensor& sums, double z_factor, const Tensor& mask,
                     const Tensor& dlogits);

// Sums over this rank's tokens, by sequence: row i belongs to sequence (first_row + i) /
// rows_per_sequence, the part of a sequence that the ranks of a tensor-parallel group have.
// counts, prob_sums: (B,E), overwritten. divisor (s): probs are divided by it (sigmoid scores by
// their sum); undefined: by 1.
void router_statistics(DeviceContext& ctx, const Tensor& probs, const Tensor& divisor,
                       const Tensor& experts, int64_t first_row, int64_t rows_per_sequence,
                       const Tensor& counts, const Tensor& prob_sums);

// Gradient of coef * sum_b unmasked_b * E * sum_e f_be P_be with f = counts/(seq_len*k) held
// constant and P = mean of probs over the sequence: dprobs (s,E) = coef * unmasked (B) * E * counts
// (B,E) / (seq_len * k) / seq_len. counts here are summed over all ranks of the sequence.
void aux_loss_backward(DeviceContext& ctx, const Tensor& counts, const Tensor& unmasked,
                       int64_t top_k, double coef, int64_t first_row, int64_t rows_per_sequence,
                       int64_t seq_len, const Tensor& dprobs);

// What each device defines; operands are checked.
namespace detail {
template <Device device>
void router_forward(const RouterRule& rule, const Tensor& logits, const Tensor& bias,
                    const Tensor& probs, const Tensor& experts, const Tensor& weights,
                    const Tensor& sums);
template <Device device>
void router_backward(const RouterRule& rule, const Tensor& dweights, const Tensor& probs,
                     const Tensor& experts, const Tensor& weights, const Tensor& dshares,
                     const Tensor& sums, double z_factor, const Tensor& mask,
                     const Tensor& dlogits);
template <Device device>
void router_statistics(const Tensor& probs, const Tensor& divisor, const Tensor& experts,
                       int64_t first_row, int64_t rows_per_sequence, const Tensor& counts,
                       const Tensor& prob_sums);
template <Device device>
void aux_loss_backward(const Tensor& counts, const Tensor& unmasked, int64_t top_k, double coef,
                       int64_t first_row, int64_t rows_per_sequence, int64_t seq_len,
                       const Tensor& dprobs);
}  // namespace detail

}  // namespace argosy::ops
