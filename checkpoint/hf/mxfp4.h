// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Weights of 4 bits as gpt-oss is released in (OCP Microscaling Formats v1.0, MXFP4): blocks of 32
// values of e2m1, two a byte, the first in its low half, that share a scale of 8 bits of exponent.
// NAME_blocks (E, outputs, inputs/32, 16) and NAME_scales (E, outputs, inputs/32), both U8. Outputs
// of gate_up_proj are gate and up in turn. For .cpp files of this folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "planner/spec/model.h"

namespace argosy {

inline constexpr int64_t kMxfp4Block = 32;  // values that share a scale: inputs are a multiple

// Where the rows of one of ours, (rows, cols), are among the rows of all experts there.
struct Mxfp4Place {
  std::string blocks, scales;  // names
  std::vector<int64_t> blocks_shape, scales_shape;
  int64_t first_row = 0, row_step = 1;
};

// `stacked`: the name of the whole tensor in 16 bits, of which `spec` is a part (hf_place).
Mxfp4Place mxfp4_place(const ModelSpec& model, const TensorSpec& spec, const std::string& stacked);

// The matrix (rows, cols) in fp32, which every value fits; a scale of 255 makes NaNs.
void unpack_mxfp4(const Mxfp4Place& place, const TensorSpec& spec, const unsigned char* blocks,
                  const unsigned char* scales, float* values);

}  // namespace argosy
