// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/coverage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace argosy {
namespace {

TEST(Coverage, WholeTensorInAnyPieces) {
  EXPECT_EQ(coverage_flaw(3, 4, {{{0, 3}, {0, 4}}}), std::nullopt);
  EXPECT_EQ(coverage_flaw(3, 4, {{{0, 3}, {2, 4}}, {{1, 3}, {0, 2}}, {{0, 1}, {0, 2}}}),
            std::nullopt);
}

TEST(Coverage, NamesTheMissingRectangle) {
  EXPECT_EQ(coverage_flaw(3, 4, {}), "rows [0, 3) cols [0, 4) is missing");
  EXPECT_EQ(coverage_flaw(3, 4, {{{0, 3}, {0, 2}}, {{0, 2}, {2, 4}}}),
            "rows [2, 3) cols [2, 4) is missing");
  EXPECT_EQ(coverage_flaw(3, 4, {{{0, 1}, {0, 4}}, {{2, 3}, {0, 4}}}),
            "rows [1, 2) cols [0, 4) is missing");
}

TEST(Coverage, NamesTheOverlap) {
  EXPECT_EQ(coverage_flaw(3, 4, {{{0, 3}, {0, 4}}, {{2, 3}, {1, 2}}}),
            "rows [2, 3) cols [1, 2) is written twice: by rows [0, 3) cols [0, 4) and by "
            "rows [2, 3) cols [1, 2)");
}

// Against counting every element.
TEST(Coverage, AgreesWithCounting) {
  std::mt19937 random(3);
  int num_whole = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    const int64_t rows = 1 + random() % 4, cols = 1 + random() % 4;
    std::vector<Box> boxes;
    std::vector<int> count(static_cast<size_t>(rows * cols), 0);
    for (unsigned i = random() % 5; i > 0; --i) {
      const int64_t r0 = random() % rows, r1 = r0 + 1 + random() % (rows - r0);
      const int64_t c0 = random() % cols, c1 = c0 + 1 + random() % (cols - c0);
      boxes.push_back({{r0, r1}, {c0, c1}});
      for (int64_t r = r0; r < r1; ++r) {
        for (int64_t c = c0; c < c1; ++c) ++count[static_cast<size_t>(r * cols + c)];
      }
    }
    const bool whole = std::all_of(count.begin(), count.end(), [](int n) { return n == 1; });
    num_whole += whole ? 1 : 0;
    EXPECT_EQ(!coverage_flaw(rows, cols, boxes).has_value(), whole) << "trial " << trial;
  }
  EXPECT_GT(num_whole, 100);
}

}  // namespace
}  // namespace argosy
