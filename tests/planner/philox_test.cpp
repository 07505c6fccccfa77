// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/philox.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace argosy {
namespace {

// Known answers of Random123 (Salmon et al., SC 2011), file kat_vectors, philox4x32 with 10 rounds.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox(0, 0, 0), (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const uint64_t ones = ~uint64_t{0};
  EXPECT_EQ(philox(ones, ones, ones),
            (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// FNV-1a test vectors of its authors (http://www.isthe.com/chongo/tech/comp/fnv).
TEST(Philox, NamesAreHashedByFnv1a) {
  EXPECT_EQ(hash_name(""), 0xcbf29ce484222325u);
  EXPECT_EQ(hash_name("a"), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(hash_name("foobar"), 0x85944171f73967e8u);
}

TEST(Philox, EverythingInTheKeyMatters) {
  const uint64_t base = random_bits(1, 2, 3);
  EXPECT_EQ(random_bits(1, 2, 3), base);
  EXPECT_NE(random_bits(2, 2, 3), base);
  EXPECT_NE(random_bits(1, 3, 3), base);
  EXPECT_NE(random_bits(1, 2, 4), base);
  std::set<uint64_t> seen;
  for (uint64_t i = 0; i < 10000; ++i) seen.insert(random_bits(1, i % 10, i));
  EXPECT_EQ(seen.size(), 10000u);  // 64 bits: a collision is a bug
}

// The bounds are six standard errors wide; the numbers are the same in every run.
TEST(Philox, UniformMoments) {
  constexpr int kSamples = 200000;
  double sum = 0, squares = 0;
  for (uint64_t i = 0; i < kSamples; ++i) {
    const double u = uniform(7, 11, i);
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
    squares += u * u;
  }
  EXPECT_NEAR(sum / kSamples, 0.5, 6 * std::sqrt(1.0 / 12 / kSamples));
  EXPECT_NEAR(squares / kSamples, 1.0 / 3, 6 * std::sqrt(4.0 / 45 / kSamples));
}

TEST(Philox, NormalMomentsAndTail) {
  constexpr int kSamples = 200000;
  double sum = 0, squares = 0, fourths = 0;
  int beyond_two = 0;
  for (uint64_t i = 0; i < kSamples; ++i) {
    const double z = standard_normal(7, 11, i);
    ASSERT_TRUE(std::isfinite(z));
    sum += z;
    squares += z * z;
    fourths += z * z * z * z;
    beyond_two += std::abs(z) > 2 ? 1 : 0;
  }
  EXPECT_NEAR(sum / kSamples, 0.0, 6 / std::sqrt(kSamples));
  EXPECT_NEAR(squares / kSamples, 1.0, 6 * std::sqrt(2.0 / kSamples));
  EXPECT_NEAR(fourths / kSamples, 3.0, 6 * std::sqrt(96.0 / kSamples));
  EXPECT_NEAR(static_cast<double>(beyond_two) / kSamples, 0.0455, 0.003);  // erfc(sqrt(2))
}

}  // namespace
}  // namespace argosy
