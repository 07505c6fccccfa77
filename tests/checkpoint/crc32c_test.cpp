// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "checkpoint/manifest.h"

namespace argosy {
namespace {

// RFC 3720, appendix B.4, and the check value of the CRC catalogue.
TEST(Crc32c, KnownValues) {
  const std::string digits = "123456789";
  EXPECT_EQ(crc32c(digits.data(), 9), 0xe3069283u);
  const std::vector<unsigned char> zeros(32, 0), ones(32, 0xff);
  EXPECT_EQ(crc32c(zeros.data(), 32), 0x8a9136aau);
  EXPECT_EQ(crc32c(ones.data(), 32), 0x62a8ab43u);
  EXPECT_EQ(crc32c(nullptr, 0), 0u);
}

TEST(Crc32c, TableEqualsHardwareAndPartsJoin) {
  std::mt19937 random(1);
  std::vector<unsigned char> data(1000);
  for (auto& byte : data) byte = static_cast<unsigned char>(random());
  for (int64_t begin = 0; begin < 9; ++begin) {
    for (int64_t bytes = 0; bytes < 100; ++bytes) {
      const uint32_t whole = crc32c(data.data() + begin, bytes);
      EXPECT_EQ(whole, crc32c_by_table(data.data() + begin, bytes));
      const int64_t first = bytes / 3;
      const uint32_t seed = crc32c(data.data() + begin, first);
      EXPECT_EQ(whole, crc32c(data.data() + begin + first, bytes - first, seed));
    }
  }
}

}  // namespace
}  // namespace argosy
