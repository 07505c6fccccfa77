// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "planner/spec/layout.h"

namespace argosy {

// "rows [0, 12) cols [0, 64)"
std::string to_string(const Box& box);

// Are `boxes` disjoint and together the whole (rows, cols)? nullopt: yes. Else the first flaw from
// the top with its rectangle: "... written twice" or "... is missing". Boxes must lie inside and
// not be empty. O(n log n): a line sweeps down the rows and keeps the columns it crosses in order.
std::optional<std::string> coverage_flaw(int64_t rows, int64_t cols, const std::vector<Box>& boxes);

}  // namespace argosy
