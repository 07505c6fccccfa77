// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A loop vectorises when all that it calls is inlined, so that is not left to gcc.
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
[[gnu::always_inline]] inline void store(T& to, A value) {
  if constexpr (std::is_same_v<T, bfloat16>) {
    to.bits = bfloat16(value).bits;
  } else {
    to = static_cast<T>(value);
  }
}

// Below so many elements a loop stays on one thread: waking a team costs some microseconds, as long
// as a few thousand elements take.
inline constexpr int64_t kParallelElements = 16384;

// e^x without branches: x = n ln 2 + r with |r| <= ln(2)/2, Taylor's polynomial for e^r, and n
// added to the exponent; ln 2 in two parts after Cody & Waite (1980). Relative error below 2e-7
// with degree 7 (truncation below 2^-27), below 5e-5 with degree 4, for results that are rounded
// to bf16 (2^-9). 0 below -88 (exact, for masked scores), infinity above 88.3; NaN gives NaN. The
// bounds are two steps in this order and form: a NaN passes, and gcc finds the instructions for
// minimum and maximum.
template <int kDegree = 7>
[[gnu::always_inline]] inline float simd_exp(float x) {
  constexpr float kLowest = -88.0f, kHighestPower = 128.0f;
  constexpr float kLog2E = 1.44269504088896341f;
  constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: its last bit counts ones
  x = x < kLowest ? kLowest : x;
  float shifted = x * kLog2E + kRound;
  shifted = shifted > kRound + kHighestPower ? kRound + kHighestPower : shifted;
  const float n = shifted - kRound;
  float r = x - n * kLn2High;
  r = r - n * kLn2Low;
  float p = 1.0f;
  if constexpr (kDegree >= 7) {
    p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
  } else {
    static_assert(kDegree == 4);
    p = 1.0f / 24;
  }
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  // The low bits of `shifted` hold n; shifted out are the bits of kRound itself.
  const uint32_t exponent = (std::bit_cast<uint32_t>(shifted) + 127u) << 23;
  return p * std::bit_cast<float>(exponent);
}
template <int kDegree = 7>
inline double simd_exp(double x) {
  return std::exp(x);
}

// Sum of term(i) over [0, size), in lanes of a fixed assignment: the width of the machine's vectors
// changes no bit.
template <typename A, typename Term>
[[gnu::always_inline]] inline A sum_in_lanes(int64_t size, const Term& term) {
  constexpr int64_t kLanes = 32;  // two chains of 512-bit registers hide each other's latency
  A lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
#pragma omp simd
    for (int64_t j = 0; j < kLanes; ++j) lanes[j] += term(i + j);
  }
  for (int64_t j = 0; i + j < size; ++j) lanes[j] += term(i + j);
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t j = 0; j < half; ++j) lanes[j] += lanes[j + half];
  }
  return lanes[0];
}

// 1 / (1 + e^-x), precise enough for results of type T.
template <typename T, typename A>
[[gnu::always_inline]] inline A sigmoid(A x) {
  constexpr int kDegree = std::is_same_v<T, bfloat16> ? 4 : 7;
  return A(1) / (A(1) + simd_exp<kDegree>(-x));
}

}  // namespace argosy::ops
