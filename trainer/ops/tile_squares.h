// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The sum of squares of an fp32 result of our own kernels, taken while each tile is in the cache of
// the thread that wrote it. Tiles follow from the result's shape and are added up in their order:
// no number of threads changes a bit. Included by *_cpu.cpp files only.
#pragma once

#include <algorithm>
#include <vector>

#include "trainer/ops/packed_product.h"
#include "trainer/ops/vector_rows.h"

namespace argosy::ops::detail {

class TileSquares {
 public:
  // `product` is to call take() for its parts, and must outlive this.
  TileSquares(const CpuKernel& kernel, const PackedProduct& product, const VectorRows& vectors)
      : product_(product),
        vectors_(vectors),
        panel_rows_(kernel.panel_rows),
        tiles_of_row_((product.n + kPanelColumns - 1) / kPanelColumns),
        sums_(static_cast<size_t>((product.m + panel_rows_ - 1) / panel_rows_ * tiles_of_row_)) {
    CHECK(product.c_dtype == DType::fp32, "squares of a result of ", to_string(product.c_dtype));
  }

  void take(Range rows, Range columns) {
    const float* c = static_cast<const float*>(product_.c) + rows.begin * product_.n;
    const int64_t first = rows.begin / panel_rows_ * tiles_of_row_;
    for (int64_t column = columns.begin; column < columns.end; column += kPanelColumns) {
      const int64_t count = std::min(kPanelColumns, columns.end - column);
      sums_[static_cast<size_t>(first + column / kPanelColumns)] =
          vectors_.tile_squares(c + column, rows.size(), count, product_.n);
    }
  }

  double total() const {
    double sum = 0;
    for (const float of_tile : sums_) sum += static_cast<double>(of_tile);
    return sum;
  }

 private:
  const PackedProduct& product_;
  const VectorRows& vectors_;
  int64_t panel_rows_, tiles_of_row_;
  std::vector<float> sums_;  // [panel of rows][panel of columns]
};

}  // namespace argosy::ops::detail
