// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// Moving token rows to their experts and back. s tokens, k choices, m = s*k slots; slot t*k+j is
// choice j of token t.
#pragma once

#include <cstdint>
#include <vector>

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// order (m) int32: slots sorted by expert, stable. Returns the number of slots of each expert.
std::vector<int64_t> sort_by_expert(DeviceContext& ctx, const Tensor& experts, int64_t num_experts,
                                    const Tensor& order);

// y (m,H)[i] = x (s,H)[order[i] / k].
void dispatch_rows(DeviceContext& ctx, const Tensor& x, const Tensor& order, int64_t k,
                   const Tensor& y);
// dx (s,H)[t] += sum over j of drows[position of slot t*k+j], in order of j.
void dispatch_rows_backward(DeviceContext& ctx, const Tensor& drows, const Tensor& order, int64_t k,
                            const Tensor& dx);

// y (s,H)[t] = sum over j of weights (s,k)[t,j] * rows (m,H)[position of slot t*k+j], in order of
// j.
void combine_rows(DeviceContext& ctx, const Tensor& rows, const Tensor& order,
                  const Tensor& weights, const Tensor& y);
// drows (m,H) and dweights (s,k) from dy (s,H).
void combine_rows_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& rows,
                           const Tensor& order, const Tensor& weights, const Tensor& drows,
                           const Tensor& dweights);

// y[i] = x[index[i]] and its inverse y[index[i]] = x[i]; x, y: (m,H); index: a permutation of
// 0..m-1.
void permute_rows(DeviceContext& ctx, const Tensor& x, const std::vector<int32_t>& index,
                  const Tensor& y);
void unpermute_rows(DeviceContext& ctx, const Tensor& x, const std::vector<int32_t>& index,
                    const Tensor& y);

// y (B,A,C) = x (A,B,C) with its first two dims swapped, of any dtype.
void swap_leading(DeviceContext& ctx, const Tensor& x, const Tensor& y);

// What each device defines; operands are checked. position (m) int32 is the inverse of order.
namespace detail {
template <Device device>
std::vector<int64_t> sort_by_expert(const Tensor& experts, int64_t num_experts,
                                    const Tensor& order);
template <Device device>
void invert(const Tensor& order, const Tensor& position);
template <Device device>
void dispatch_rows(const Tensor& x, const Tensor& order, int64_t k, const Tensor& y);
template <Device device>
void dispatch_rows_backward(const Tensor& drows, const Tensor& position, int64_t k,
                            const Tensor& dx);
template <Device device>
void combine_rows(const Tensor& rows, const Tensor& position, const Tensor& weights,
                  const Tensor& y);
template <Device device>
void combine_rows_backward(const Tensor& dy, const Tensor& rows, const Tensor& position,
                           const Tensor& weights, const Tensor& drows, const Tensor& dweights);
template <Device device>
void permute_rows(const Tensor& x, const std::vector<int32_t>& index, const Tensor& y);
template <Device device>
void unpermute_rows(const Tensor& x, const std::vector<int32_t>& index, const Tensor& y);
template <Device device>
void swap_leading(const Tensor& x, const Tensor& y);
}  // namespace detail

}  // namespace argosy::ops
