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

// What routers are reported by is added up where it is computed, in fp64, so that nobody waits for
// it before the step ends: totals (E + 2) holds choices by expert, the auxiliary loss, the z loss.

// totals[e] += sum over rows of counts (B,E).
void add_choices(DeviceContext& ctx, const Tensor& counts, const Tensor& totals);

// totals[E] += sum over b of unmasked_b * E * sum_e f_be P_be with f = counts (B,E) / (seq_len*k)
// over the whole sequence and P = prob_sums (B,E) / seq_len of this rank's tokens: partial values
// add up over the ranks of a sequence. unmasked: (B). All in the statistic dtype.
void add_aux_loss(DeviceContext& ctx, const Tensor& counts, const Tensor& prob_sums,
                  const Tensor& unmasked, int64_t top_k, int64_t seq_len, const Tensor& totals);

// totals[E + 1] += sum over tokens of mask * lse^2; both (s), statistic dtype.
void add_z_loss(DeviceContext& ctx, const Tensor& lse, const Tensor& mask, const Tensor& totals);

// counts (B,E) = factor * shares (E) for each of B sequences: what a sequence of `factor` choices
// counts when the experts' shares are these.
void spread_shares(DeviceContext& ctx, const Tensor& shares, double factor, const Tensor& counts);

// shares (M,E): each row of choices [M][E] over its sum; a row without choices stays as it is.
void assign_shares(DeviceContext& ctx, const std::vector<double>& choices, const Tensor& shares);

// bias (M,E) += rate * sign(mean of the row - choices) for choices [M][E].
void balance_bias(DeviceContext& ctx, const std::vector<double>& choices, double rate,
                  const Tensor& bias);

namespace detail {

// Each adds to *total or, for each expert, to totals[e].
template <Device D>
void add_choices(const Tensor& counts, double* totals);
template <Device D>
void add_aux_loss(const Tensor& counts, const Tensor& prob_sums, const Tensor& unmasked,
                  int64_t top_k, int64_t seq_len, double* total);
template <Device D>
void add_z_loss(const Tensor& lse, const Tensor& mask, double* total);
template <Device D>
void spread_shares(const Tensor& shares, double factor, const Tensor& counts);
template <Device D>
void assign_shares(const std::vector<double>& choices, const Tensor& shares);
template <Device D>
void balance_bias(const std::vector<double>& choices, double rate, const Tensor& bias);

}  // namespace detail

}  // namespace argosy::ops
