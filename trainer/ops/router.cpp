// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/router.h"

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops {

namespace {

// Row i lies in sequence (first_row + i) / seq_len; there are num_sequences of them.
void check_sequences(int64_t num_rows, int64_t first_row, int64_t seq_len, int64_t num_sequences) {
  CHECK(first_row >= 0 && seq_len > 0, "first row ", first_row, ", sequences of ", seq_len);
  CHECK(first_row + num_rows <= num_sequences * seq_len, "rows up to ", first_row + num_rows,
        " in ", num_sequences, " sequences of ", seq_len);
}

}  // namespace

void router_forward(DeviceContext& ctx, const RouterRule& rule, const Tensor& logits,
                    const Tensor& bias, const Tensor& probs, const Tensor& experts,
                    const Tensor& weights, const Tensor& sums) {
  check_rank("logits", logits, 2);
  check_rank("experts", experts, 2);
  const DType dtype = statistic_of(logits.dtype());
  check_dtype("logits", logits, dtype);
  if (bias.defined()) check_tensor("bias", bias, {logits.dim(1)}, dtype);
  check_tensor("probs", probs, logits.shape(), dtype);
  check_tensor("experts", experts, {logits.dim(0), experts.dim(1)}, DType::int32);
  check_tensor("weights", weights, experts.shape(), dtype);
  check_tensor("sums", sums, {logits.dim(0)}, dtype);
  CHECK(rule.num_groups >= 1 && rule.top_groups >= 1 && rule.top_groups <= rule.num_groups &&
            logits.dim(1) % rule.num_groups == 0,
        rule.top_groups, " of ", rule.num_groups, " groups of ", logits.dim(1), " experts");
  const int64_t eligible = logits.dim(1) / rule.num_groups * rule.top_groups;
  CHECK(experts.dim(1) >= 1 && experts.dim(1) <= eligible, experts.dim(1), " choices of ", eligible,
        " experts");
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::router_forward<D>(rule, logits, bias, probs, experts, weights, sums);
  });
}

void router_backward(DeviceContext& ctx, const RouterRule& rule, const Tensor& dweights,
                     const Tensor& probs, const Tensor& experts, const Tensor& weights,
                     const Tensor& dshares, const Tensor& sums, double z_factor, const Tensor& mask,
                     const Tensor& dlogits) {
  check_rank("probs", probs, 2);
  check_rank("experts", experts, 2);
  const DType dtype = statistic_of(probs.dtype());
  check_dtype("probs", probs, dtype);
  check_tensor("experts", experts, {probs.dim(0), experts.dim(1)}, DType::int32);
  check_tensor("weights", weights, experts.shape(), dtype);
  check_tensor("dweights", dweights, experts.shape(), dtype);
  if (dshares.defined()) check_tensor("dshares", dshares, probs.shape(), dtype);
  CHECK(z_factor == 0 || rule.scoring == ScoringFunction::softmax, "z loss of sigmoid scores");
  check_tensor("sums", sums, {probs.dim(0)}, dtype);
  if (z_factor != 0) check_tensor("mask", mask, {probs.dim(0)}, dtype);
  check_tensor("dlogits", dlogits, probs.shape(), dtype);
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::router_backward<D>(rule, dweights, probs, experts, weights, dshares, sums, z_factor,
                               mask, dlogits);
  });
}

void router_statistics(DeviceContext& ctx, const Tensor& probs, const Tensor& divisor,
                       const Tensor& experts, int64_t first_row, int64_t rows_per_sequence,
                       const Tensor& counts, const Tensor& prob_sums) {
  check_rank("counts", counts, 2);
  check_rank("experts", experts, 2);
  check_tensor("probs", probs, {experts.dim(0), counts.dim(1)}, statistic_of(probs.dtype()));
  if (divisor.defined()) check_tensor("divisor", divisor, {probs.dim(0)}, probs.dtype());
  check_dtype("experts", experts, DType::int32);
  check_dtype("counts", counts, probs.dtype());
  check_tensor("prob_sums", prob_sums, counts.shape(), probs.dtype());
  check_sequences(probs.dim(0), first_row, rows_per_sequence, counts.dim(0));
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::router_statistics<D>(probs, divisor, experts, first_row, rows_per_sequence, counts,
                                 prob_sums);
  });
}

void aux_loss_backward(DeviceContext& ctx, const Tensor& counts, const Tensor& unmasked,
                       int64_t top_k, double coef, int64_t first_row, int64_t rows_per_sequence,
                       int64_t seq_len, const Tensor& dprobs) {
  check_rank("counts", counts, 2);
  check_rank("dprobs", dprobs, 2);
  check_tensor("dprobs", dprobs, {dprobs.dim(0), counts.dim(1)}, statistic_of(dprobs.dtype()));
  check_dtype("counts", counts, dprobs.dtype());
  check_tensor("unmasked", unmasked, {counts.dim(0)}, dprobs.dtype());
  check_sequences(dprobs.dim(0), first_row, rows_per_sequence, counts.dim(0));
  CHECK(top_k > 0, "top_k ", top_k);
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::aux_loss_backward<D>(counts, unmasked, top_k, coef, first_row, rows_per_sequence,
                                 seq_len, dprobs);
  });
}

}  // namespace argosy::ops
