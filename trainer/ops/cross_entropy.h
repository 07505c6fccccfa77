// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// Softmax cross entropy over a vocabulary that may be split between ranks (Shoeybi et al. 2019):
// the caller sums and maximises between the phases. logits: (N, V) of this rank; targets: (N) int32
// over the whole vocabulary, negative: masked; statistics: (N).
#pragma once

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// 1. In one pass: maximum (N) over this rank's logits; sums (2,N): row 0 sum of exp(logit -
// maximum); row 1 logit - maximum of the target if it is in [first_id, first_id + V), else 0.
// Next: maximum over ranks.
void cross_entropy_sums(DeviceContext& ctx, const Tensor& logits, const Tensor& targets,
                        int64_t first_id, const Tensor& maximum, const Tensor& sums);
// 2. With more than one rank: sums, taken with `from` (N), become those with the maximum over
// ranks, `to` (N). Next: sum over ranks.
void cross_entropy_rescale(DeviceContext& ctx, const Tensor& logits, const Tensor& targets,
                           int64_t first_id, const Tensor& from, const Tensor& to,
                           const Tensor& sums);
// 3. loss (N) = log(sums[0]) - sums[1], 0 where masked; logits become the gradient softmax -
// onehot, 0 where masked.
void cross_entropy_finish(DeviceContext& ctx, const Tensor& logits, const Tensor& targets,
                          int64_t first_id, const Tensor& maximum, const Tensor& sums,
                          const Tensor& loss, bool with_gradient);

// What each device defines; operands are checked.
namespace detail {
template <Device device>
void cross_entropy_rescale(const Tensor& logits, const Tensor& targets, int64_t first_id,
                           const Tensor& from, const Tensor& to, const Tensor& sums);
template <Device device>
void cross_entropy_sums(const Tensor& logits, const Tensor& targets, int64_t first_id,
                        const Tensor& maximum, const Tensor& sums);
template <Device device>
void cross_entropy_finish(const Tensor& logits, const Tensor& targets, int64_t first_id,
                          const Tensor& maximum, const Tensor& sums, const Tensor& loss,
                          bool with_gradient);
}  // namespace detail

}  // namespace argosy::ops
