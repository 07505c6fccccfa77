// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// Rotary position embedding (Su et al. 2021), half-split layout as Hugging Face: pairs (i, i +
// D/2).
#pragma once

#include <vector>

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// cos and sin, each (num_positions, D/2) in fp32, fp64 for fp64, from D/2 angular frequencies;
// `factor` multiplies both (yarn).
struct RopeTable {
  Tensor cos, sin;
};
RopeTable make_rope_table(DeviceContext& ctx, const std::vector<double>& inverse_frequencies,
                          int64_t num_positions, DType statistic, double factor);

// In place on x (N, num_heads * D); row i stands at positions[i] (N, int32), a row of the table.
// inverse: the transposed rotation, for backward.
void rope(DeviceContext& ctx, const Tensor& x, int64_t num_heads, const Tensor& positions,
          const RopeTable& table, bool inverse);

// One specialisation a device: rope_cpu.cpp.
namespace detail {
template <Device D>
void fill_rope_table(const std::vector<double>& inverse_frequencies, double factor,
                     const RopeTable& table);
template <Device D>
void rope(const Tensor& x, int64_t num_heads, const Tensor& positions, const RopeTable& table,
          bool inverse);
}  // namespace detail

}  // namespace argosy::ops
