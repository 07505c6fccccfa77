// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What CPU kernels share: the type they compute in, how they store it, when to start threads, and
// an exponential that gcc can vectorise (libm's cannot be without -ffast-math, which would lose
// NaNs).
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "planner/spec/bfloat16.h"

namespace argosy::ops {

// double for double; float for float and bfloat16.
template <typename T>
using Accumulator = std::conditional_t<std::is_same_v<T, double>, double, float>;

// to = T(value), in a form that gcc 12 vectorises: it does not where a loop assigns whole
// bfloat16s.
template <typename T, typename A>
inline void store(T& to, A value) {
  if constexpr (std::is_same_v<T, bfloat16>) {
    to.bits = bfloat16(value).bits;
  } else {
    to = static_cast<T>(value);
  }
}

// Below so many elements a loop stays on one thread: waking a team costs some microseconds, as long
// as a few thousand elements take.
inline constexpr int64_t kParallelElements = 16384;

// e^x without branches: x = n ln 2 + r with |r| <= ln(2)/2, Taylor's polynomial of degree 7 for e^r
// (truncation below 2^-27), and n added to the exponent; ln 2 in two parts after Cody & Waite
// (1980). Relative error below 2e-7. 0 below -88 (exact, for masked scores), infinity above 88.3;
// NaN gives NaN.
inline float simd_exp(float x) {
  constexpr float kLowest = -88.0f, kHighest = 88.8f;
  constexpr float kLog2E = 1.44269504088896341f;
  constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: its last bit counts ones
  x = x < kLowest ? kLowest : x;         // written so that a NaN passes
  x = x > kHighest ? kHighest : x;
  const float shifted = x * kLog2E + kRound;
  const float n = shifted - kRound;
  float r = x - n * kLn2High;
  r = r - n * kLn2Low;
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  // The low bits of `shifted` hold n; shifted out are the bits of kRound itself.
  const uint32_t exponent = (std::bit_cast<uint32_t>(shifted) + 127u) << 23;
  return p * std::bit_cast<float>(exponent);
}
inline double simd_exp(double x) {
  return std::exp(x);
}

// 1 / (1 + e^-x)
template <typename A>
A sigmoid(A x) {
  return A(1) / (A(1) + simd_exp(-x));
}

}  // namespace argosy::ops
