// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/difference.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "checkpoint/convert.h"
#include "checkpoint/copy_common.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

std::vector<unsigned char> read_all(ShardReader& reader, const StoredTensor& tensor) {
  std::vector<unsigned char> bytes(
      static_cast<size_t>(tensor.rows * tensor.cols * size_in_bytes(tensor.dtype)));
  const TensorPiece piece = {tensor.name, tensor.kind,  tensor.rows,
                             tensor.cols, tensor.dtype, {{0, tensor.rows}, {0, tensor.cols}},
                             bytes.data()};
  for (const Extent& extent : tensor.extents) {
    reader.read(tensor, extent, [&](const Box& part, const unsigned char* data) {
      copy_common(part, data, tensor.dtype, piece);
    });
  }
  return bytes;
}

void widen(Difference* difference, double a, double b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return;
  double absolute = std::abs(a - b);
  double relative = absolute / std::max(std::abs(a), std::abs(b));
  if (!std::isfinite(absolute)) {
    absolute = relative = std::numeric_limits<double>::infinity();
  }
  difference->absolute = std::max(difference->absolute, absolute);
  difference->relative = std::max(difference->relative, relative);
}

}  // namespace

Difference largest_difference(ShardReader& reader_a, const StoredTensor& a, ShardReader& reader_b,
                              const StoredTensor& b) {
  CHECK(a.rows == b.rows && a.cols == b.cols, full_name(a), " of another shape");
  const std::vector<unsigned char> all_of_a = read_all(reader_a, a);
  const int64_t bytes_a = size_in_bytes(a.dtype), bytes_b = size_in_bytes(b.dtype);
  Difference difference;
  std::vector<double> row_of_a, row_of_b;
  for (const Extent& extent : b.extents) {
    reader_b.read(b, extent, [&](const Box& part, const unsigned char* data) {
      const int64_t width = part.cols.size();
      row_of_a.resize(static_cast<size_t>(width));
      row_of_b.resize(static_cast<size_t>(width));
      for (int64_t row = part.rows.begin; row < part.rows.end; ++row) {
        const int64_t first = row * a.cols + part.cols.begin;
        convert_elements(a.dtype, all_of_a.data() + first * bytes_a, DType::fp64, row_of_a.data(),
                         width);
        convert_elements(b.dtype, data, DType::fp64, row_of_b.data(), width);
        data += width * bytes_b;
        for (size_t i = 0; i < row_of_a.size(); ++i) widen(&difference, row_of_a[i], row_of_b[i]);
      }
    });
  }
  return difference;
}

}  // namespace argosy
