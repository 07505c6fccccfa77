// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// How a packed bucket (planner/spec/layout.h) lies in one piece of memory, as ZeRO 3 cuts and
// gathers it: levels, values that are not in NF4, scales of tiles, scales of blocks, each of these
// tensor after tensor, all without gaps. Levels of whole 16 bytes a tensor are then aligned to
// them, as the fast kernel for GPUs wants it. Where parts are so odd that numbers behind the levels
// would not be aligned, these come first.
#pragma once

#include <cstdint>
#include <vector>

#include "planner/spec/layout.h"
#include "planner/spec/types.h"
#include "trainer/ops/nf4.h"
#include "trainer/tensor.h"

namespace argosy {

struct PackedTensor {
  Box box;
  bool is_in_4_bits = false;
};

// Bytes of the bucket that are one tensor's. Empty: it has none of this kind.
struct PackedPlace {
  Range values;                      // of one that is not in NF4
  Range tile_scales, codes, scales;  // of one that is
};
std::vector<PackedPlace> packed_places(const std::vector<PackedTensor>& tensors, DType dtype);
int64_t packed_end(const std::vector<PackedPlace>& places);  // bytes of all of them

// A view of `bucket`, its bytes in 64-byte aligned memory.
ops::Nf4Matrix nf4_in_bucket(const Tensor& bucket, const PackedPlace& place, const Box& box);

}  // namespace argosy
