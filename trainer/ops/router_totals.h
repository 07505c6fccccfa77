// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the router is reported by and what it learns from the counts of a step: values, not
// gradients (those are in router.h).
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

// counts (B,E) = factor * shares (E) for each of B sequences: what a sequence of `factor` choices
// counts when the experts' shares are these.
void spread_shares(DeviceContext& ctx, const Tensor& shares, double factor, const Tensor& counts);

// shares (M,E): each row of choices [M][E] over its sum; a row without choices stays as it is.
void assign_shares(DeviceContext& ctx, const std::vector<double>& choices, const Tensor& shares);

// bias (M,E) += rate * sign(mean of the row - choices) for choices [M][E].
void balance_bias(DeviceContext& ctx, const std::vector<double>& choices, double rate,
                  const Tensor& bias);

namespace detail {

template <Device D>
double aux_loss(const Tensor& counts, const Tensor& prob_sums, const Tensor& unmasked,
                int64_t top_k, int64_t seq_len);
template <Device D>
double z_loss(const Tensor& lse, const Tensor& mask);
template <Device D>
void accumulate_columns(const Tensor& counts, std::vector<double>& totals);
template <Device D>
void spread_shares(const Tensor& shares, double factor, const Tensor& counts);
template <Device D>
void assign_shares(const std::vector<double>& choices, const Tensor& shares);
template <Device D>
void balance_bias(const std::vector<double>& choices, double rate, const Tensor& bias);

}  // namespace detail

}  // namespace argosy::ops
