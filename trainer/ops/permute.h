// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// Moving token rows to their experts and back. s tokens, k choices, s*k slots; slot t*k+j is choice
// j of token t. m <= s*k of them are kept: all, unless experts have a capacity.
#pragma once

#include <cstdint>
#include <vector>

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// routed (s,k): the expert of each choice, or -1 where sequences have more than `capacity` choices
// of an expert before it, by position of the token. tokens (N), experts (N,k) int32: all tokens of
// the micro-batch in any order, by their index sequence * seq_len + position; rows [first, first +
// s) are those of `routed`.
void drop_beyond_capacity(DeviceContext& ctx, const Tensor& tokens, const Tensor& experts,
                          int64_t num_experts, int64_t seq_len, int64_t capacity, int64_t first,
                          const Tensor& routed);

// order (s*k) int32: kept slots sorted by expert, stable, then those of expert -1. Returns the
// number of slots of each expert.
std::vector<int64_t> sort_by_expert(DeviceContext& ctx, const Tensor& experts, int64_t num_experts,
                                    const Tensor& order);

// y (m,H)[i] = x (s,H)[order[i] / k].
void dispatch_rows(DeviceContext& ctx, const Tensor& x, const Tensor& order, int64_t k,
                   const Tensor& y);
// dx (s,H)[t] += sum over kept j of drows[position of slot t*k+j], in order of j.
void dispatch_rows_backward(DeviceContext& ctx, const Tensor& drows, const Tensor& order, int64_t k,
                            const Tensor& dx);

// y (s,H)[t] = sum over kept j of weights (s,k)[t,j] * rows (m,H)[position of slot t*k+j], in order
// of j.
void combine_rows(DeviceContext& ctx, const Tensor& rows, const Tensor& order,
                  const Tensor& weights, const Tensor& y);
// drows (m,H) and dweights (s,k) from dy (s,H); 0 for slots that were not kept.
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

// What each device defines; operands are checked. position (s*k) int32 is the inverse
// of order; m and beyond: not kept.
namespace detail {
template <Device device>
void drop_beyond_capacity(DeviceContext& ctx, const Tensor& tokens, const Tensor& experts,
                          int64_t num_experts, int64_t seq_len, int64_t capacity, int64_t first,
                          const Tensor& routed);
template <Device device>
std::vector<int64_t> sort_by_expert(DeviceContext& ctx, const Tensor& experts, int64_t num_experts,
                                    const Tensor& order);
template <Device device>
void invert(const Tensor& order, const Tensor& position);
template <Device device>
void dispatch_rows(const Tensor& x, const Tensor& position, int64_t k, const Tensor& y);
template <Device device>
void dispatch_rows_backward(const Tensor& drows, const Tensor& position, int64_t k,
                            const Tensor& dx);
template <Device device>
void combine_rows(const Tensor& rows, const Tensor& position, const Tensor& weights,
                  const Tensor& y);
template <Device device>
void combine_rows_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& rows,
                           const Tensor& order, const Tensor& weights, const Tensor& drows,
                           const Tensor& dweights);
template <Device device>
void permute_rows(DeviceContext& ctx, const Tensor& x, const std::vector<int32_t>& index,
                  const Tensor& y);
template <Device device>
void unpermute_rows(DeviceContext& ctx, const Tensor& x, const std::vector<int32_t>& index,
                    const Tensor& y);
template <Device device>
void swap_leading(const Tensor& x, const Tensor& y);
}  // namespace detail

}  // namespace argosy::ops
