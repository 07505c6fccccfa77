// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// Choice of experts and the losses that keep them busy. All floating tensors in the statistic
// dtype. Ties go to the lower expert index. s tokens, E experts, k choices.
#pragma once

#include "planner/spec/model.h"
#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// probs (s,E) = softmax(logits); experts (s,k) int32 by descending logit; weights (s,k) as `order`
// and `normalize` say; lse (s).
void router_forward(DeviceContext& ctx, RouterOrder order, bool normalize, const Tensor& logits,
                    const Tensor& probs, const Tensor& experts, const Tensor& weights,
                    const Tensor& lse);

// dlogits (s,E) from dweights (s,k), from dprobs (s,E) (the auxiliary loss; may be undefined) and
// from the z loss z_factor * lse^2 per token with mask (s) (0 or 1).
void router_backward(DeviceContext& ctx, RouterOrder order, bool normalize, const Tensor& dweights,
                     const Tensor& probs, const Tensor& experts, const Tensor& weights,
                     const Tensor& dprobs, const Tensor& lse, double z_factor, const Tensor& mask,
                     const Tensor& dlogits);

// Sums over this rank's tokens, by sequence: row i belongs to sequence (first_row + i) /
// rows_per_sequence, the part of a sequence that the ranks of a tensor-parallel group have.
// counts, prob_sums: (B,E), overwritten.
void router_statistics(DeviceContext& ctx, const Tensor& probs, const Tensor& experts,
                       int64_t first_row, int64_t rows_per_sequence, const Tensor& counts,
                       const Tensor& prob_sums);

// Gradient of coef * sum_b unmasked_b * E * sum_e f_be P_be with f = counts/(seq_len*k) held
// constant and P = mean of probs over the sequence: dprobs (s,E) = coef * unmasked (B) * E * counts
// (B,E) / (seq_len * k) / seq_len. counts here are summed over all ranks of the sequence.
void aux_loss_backward(DeviceContext& ctx, const Tensor& counts, const Tensor& unmasked,
                       int64_t top_k, double coef, int64_t first_row, int64_t rows_per_sequence,
                       int64_t seq_len, const Tensor& dprobs);

// What each device defines; operands are checked.
namespace detail {
template <Device device>
void router_forward(RouterOrder order, bool normalize, const Tensor& logits, const Tensor& probs,
                    const Tensor& experts, const Tensor& weights, const Tensor& lse);
template <Device device>
void router_backward(RouterOrder order, bool normalize, const Tensor& dweights, const Tensor& probs,
                     const Tensor& experts, const Tensor& weights, const Tensor& dprobs,
                     const Tensor& lse, double z_factor, const Tensor& mask, const Tensor& dlogits);
template <Device device>
void router_statistics(const Tensor& probs, const Tensor& experts, int64_t first_row,
                       int64_t rows_per_sequence, const Tensor& counts, const Tensor& prob_sums);
template <Device device>
void aux_loss_backward(const Tensor& counts, const Tensor& unmasked, int64_t top_k, double coef,
                       int64_t first_row, int64_t rows_per_sequence, int64_t seq_len,
                       const Tensor& dprobs);
}  // namespace detail

}  // namespace argosy::ops
