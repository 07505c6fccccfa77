// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A bias for each group of consecutive rows: those of experts, beside grouped_matmul.h. R rows in G
// groups: rows[g] >= 0 of group g, in order, sum R. Biases lie anywhere.
#pragma once

#include <cstdint>
#include <vector>

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// y (R,N) += bias[g] (N), its dtype, in the rows of group g.
void add_group_biases(DeviceContext& ctx, const std::vector<Tensor>& biases,
                      const std::vector<int64_t>& rows, const Tensor& y);
// dbias[g] (N), gradient dtype, += sum of dy (R,N) over the rows of group g, in an order that
// follows from their number. A group without rows adds nothing.
void group_biases_backward(DeviceContext& ctx, const Tensor& dy, const std::vector<int64_t>& rows,
                           const std::vector<Tensor>& dbiases);

// One specialisation a device: group_bias_cpu.cpp. ends[g]: of the rows of group g.
namespace detail {
template <Device D>
void add_group_biases(const std::vector<Tensor>& biases, const std::vector<int64_t>& ends,
                      const Tensor& y);
template <Device D>
void group_biases_backward(DeviceContext& ctx, const Tensor& dy, const std::vector<int64_t>& ends,
                           const std::vector<Tensor>& dbiases);
}  // namespace detail

}  // namespace argosy::ops
