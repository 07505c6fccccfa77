// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/permute.h"

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops {

namespace {

// order (m) and its inverse (m), a workspace.
Tensor positions_of(DeviceContext& ctx, const Tensor& order) {
  check_rank("order", order, 1);
  check_dtype("order", order, DType::int32);
  Tensor position = ctx.empty(order.shape(), DType::int32, MemoryCategory::workspace);
  dispatch_device(ctx.device(), [&]<Device D>() { detail::invert<D>(order, position); });
  return position;
}

// `few` (s,H) holds the tokens of the kept slots `many` (m,H).
void check_slots(const Tensor& few, const Tensor& many, const Tensor& order, int64_t k) {
  check_rank("tokens", few, 2);
  CHECK(k >= 1, "k is ", k);
  check_rank("slots", many, 2);
  check_tensor("slots", many, {many.dim(0), few.dim(1)}, few.dtype());
  check_tensor("order", order, {few.dim(0) * k}, DType::int32);
  CHECK(many.dim(0) <= order.dim(0), many.dim(0), " of ", order.dim(0), " slots");
}

void check_permutation(const Tensor& x, const std::vector<int32_t>& index, const Tensor& y) {
  check_tensor("y", y, x.shape(), x.dtype());
  check_rank("x", x, 2);
  CHECK(static_cast<int64_t>(index.size()) == x.dim(0), index.size(), " indices for ",
        to_string(x.shape()));
}

}  // namespace

void drop_beyond_capacity(DeviceContext& ctx, const Tensor& tokens, const Tensor& experts,
                          int64_t num_experts, int64_t seq_len, int64_t capacity, int64_t first,
                          const Tensor& routed) {
  check_rank("experts", experts, 2);
  check_rank("routed", routed, 2);
  check_tensor("tokens", tokens, {experts.dim(0)}, DType::int32);
  check_dtype("experts", experts, DType::int32);
  check_tensor("routed", routed, {routed.dim(0), experts.dim(1)}, DType::int32);
  CHECK(capacity >= 1 && seq_len >= 1, "capacity ", capacity, ", sequences of ", seq_len);
  CHECK(first >= 0 && first + routed.dim(0) <= experts.dim(0), "rows ", first, " to ",
        first + routed.dim(0), " of ", experts.dim(0));
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::drop_beyond_capacity<D>(ctx, tokens, experts, num_experts, seq_len, capacity, first,
                                    routed);
  });
}

std::vector<int64_t> sort_by_expert(DeviceContext& ctx, const Tensor& experts, int64_t num_experts,
                                    const Tensor& order) {
  check_dtype("experts", experts, DType::int32);
  check_tensor("order", order, {experts.size()}, DType::int32);
  return dispatch_device(ctx.device(), [&]<Device D>() {
    return detail::sort_by_expert<D>(ctx, experts, num_experts, order);
  });
}

void dispatch_rows(DeviceContext& ctx, const Tensor& x, const Tensor& order, int64_t k,
                   const Tensor& y) {
  check_slots(x, y, order, k);
  const Tensor position = positions_of(ctx, order);
  dispatch_device(ctx.device(), [&]<Device D>() { detail::dispatch_rows<D>(x, position, k, y); });
}

void dispatch_rows_backward(DeviceContext& ctx, const Tensor& drows, const Tensor& order, int64_t k,
                            const Tensor& dx) {
  check_slots(dx, drows, order, k);
  const Tensor position = positions_of(ctx, order);
  dispatch_device(ctx.device(),
                  [&]<Device D>() { detail::dispatch_rows_backward<D>(drows, position, k, dx); });
}

void combine_rows(DeviceContext& ctx, const Tensor& rows, const Tensor& order,
                  const Tensor& weights, const Tensor& y) {
  check_rank("weights", weights, 2);
  check_slots(y, rows, order, weights.dim(1));
  check_tensor("weights", weights, {y.dim(0), weights.dim(1)}, statistic_of(y.dtype()));
  const Tensor position = positions_of(ctx, order);
  dispatch_device(ctx.device(),
                  [&]<Device D>() { detail::combine_rows<D>(rows, position, weights, y); });
}

void combine_rows_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& rows,
                           const Tensor& order, const Tensor& weights, const Tensor& drows,
                           const Tensor& dweights) {
  check_rank("weights", weights, 2);
  check_slots(dy, rows, order, weights.dim(1));
  check_tensor("weights", weights, {dy.dim(0), weights.dim(1)}, statistic_of(dy.dtype()));
  check_tensor("drows", drows, rows.shape(), rows.dtype());
  check_tensor("dweights", dweights, weights.shape(), weights.dtype());
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::combine_rows_backward<D>(ctx, dy, rows, order, weights, drows, dweights);
  });
}

void permute_rows(DeviceContext& ctx, const Tensor& x, const std::vector<int32_t>& index,
                  const Tensor& y) {
  check_permutation(x, index, y);
  dispatch_device(ctx.device(), [&]<Device D>() { detail::permute_rows<D>(ctx, x, index, y); });
}

void unpermute_rows(DeviceContext& ctx, const Tensor& x, const std::vector<int32_t>& index,
                    const Tensor& y) {
  check_permutation(x, index, y);
  dispatch_device(ctx.device(), [&]<Device D>() { detail::unpermute_rows<D>(ctx, x, index, y); });
}

void swap_leading(DeviceContext& ctx, const Tensor& x, const Tensor& y) {
  check_rank("x", x, 3);
  check_tensor("y", y, {x.dim(1), x.dim(0), x.dim(2)}, x.dtype());
  dispatch_device(ctx.device(), [&]<Device D>() { detail::swap_leading<D>(x, y); });
}

}  // namespace argosy::ops
