// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/router_totals.h"

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops {

double aux_loss(DeviceContext& ctx, const Tensor& counts, const Tensor& prob_sums,
                const Tensor& unmasked, int64_t top_k, int64_t seq_len) {
  check_rank("counts", counts, 2);
  check_tensor("prob_sums", prob_sums, counts.shape(), counts.dtype());
  check_tensor("unmasked", unmasked, {counts.dim(0)}, counts.dtype());
  return dispatch_device(ctx.device(), [&]<Device D>() {
    return detail::aux_loss<D>(counts, prob_sums, unmasked, top_k, seq_len);
  });
}

double z_loss(DeviceContext& ctx, const Tensor& lse, const Tensor& mask) {
  check_rank("lse", lse, 1);
  check_tensor("mask", mask, lse.shape(), lse.dtype());
  return dispatch_device(ctx.device(), [&]<Device D>() { return detail::z_loss<D>(lse, mask); });
}

void accumulate_columns(DeviceContext& ctx, const Tensor& counts, std::vector<double>& totals) {
  check_rank("counts", counts, 2);
  CHECK(static_cast<int64_t>(totals.size()) == counts.dim(1), totals.size(), " totals");
  dispatch_device(ctx.device(), [&]<Device D>() { detail::accumulate_columns<D>(counts, totals); });
}

void spread_shares(DeviceContext& ctx, const Tensor& shares, double factor, const Tensor& counts) {
  check_rank("counts", counts, 2);
  check_tensor("shares", shares, {counts.dim(1)}, counts.dtype());
  dispatch_device(ctx.device(),
                  [&]<Device D>() { detail::spread_shares<D>(shares, factor, counts); });
}

void assign_shares(DeviceContext& ctx, const std::vector<double>& choices, const Tensor& shares) {
  check_rank("shares", shares, 2);
  CHECK(static_cast<int64_t>(choices.size()) == shares.size(), choices.size(), " choices");
  dispatch_device(ctx.device(), [&]<Device D>() { detail::assign_shares<D>(choices, shares); });
}

void balance_bias(DeviceContext& ctx, const std::vector<double>& choices, double rate,
                  const Tensor& bias) {
  check_rank("bias", bias, 2);
  CHECK(static_cast<int64_t>(choices.size()) == bias.size(), choices.size(), " choices");
  dispatch_device(ctx.device(), [&]<Device D>() { detail::balance_bias<D>(choices, rate, bias); });
}

}  // namespace argosy::ops
