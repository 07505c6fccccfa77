// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// For the rooms that measure; no value of this one depends on it.
#pragma once

#include <chrono>

namespace argosy {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace argosy
