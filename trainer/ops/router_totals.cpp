// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/router_totals.h"

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops {

void add_choices(DeviceContext& ctx, const Tensor& counts, const Tensor& totals) {
  check_rank("counts", counts, 2);
  check_tensor("totals", totals, {counts.dim(1) + 2}, DType::fp64);
  dispatch_device(ctx.device(),
                  [&]<Device D>() { detail::add_choices<D>(counts, totals.data<double>()); });
}

void add_aux_loss(DeviceContext& ctx, const Tensor& counts, const Tensor& prob_sums,
                  const Tensor& unmasked, int64_t top_k, int64_t seq_len, const Tensor& totals) {
  check_rank("counts", counts, 2);
  check_tensor("prob_sums", prob_sums, counts.shape(), counts.dtype());
  check_tensor("unmasked", unmasked, {counts.dim(0)}, counts.dtype());
  check_tensor("totals", totals, {counts.dim(1) + 2}, DType::fp64);
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::add_aux_loss<D>(counts, prob_sums, unmasked, top_k, seq_len,
                            totals.data<double>() + counts.dim(1));
  });
}

void add_z_loss(DeviceContext& ctx, const Tensor& lse, const Tensor& mask, const Tensor& totals) {
  check_rank("lse", lse, 1);
  check_tensor("mask", mask, lse.shape(), lse.dtype());
  check_rank("totals", totals, 1);
  CHECK(totals.dtype() == DType::fp64 && totals.size() > 2, to_string(totals.shape()), " totals");
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::add_z_loss<D>(lse, mask, totals.data<double>() + totals.size() - 1);
  });
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
