// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the router is reported by: values, not gradients (those are in router.h).
#pragma once

#include <vector>

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// sum over b of unmasked_b * E * sum_e f_be P_be with f = counts (B,E) / (seq_len*k) over the whole
// sequence and P = prob_sums (B,E) / seq_len of this rank's tokens: partial values add up over the
// ranks of a sequence. unmasked: (B). All in the statistic dtype.
double aux_loss(DeviceContext& ctx, const Tensor& counts, const Tensor& prob_sums,
                const Tensor& unmasked, int64_t top_k, int64_t seq_len);

// sum over tokens of mask * lse^2; both (s), statistic dtype.
double z_loss(DeviceContext& ctx, const Tensor& lse, const Tensor& mask);

// totals[e] += sum over rows of counts (B,E).
void accumulate_columns(DeviceContext& ctx, const Tensor& counts, std::vector<double>& totals);

namespace detail {

template <Device D>
double aux_loss(const Tensor& counts, const Tensor& prob_sums, const Tensor& unmasked,
                int64_t top_k, int64_t seq_len);
template <Device D>
double z_loss(const Tensor& lse, const Tensor& mask);
template <Device D>
void accumulate_columns(const Tensor& counts, std::vector<double>& totals);

}  // namespace detail

}  // namespace argosy::ops
