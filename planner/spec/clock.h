// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Of the clock, for the rooms that measure; no value of this one depends on it. And what a day has.
#pragma once

#include <chrono>

namespace argosy {

inline constexpr double kSecondsPerHour = 3600, kSecondsPerDay = 24 * kSecondsPerHour;

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace argosy
