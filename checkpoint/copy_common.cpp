// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/copy_common.h"

#include <vector>

#include "checkpoint/convert.h"

namespace argosy {

void copy_common(const Box& part, const unsigned char* data, DType from, const TensorPiece& piece) {
  const Box common = intersect(part, piece.box);
  if (common.empty()) return;
  const int64_t part_width = part.cols.size(), piece_width = piece.box.cols.size();
  const auto source = [&](int64_t row) {
    return data + ((row - part.rows.begin) * part_width + common.cols.begin - part.cols.begin) *
                      size_in_bytes(from);
  };
  const auto destination = [&](int64_t row) {
    return static_cast<unsigned char*>(piece.data) +
           ((row - piece.box.rows.begin) * piece_width + common.cols.begin - piece.box.cols.begin) *
               size_in_bytes(piece.dtype);
  };
  const int64_t width = common.cols.size();
  if (piece.memory) {
    const int64_t width_bytes = width * size_in_bytes(piece.dtype);
    std::vector<unsigned char> rows(static_cast<size_t>(width_bytes * common.rows.size()));
    for (int64_t row = common.rows.begin; row < common.rows.end; ++row) {
      convert_elements(from, source(row), piece.dtype,
                       rows.data() + (row - common.rows.begin) * width_bytes, width);
    }
    piece.memory->write(rows.data(), destination(common.rows.begin), width_bytes,
                        common.rows.size(), piece_width * size_in_bytes(piece.dtype));
    return;
  }
  if (width == part_width && width == piece_width) {  // rows follow each other on both sides
    convert_elements(from, source(common.rows.begin), piece.dtype, destination(common.rows.begin),
                     common.size());
    return;
  }
  for (int64_t row = common.rows.begin; row < common.rows.end; ++row) {
    convert_elements(from, source(row), piece.dtype, destination(row), width);
  }
}

}  // namespace argosy
