// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// Softmax cross entropy over a vocabulary that may be split between ranks (Shoeybi et al. 2019):
// the caller sums and maximises between the phases. logits: (N, V) of this rank; targets: (N) int32
// over the whole vocabulary, negative: masked; statistics: (N).
#pragma once

#include <algorithm>

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// The vocabulary of this rank, [first, first + count): columns of its logits, of which there may be
// more behind (padded_columns() of ops/matmul.h) that mean nothing. count -1: all of them.
struct OwnIds {
  int64_t first = 0, count = -1;
};

// 1. In one pass: maximum (N) over this rank's logits; sums (2,N): row 0 sum of exp(logit -
// maximum); row 1 logit - maximum of the target if it is one of this rank's, else 0.
// Next: maximum over ranks.
void cross_entropy_sums(DeviceContext& ctx, const Tensor& logits, const Tensor& targets,
                        const OwnIds& ids, const Tensor& maximum, const Tensor& sums);
// 2. With more than one rank: sums, taken with `from` (N), become those with the maximum over
// ranks, `to` (N). Next: sum over ranks.
void cross_entropy_rescale(DeviceContext& ctx, const Tensor& logits, const Tensor& targets,
                           const OwnIds& ids, const Tensor& from, const Tensor& to,
                           const Tensor& sums);
// 3. loss (N) = log(sums[0]) - sums[1], 0 where masked; logits become the gradient softmax -
// onehot, 0 where masked.
void cross_entropy_finish(DeviceContext& ctx, const Tensor& logits, const Tensor& targets,
                          const OwnIds& ids, const Tensor& maximum, const Tensor& sums,
                          const Tensor& loss, bool with_gradient);
// 3. of fp32 logits, with the gradient in bf16, for products at bf16's rate: returns (N, V) in the
// memory of the logits, which are lost.
Tensor cross_entropy_finish_in_bf16(DeviceContext& ctx, const Tensor& logits, const Tensor& targets,
                                    const OwnIds& ids, const Tensor& maximum, const Tensor& sums,
                                    const Tensor& loss);

// What each device defines; operands are checked.
namespace detail {
template <Device device>
void cross_entropy_rescale(const Tensor& logits, const Tensor& targets, const OwnIds& ids,
                           const Tensor& from, const Tensor& to, const Tensor& sums);
template <Device device>
void cross_entropy_sums(const Tensor& logits, const Tensor& targets, const OwnIds& ids,
                        const Tensor& maximum, const Tensor& sums);
template <Device device>
void cross_entropy_finish(const Tensor& logits, const Tensor& targets, const OwnIds& ids,
                          const Tensor& maximum, const Tensor& sums, const Tensor& loss,
                          bool with_gradient);
// `gradient` (N, V) bf16 begins where logits do. A device may do it in one pass; without a
// definition of its own it narrows what cross_entropy_finish() leaves.
template <Device device>
void cross_entropy_finish_in_bf16(DeviceContext& ctx, const Tensor& logits, const Tensor& targets,
                                  const OwnIds& ids, const Tensor& maximum, const Tensor& sums,
                                  const Tensor& loss, const Tensor& gradient);
template <>
void cross_entropy_finish_in_bf16<Device::cpu>(DeviceContext& ctx, const Tensor& logits,
                                               const Tensor& targets, const OwnIds& ids,
                                               const Tensor& maximum, const Tensor& sums,
                                               const Tensor& loss, const Tensor& gradient);

template <>
void cross_entropy_finish_in_bf16<Device::cuda>(DeviceContext& ctx, const Tensor& logits,
                                                const Tensor& targets, const OwnIds& ids,
                                                const Tensor& maximum, const Tensor& sums,
                                                const Tensor& loss, const Tensor& gradient);

// Rows of a matrix that becomes half as wide in place can be written when those are done with that
// lie there: rows [begin, end) together, after all before them; the first one alone, by way of
// memory of its own. Calls body(begin, end) for all but the first row of num_rows.
template <typename Body>
void for_shrinking_rows(int64_t num_rows, const Body& body) {
  for (int64_t begin = 1; begin < num_rows; begin *= 2) {
    body(begin, std::min(2 * begin, num_rows));
  }
}
}  // namespace detail

}  // namespace argosy::ops
