// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Counts of whole parts; no value is negative.
#pragma once

#include <cstdint>

namespace argosy {

constexpr int64_t ceil_div(int64_t value, int64_t divisor) {
  return (value + divisor - 1) / divisor;
}
constexpr int64_t round_up(int64_t value, int64_t multiple) {
  return ceil_div(value, multiple) * multiple;
}

}  // namespace argosy
