// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Cutting buffers into parts, parts into pieces and pieces into messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "comm/message/transport.h"
#include "planner/spec/mesh.h"
#include "planner/spec/types.h"

namespace argosy {

// Post one message, or several where it is longer than limits.message_bytes. Both sides cut alike.
void send_bytes(MessageBatch& batch, const std::byte* data, int64_t bytes, int peer,
                const Limits& limits);
void recv_bytes(MessageBatch& batch, std::byte* data, int64_t bytes, int peer,
                const Limits& limits);

// [begin of part 0, begin of part 1, ..., end of the last part].
std::vector<int64_t> part_offsets(std::span<const int64_t> counts);

// Elements of a piece of a reduction over `ranks` ranks: small enough that two rounds of pieces
// from all peers fit the scratch. The same on every rank.
int64_t reduce_piece_count(const Limits& limits, int ranks, DType dtype);

// The part of `part` that round `round` handles: empty in the rounds after its end.
inline Range piece_of(Range part, int64_t round, int64_t piece_count) {
  const int64_t begin = part.begin + round * piece_count;
  return begin < part.end ? intersect(part, {begin, begin + piece_count})
                          : Range{part.end, part.end};
}

}  // namespace argosy
