// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Numbers for the conformance checks: any rank can compute what any other one sends.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "comm/communicator.h"
#include "planner/spec/bfloat16.h"

namespace argosy {

template <typename T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, double>) return DType::fp64;
  if constexpr (std::is_same_v<T, float>) return DType::fp32;
  if constexpr (std::is_same_v<T, bfloat16>) return DType::bf16;
  if constexpr (std::is_same_v<T, uint8_t>) return DType::uint8;
  return DType::int32;
}

template <typename T>
Buffer buffer_of(std::vector<T>& values) {
  return {values.data(), static_cast<int64_t>(values.size()), dtype_of<T>()};
}
template <typename T>
ConstBuffer buffer_of(const std::vector<T>& values) {
  return {values.data(), static_cast<int64_t>(values.size()), dtype_of<T>()};
}

// Element `index` of what `rank` holds: of very different sizes and both signs, so that sums in
// another order come out in other bits.
template <typename T>
T value_of(int rank, int64_t index) {
  uint64_t x = static_cast<uint64_t>(index) * 0x9e3779b97f4a7c15u + static_cast<uint64_t>(rank + 1);
  x = (x ^ (x >> 31)) * 0xbf58476d1ce4e5b9u;
  x ^= x >> 29;
  const int64_t mantissa = static_cast<int64_t>(x % 20001) - 10000;
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(mantissa);
  } else {
    const int exponent = static_cast<int>((x >> 32) % 24) - 12;
    return static_cast<T>(std::ldexp(static_cast<float>(mantissa), exponent));
  }
}

template <typename T>
std::vector<T> values_of(int rank, int64_t count, int64_t first = 0) {
  std::vector<T> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(value_of<T>(rank, first + i));
  return values;
}

// The sum over ranks 0, 1, ..., size - 1 in this order, as plainly as it can be written.
template <typename T>
T sum_of_ranks(int size, int64_t index) {
  if constexpr (std::is_same_v<T, bfloat16>) {
    float total = value_of<T>(0, index);
    for (int rank = 1; rank < size; ++rank) total += value_of<T>(rank, index);
    return T(total);
  } else {
    T total = value_of<T>(0, index);
    for (int rank = 1; rank < size; ++rank) total += value_of<T>(rank, index);
    return total;
  }
}

// Bit for bit; reports the first difference only.
template <typename T>
void expect_same_bits(const std::vector<T>& expected, const std::vector<T>& actual,
                      const char* what) {
  ASSERT_EQ(expected.size(), actual.size()) << what;
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(std::memcmp(&expected[i], &actual[i], sizeof(T)), 0)
        << what << ": element " << i << " of " << expected.size() << " is "
        << static_cast<double>(actual[i]) << ", expected " << static_cast<double>(expected[i]);
  }
}

// Ragged counts, some of them zero: rank i's part when the whole is about `scale` a rank.
inline std::vector<int64_t> ragged_counts(int size, int64_t scale) {
  std::vector<int64_t> counts;
  for (int i = 0; i < size; ++i) counts.push_back(i % 3 == 1 ? 0 : scale + 7 * i);
  return counts;
}

inline std::vector<int64_t> offsets_of(const std::vector<int64_t>& counts) {
  std::vector<int64_t> offsets = {0};
  for (const int64_t count : counts) offsets.push_back(offsets.back() + count);
  return offsets;
}

// Nothing, one, primes, around the limits of a small exchange and of a piece (1 MiB).
inline const std::vector<int64_t>& interesting_counts() {
  static const std::vector<int64_t> counts = {0, 1, 2, 3, 13, 1021, 4099, 65537, 600011};
  return counts;
}

// Calls check.operator()<T>() for every dtype.
template <typename Check>
void for_each_dtype(const Check& check) {
  check.template operator()<double>();
  check.template operator()<float>();
  check.template operator()<bfloat16>();
  check.template operator()<int32_t>();
}

}  // namespace argosy
