// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/message/pieces.h"

#include <algorithm>

namespace argosy {
namespace {

// Calls post(offset, bytes) for each message of a transfer; an empty one is one empty message.
template <typename Post>
void for_each_message(int64_t bytes, int64_t limit_bytes, const Post& post) {
  int64_t offset = 0;
  do {
    const int64_t message_bytes = std::min(limit_bytes, bytes - offset);
    post(offset, message_bytes);
    offset += message_bytes;
  } while (offset < bytes);
}

}  // namespace

void send_bytes(MessageBatch& batch, const std::byte* data, int64_t bytes, int peer,
                const Limits& limits) {
  for_each_message(bytes, limits.message_bytes,
                   [&](int64_t offset, int64_t n) { batch.send(data + offset, n, peer); });
}

void recv_bytes(MessageBatch& batch, std::byte* data, int64_t bytes, int peer,
                const Limits& limits) {
  for_each_message(bytes, limits.message_bytes,
                   [&](int64_t offset, int64_t n) { batch.recv(data + offset, n, peer); });
}

std::vector<int64_t> part_offsets(std::span<const int64_t> counts) {
  std::vector<int64_t> offsets = {0};
  for (const int64_t count : counts) offsets.push_back(offsets.back() + count);
  return offsets;
}

int64_t reduce_piece_count(const Limits& limits, int ranks, DType dtype) {
  constexpr int64_t kRounds = 2;  // one is summed while the next is under way
  const int64_t peers = std::max(ranks - 1, 1);
  const int64_t bytes =
      std::min(limits.reduce_piece_bytes, limits.reduce_scratch_bytes / (kRounds * peers));
  return std::max<int64_t>(bytes / size_in_bytes(dtype), 1);
}

}  // namespace argosy
