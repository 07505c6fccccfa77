// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/hf/mxfp4.h"

#include <cmath>
#include <limits>

namespace argosy {
namespace {

constexpr int64_t kBlockBytes = kMxfp4Block / 2;
constexpr int kScaleBias = 127, kNoNumber = 255;
// One bit of sign, two of exponent (bias 1), one of fraction.
constexpr float kValues[16] = {0.0f,  0.5f,  1.0f,  1.5f,  2.0f,  3.0f,  4.0f,  6.0f,
                               -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};

float scale_of(unsigned char bits) {
  if (bits == kNoNumber) return std::numeric_limits<float>::quiet_NaN();
  return std::ldexp(1.0f, static_cast<int>(bits) - kScaleBias);
}

}  // namespace

Mxfp4Place mxfp4_place(const ModelSpec& model, const TensorSpec& spec, const std::string& stacked) {
  const bool is_pair = spec.role != TensorRole::expert_down;
  Mxfp4Place place;
  place.blocks = stacked + "_blocks";
  place.scales = stacked + "_scales";
  place.row_step = is_pair ? 2 : 1;
  const int64_t outputs = place.row_step * spec.rows, blocks = spec.cols / kMxfp4Block;
  place.first_row = spec.expert * outputs + (spec.role == TensorRole::expert_up ? 1 : 0);
  place.scales_shape = {model.moe.num_experts, outputs, blocks};
  place.blocks_shape = {model.moe.num_experts, outputs, blocks, kBlockBytes};
  return place;
}

void unpack_mxfp4(const Mxfp4Place& place, const TensorSpec& spec, const unsigned char* blocks,
                  const unsigned char* scales, float* values) {
  const int64_t blocks_of_row = spec.cols / kMxfp4Block;
  for (int64_t row = 0; row < spec.rows; ++row) {
    const int64_t first = (place.first_row + row * place.row_step) * blocks_of_row;
    for (int64_t block = first; block < first + blocks_of_row; ++block) {
      const float scale = scale_of(scales[block]);
      for (int64_t i = 0; i < kBlockBytes; ++i) {
        const unsigned char pair = blocks[block * kBlockBytes + i];
        *values++ = scale * kValues[pair & 15];
        *values++ = scale * kValues[pair >> 4];
      }
    }
  }
}

}  // namespace argosy
