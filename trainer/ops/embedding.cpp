// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/embedding.h"

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops {

void embedding_forward(DeviceContext& ctx, const Tensor& ids, const Tensor& table, int64_t first_id,
                       const Tensor& y) {
  check_dtype("ids", ids, DType::int32);
  check_dtype("y", y, table.dtype());
  check_shape("y", y, {ids.size(), table.dim(1)});
  dispatch_device(ctx.device(), [&]<Device device>() {
    detail::embedding_forward<device>(ids, table, first_id, y);
  });
}

void embedding_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& ids, int64_t first_id,
                        const Tensor& dtable) {
  check_dtype("ids", ids, DType::int32);
  check_dtype("dtable", dtable, statistic_of(dy.dtype()));
  check_shape("dy", dy, {ids.size(), dtable.dim(1)});
  dispatch_device(ctx.device(), [&]<Device device>() {
    detail::embedding_backward<device>(ctx, dy, ids, first_id, dtable);
  });
}

void add_positions(DeviceContext& ctx, const Tensor& table, const Tensor& positions,
                   const Tensor& y) {
  check_dtype("y", y, table.dtype());
  check_shape("y", y, {y.dim(0), table.dim(1)});
  check_tensor("positions", positions, {y.dim(0)}, DType::int32);
  dispatch_device(ctx.device(),
                  [&]<Device device>() { detail::add_positions<device>(table, positions, y); });
}

void positions_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& positions,
                        const Tensor& dtable) {
  check_dtype("dtable", dtable, statistic_of(dy.dtype()));
  check_shape("dy", dy, {dy.dim(0), dtable.dim(1)});
  check_tensor("positions", positions, {dy.dim(0)}, DType::int32);
  dispatch_device(ctx.device(), [&]<Device device>() {
    detail::positions_backward<device>(ctx, dy, positions, dtable);
  });
}

}  // namespace argosy::ops
