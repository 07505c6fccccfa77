// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/coverage.h"

#include <algorithm>
#include <map>

#include "planner/spec/check.h"

namespace argosy {
namespace {

// Column intervals of the boxes that the sweep line crosses: begin -> box.
using Crossed = std::map<int64_t, Box>;

// Adds `box`; returns one that is there already and overlaps it, if any.
std::optional<Box> insert(Crossed& crossed, const Box& box) {
  const auto right = crossed.lower_bound(box.cols.begin);
  if (right != crossed.end() && right->second.cols.begin < box.cols.end) return right->second;
  if (right != crossed.begin()) {
    const Box& left = std::prev(right)->second;
    if (left.cols.end > box.cols.begin) return left;
  }
  crossed.emplace_hint(right, box.cols.begin, box);
  return std::nullopt;
}

Range first_gap(const Crossed& crossed, int64_t cols) {
  int64_t end = 0;
  for (const auto& [begin, box] : crossed) {
    if (begin > end) return {end, begin};
    end = box.cols.end;
  }
  return {end, cols};
}

}  // namespace

std::string to_string(const Box& box) {
  return concat("rows [", box.rows.begin, ", ", box.rows.end, ") cols [", box.cols.begin, ", ",
                box.cols.end, ")");
}

std::optional<std::string> coverage_flaw(int64_t rows, int64_t cols,
                                         const std::vector<Box>& boxes) {
  std::vector<Box> by_begin = boxes, by_end = boxes;
  std::sort(by_begin.begin(), by_begin.end());
  std::sort(by_end.begin(), by_end.end(),
            [](const Box& a, const Box& b) { return a.rows.end < b.rows.end; });

  Crossed crossed;
  int64_t crossed_cols = 0;
  size_t next_begin = 0, next_end = 0;
  for (int64_t row = 0; row < rows;) {
    for (; next_end < by_end.size() && by_end[next_end].rows.end <= row; ++next_end) {
      crossed.erase(by_end[next_end].cols.begin);
      crossed_cols -= by_end[next_end].cols.size();
    }
    for (; next_begin < by_begin.size() && by_begin[next_begin].rows.begin == row; ++next_begin) {
      const Box& box = by_begin[next_begin];
      if (const std::optional<Box> other = insert(crossed, box)) {
        return concat(to_string(intersect(box, *other)), " is written twice: by ",
                      to_string(*other), " and by ", to_string(box));
      }
      crossed_cols += box.cols.size();
    }
    int64_t next_row = rows;
    if (next_begin < by_begin.size()) next_row = by_begin[next_begin].rows.begin;
    if (next_end < by_end.size()) next_row = std::min(next_row, by_end[next_end].rows.end);
    if (crossed_cols < cols) {
      return concat(to_string(Box{{row, next_row}, first_gap(crossed, cols)}), " is missing");
    }
    row = next_row;
  }
  return std::nullopt;
}

}  // namespace argosy
