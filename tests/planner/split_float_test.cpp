// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/split_float.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

namespace argosy {
namespace {

uint32_t bits_of(float value) {
  return std::bit_cast<uint32_t>(value);
}

// All upper halves with the lower halves where rounding turns, and its neighbours.
TEST(SplitFloat, EveryNumberComesBackButOneOfTwoTies) {
  int64_t moved = 0;
  for (uint32_t high = 0; high < 0x10000; ++high) {
    for (const uint32_t low : {0x0000u, 0x0001u, 0x3a5cu, 0x7ffeu, 0x7fffu, 0x8000u, 0x8001u,
                               0xc0deu, 0xfffeu, 0xffffu}) {
      const uint32_t word = high << 16 | low;
      const auto value = std::bit_cast<float>(word);
      const bfloat16 rounded(value);
      const float back = join_float(rounded, rest_of_float(value, rounded));
      if (std::isnan(value)) {
        ASSERT_TRUE(std::isnan(back) && std::isnan(static_cast<float>(rounded))) << word;
        continue;
      }
      // Half way, and rounded down to an even number: the one that has no code.
      const bool has_no_code = low == 0x8000 && high % 2 == 0;
      ASSERT_EQ(bits_of(back), has_no_code ? word - 1 : word);
      moved += has_no_code ? 1 : 0;
      // What is stored is a fixed point: the weight stays, and so does the master.
      ASSERT_EQ(bfloat16(back).bits, rounded.bits) << word;
      ASSERT_EQ(bits_of(join_float(rounded, rest_of_float(back, rounded))), bits_of(back)) << word;
    }
  }
  EXPECT_EQ(moved, 2 * 0x7f80 / 2);  // every even upper half below the NaNs, infinity's excluded
}

}  // namespace
}  // namespace argosy
