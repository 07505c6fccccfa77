// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the algorithms over a window have in common: sizes of rounds, copies.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>

#include "comm/message/pieces.h"
#include "comm/window/group.h"
#include "planner/spec/integers.h"

namespace argosy {

inline WindowCall::Size size_of_call(const WindowGroup& group, int64_t bytes) {
  return bytes <= group.small_bytes() ? WindowCall::Size::small : WindowCall::Size::large;
}

inline void copy_bytes(void* to, const void* from, int64_t bytes) {
  if (to != from && bytes > 0) std::memcpy(to, from, static_cast<size_t>(bytes));
}

inline int64_t num_rounds(int64_t count, int64_t piece_count) {
  return ceil_div(count, piece_count);
}

// Rounds until the longest of parts is through.
inline int64_t num_rounds_of_longest(std::span<const int64_t> counts, int64_t piece_count) {
  return num_rounds(*std::max_element(counts.begin(), counts.end()), piece_count);
}

// A slot that holds a piece for each peer: elements of a piece, and where that of peer `to` lies in
// the slot of rank `from`.
inline int64_t piece_for_peers(const WindowCall& call, int size, int64_t element) {
  return std::max<int64_t>(call.slot_bytes() / element / std::max(size - 1, 1), 1);
}
inline int64_t piece_offset(int from, int to, int64_t piece_bytes) {
  return (to < from ? to : to - 1) * piece_bytes;
}

}  // namespace argosy
