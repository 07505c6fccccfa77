// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// Table look-ups.
#pragma once

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// y (N,H) = table (V,H)[ids (N) - first_id]; ids outside of [first_id, first_id + V) give zeros:
// another rank has them.
void embedding_forward(DeviceContext& ctx, const Tensor& ids, const Tensor& table, int64_t first_id,
                       const Tensor& y);
// dtable (V,H), gradient dtype, is added to; rows that share an id are summed in row order.
void embedding_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& ids, int64_t first_id,
                        const Tensor& dtable);

// y (N,H) += table (T,H)[positions (N) int32].
void add_positions(DeviceContext& ctx, const Tensor& table, const Tensor& positions,
                   const Tensor& y);
void positions_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& positions,
                        const Tensor& dtable);

// What each device defines; operands are checked.
namespace detail {
template <Device device>
void embedding_forward(const Tensor& ids, const Tensor& table, int64_t first_id, const Tensor& y);
template <Device device>
void embedding_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& ids, int64_t first_id,
                        const Tensor& dtable);
template <Device device>
void add_positions(const Tensor& table, const Tensor& positions, const Tensor& y);
template <Device device>
void positions_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& positions,
                        const Tensor& dtable);
}  // namespace detail

}  // namespace argosy::ops
