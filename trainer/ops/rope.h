// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// Rotary position embedding (Su et al. 2021) of whole heads or of a part of each.
#pragma once

#include <vector>

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// Which elements of a head of `head_dim` turn: [begin, begin + size), size even and above 0. Pair i
// < size/2 is (begin + i, begin + i + size/2), the half-split layout of Hugging Face, or
// interleaved (begin + 2i, begin + 2i + 1), as the paper and DeepSeek have it.
struct RopePart {
  int64_t head_dim = 0, begin = 0, size = 0;
  bool interleaved = false;
};

// cos and sin, each (num_positions, size/2) in fp32, fp64 for fp64, from size/2 angular
// frequencies; `factor` multiplies both (yarn).
struct RopeTable {
  Tensor cos, sin;
};
RopeTable make_rope_table(DeviceContext& ctx, const std::vector<double>& inverse_frequencies,
                          int64_t num_positions, DType statistic, double factor);

// In place on x (N, heads * part.head_dim), whatever the number of heads; what is outside of the
// part stays. Row i stands at positions[i] (N, int32), a row of the table. inverse: the transposed
// rotation, for backward.
void rope(DeviceContext& ctx, const Tensor& x, const RopePart& part, const Tensor& positions,
          const RopeTable& table, bool inverse);

// One specialisation a device: rope_cpu.cpp.
namespace detail {
template <Device D>
void fill_rope_table(const std::vector<double>& inverse_frequencies, double factor,
                     const RopeTable& table);
template <Device D>
void rope(const Tensor& x, const RopePart& part, const Tensor& positions, const RopeTable& table,
          bool inverse);
}  // namespace detail

}  // namespace argosy::ops
