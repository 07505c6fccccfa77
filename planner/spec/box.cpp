// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <algorithm>

#include "planner/spec/check.h"
#include "planner/spec/layout.h"

namespace argosy {

Box intersect(const Box& a, const Box& b) {
  return {intersect(a.rows, b.rows), intersect(a.cols, b.cols)};
}

std::vector<Box> boxes_of_flat_range(const Box& box, Range range) {
  if (range.empty()) return {};
  CHECK(range.begin >= 0 && range.end <= box.size(), "elements ", range.begin, " to ", range.end,
        " of ", box.size());
  const int64_t width = box.cols.size();
  std::vector<Box> result;
  int64_t at = range.begin;
  while (at < range.end) {
    const int64_t row = at / width, col = at % width;
    // From the middle of a row to its end, whole rows at once, then the rest of the last row.
    const int64_t whole_rows = col == 0 ? (range.end - at) / width : 0;
    const int64_t num_rows = std::max<int64_t>(1, whole_rows);
    const int64_t end_col = whole_rows > 0 ? width : std::min(width, col + range.end - at);
    const Range rows{box.rows.begin + row, box.rows.begin + row + num_rows};
    const Range cols{box.cols.begin + col, box.cols.begin + end_col};
    result.push_back({rows, cols});
    at += result.back().size();
  }
  return result;
}

}  // namespace argosy
