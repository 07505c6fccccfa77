// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/packed_bucket.h"

#include <algorithm>

#include "planner/spec/nf4.h"

namespace argosy {

namespace {

constexpr int64_t kTileScaleBytes = sizeof(float);

int64_t value_bytes(const PackedTensor& tensor, DType dtype) {
  return tensor.is_in_4_bits ? 0 : tensor.box.size() * size_in_bytes(dtype);
}
int64_t tile_scale_bytes(const PackedTensor& tensor) {
  return tensor.is_in_4_bits ? nf4_tiles(tensor.box).size() * kTileScaleBytes : 0;
}
int64_t code_bytes(const PackedTensor& tensor) {
  return tensor.is_in_4_bits ? nf4_code_bytes(tensor.box) : 0;
}
int64_t scale_bytes(const PackedTensor& tensor) {
  return tensor.is_in_4_bits ? nf4_blocks(tensor.box).size() : 0;
}

}  // namespace

std::vector<PackedPlace> packed_places(const std::vector<PackedTensor>& tensors, DType dtype) {
  std::vector<PackedPlace> places(tensors.size());
  int64_t end = 0;
  const auto append = [&](Range PackedPlace::*kind, const auto& bytes_of) {
    for (size_t i = 0; i < tensors.size(); ++i) {
      const int64_t bytes = bytes_of(tensors[i]);
      places[i].*kind = {end, end + bytes};
      end += bytes;
    }
  };
  const auto append_values = [&] {
    append(&PackedPlace::values,
           [&](const PackedTensor& tensor) { return value_bytes(tensor, dtype); });
  };
  const auto append_numbers = [&](bool are_values_first) {
    if (are_values_first) append_values();
    append(&PackedPlace::tile_scales, tile_scale_bytes);
    if (!are_values_first) append_values();
  };
  int64_t codes = 0, values = 0;
  for (const PackedTensor& tensor : tensors) {
    codes += code_bytes(tensor);
    values += value_bytes(tensor, dtype);
  }
  const int64_t element = size_in_bytes(dtype);
  const bool are_codes_first = codes % element == 0 && (codes + values) % kTileScaleBytes == 0;
  if (are_codes_first) append(&PackedPlace::codes, code_bytes);
  append_numbers(are_codes_first || element > kTileScaleBytes);
  if (!are_codes_first) append(&PackedPlace::codes, code_bytes);
  append(&PackedPlace::scales, scale_bytes);
  return places;
}

int64_t packed_end(const std::vector<PackedPlace>& places) {
  int64_t end = 0;
  for (const PackedPlace& place : places) {
    end =
        std::max({end, place.values.end, place.tile_scales.end, place.codes.end, place.scales.end});
  }
  return end;
}

ops::Nf4Matrix nf4_in_bucket(const Tensor& bucket, const PackedPlace& place, const Box& box) {
  const Box blocks = nf4_blocks(box), tiles = nf4_tiles(box);
  return {
      box, bucket.bytes_as(place.codes.begin, {nf4_code_bytes(box)}, DType::uint8),
      bucket.bytes_as(place.scales.begin, {blocks.rows.size(), blocks.cols.size()}, DType::uint8),
      bucket.bytes_as(place.tile_scales.begin, {tiles.rows.size(), tiles.cols.size()},
                      DType::fp32)};
}

}  // namespace argosy
