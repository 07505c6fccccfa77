// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// Collectives through a window that only move data.
#include <utility>

#include "comm/window/collectives.h"
#include "comm/window/rounds.h"
#include "planner/spec/check.h"

namespace argosy {

// Each slot holds a piece of its rank's part.
Operation window_all_gather(SharedWindowGroup group, ConstBuffer input, Buffer output,
                            std::vector<int64_t> counts) {
  const int rank = group->rank(), size = group->size();
  WindowCall call(group, size_of_call(*group, output.bytes()),
                  {WindowKind::all_gather, output.dtype, output.bytes()});
  const int64_t element = size_in_bytes(output.dtype), piece = call.slot_bytes() / element;
  const int64_t rounds = num_rounds_of_longest(counts, piece);
  const std::vector<int64_t> offsets = part_offsets(counts);
  const auto* own = static_cast<const std::byte*>(input.data);
  auto* target = static_cast<std::byte*>(output.data);
  std::byte* const own_place = target + offsets[static_cast<size_t>(rank)] * element;
  co_await until(call.turn());
  for (int64_t i = 0; i < rounds; ++i) {
    while (call.num_posted() < std::min(i + kLaneDepth, rounds)) {
      co_await until(call.room());
      const Range next = piece_of({0, input.count}, call.num_posted(), piece);
      const int64_t begin = next.begin * element, bytes = next.size() * element;
      if (bytes > 0) {
        copy_bytes(call.own_slot(), own + begin, bytes);
        copy_bytes(own_place + begin, own + begin, bytes);
      }
      call.post();
    }
    co_await until(call.arrival());
    for (int step = 1; step < size; ++step) {  // every rank starts at another peer
      const auto peer = static_cast<size_t>((rank + step) % size);
      const Range theirs = piece_of({offsets[peer], offsets[peer + 1]}, i, piece);
      copy_bytes(target + theirs.begin * element, call.slot_of(static_cast<int>(peer)),
                 theirs.size() * element);
    }
    call.take();
  }
}

namespace {

// What every rank sends to every other, row by row, as they showed it in the first round.
std::vector<int64_t> read_counts(const WindowCall& call, int rank,
                                 const std::vector<int64_t>& own) {
  const auto size = own.size();
  std::vector<int64_t> all(size * size);
  for (size_t peer = 0; peer < size; ++peer) {
    const void* row = static_cast<int>(peer) == rank ? static_cast<const void*>(own.data())
                                                     : call.slot_of(static_cast<int>(peer));
    copy_bytes(&all[peer * size], row, static_cast<int64_t>(size * sizeof(int64_t)));
  }
  return all;
}

// The largest part that leaves its rank. Throws Error where this rank expects another number of
// elements than a peer sends.
int64_t longest_part(const std::vector<int64_t>& all, int rank,
                     const std::vector<int64_t>& recv_counts) {
  const size_t size = recv_counts.size(), self = static_cast<size_t>(rank);
  int64_t longest = 0;
  for (size_t from = 0; from < size; ++from) {
    for (size_t to = 0; to < size; ++to) {
      if (from != to) longest = std::max(longest, all[from * size + to]);
    }
    if (all[from * size + self] != recv_counts[from]) {
      throw Error(concat("all_to_all: group rank ", from, " sends ", all[from * size + self],
                         " elements to group rank ", rank, ", which expects ", recv_counts[from]));
    }
  }
  return longest;
}

}  // namespace

// First all show how much they send to whom, since a rank knows its own counts only, but all must
// go through the same number of rounds; then slots with a piece for each peer.
Operation window_all_to_all(SharedWindowGroup group, ConstBuffer input,
                            std::vector<int64_t> send_counts, Buffer output,
                            std::vector<int64_t> recv_counts) {
  const int rank = group->rank(), size = group->size();
  WindowCall call(group, WindowCall::Size::large, {WindowKind::all_to_all, input.dtype, 0});
  const auto row_bytes = static_cast<int64_t>(send_counts.size() * sizeof(int64_t));
  CHECK(row_bytes <= call.slot_bytes(), size, " ranks, slots of ", call.slot_bytes(), " bytes");
  const int64_t element = size_in_bytes(output.dtype), piece = piece_for_peers(call, size, element);
  const std::vector<int64_t> sends = part_offsets(send_counts), recvs = part_offsets(recv_counts);
  const auto* source = static_cast<const std::byte*>(input.data);
  auto* target = static_cast<std::byte*>(output.data);
  const auto piece_of_part = [&](const std::vector<int64_t>& offsets, int peer, int64_t round) {
    const auto part = static_cast<size_t>(peer);
    return piece_of({offsets[part], offsets[part + 1]}, round, piece);
  };
  co_await until(call.turn());
  co_await until(call.room());
  copy_bytes(call.own_slot(), send_counts.data(), row_bytes);
  call.post();
  const auto self = static_cast<size_t>(rank);
  if (send_counts[self] > 0) {
    copy_bytes(target + recvs[self] * element, source + sends[self] * element,
               send_counts[self] * element);
  }
  co_await until(call.arrival());
  const int64_t rounds =
      num_rounds(longest_part(read_counts(call, rank, send_counts), rank, recv_counts), piece);
  call.take();
  for (int64_t i = 0; i < rounds; ++i) {
    while (call.num_posted() - 1 < std::min(i + kLaneDepth, rounds)) {
      co_await until(call.room());
      for (int step = 1; step < size; ++step) {
        const int to = (rank + step) % size;
        const Range part = piece_of_part(sends, to, call.num_posted() - 1);
        if (part.size() > 0) {
          copy_bytes(call.own_slot() + piece_offset(rank, to, piece * element),
                     source + part.begin * element, part.size() * element);
        }
      }
      call.post();
    }
    co_await until(call.arrival());
    for (int step = 1; step < size; ++step) {
      const int from = (rank + size - step) % size;
      const Range part = piece_of_part(recvs, from, i);
      if (part.size() > 0) {
        copy_bytes(target + part.begin * element,
                   call.slot_of(from) + piece_offset(from, rank, piece * element),
                   part.size() * element);
      }
    }
    call.take();
  }
}

// The root's slot alone holds data; the others post empty ones, since rounds count for all.
Operation window_broadcast(SharedWindowGroup group, Buffer inout, int root) {
  WindowCall call(group, size_of_call(*group, inout.bytes()),
                  {WindowKind::broadcast, inout.dtype, inout.bytes()});
  auto* data = static_cast<std::byte*>(inout.data);
  const int64_t element = size_in_bytes(inout.dtype), piece = call.slot_bytes() / element;
  const int64_t rounds = num_rounds(inout.count, piece);
  co_await until(call.turn());
  for (int64_t i = 0; i < rounds; ++i) {
    while (call.num_posted() < std::min(i + kLaneDepth, rounds)) {
      co_await until(call.room());
      const Range next = piece_of({0, inout.count}, call.num_posted(), piece);
      if (group->rank() == root) {
        copy_bytes(call.own_slot(), data + next.begin * element, next.size() * element);
      }
      call.post();
    }
    if (group->rank() != root) {
      co_await until(call.arrival_of(root));
      const Range now = piece_of({0, inout.count}, i, piece);
      copy_bytes(data + now.begin * element, call.slot_of(root), now.size() * element);
    }
    call.take();
  }
}

Operation window_barrier(SharedWindowGroup group) {
  WindowCall call(group, WindowCall::Size::small, {WindowKind::barrier, DType::fp32, 0});
  co_await until(call.turn());
  co_await until(call.room());
  call.post();
  co_await until(call.arrival());
  call.take();
}

}  // namespace argosy
