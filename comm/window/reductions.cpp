// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// all_reduce and reduce_scatter through a window.
#include <utility>

#include "comm/message/reduce.h"
#include "comm/window/collectives.h"
#include "comm/window/rounds.h"
#include "planner/spec/mesh.h"

namespace argosy {
namespace {

// Every rank puts all of its values into its slot and adds everybody's: one meeting a round. For
// two ranks, which have to read as many bytes either way, and for small buffers, where one latency
// costs more than the bytes.
Operation all_reduce_by_everyone(SharedWindowGroup group, Buffer inout, ReduceOp op) {
  WindowCall call(group, size_of_call(*group, inout.bytes()),
                  {WindowKind::all_reduce, inout.dtype, inout.bytes()});
  auto* data = static_cast<std::byte*>(inout.data);
  const int64_t element = size_in_bytes(inout.dtype), piece = call.slot_bytes() / element;
  const int64_t rounds = num_rounds(inout.count, piece);
  std::vector<const void*> inputs(static_cast<size_t>(group->size()));
  co_await until(call.turn());
  for (int64_t i = 0; i < rounds; ++i) {
    while (call.num_posted() < std::min(i + kLaneDepth, rounds)) {
      co_await until(call.room());
      const Range next = piece_of({0, inout.count}, call.num_posted(), piece);
      copy_bytes(call.own_slot(), data + next.begin * element, next.size() * element);
      call.post();
    }
    co_await until(call.arrival());
    const Range now = piece_of({0, inout.count}, i, piece);
    std::byte* const place = data + now.begin * element;
    for (int peer = 0; peer < group->size(); ++peer) {
      inputs[static_cast<size_t>(peer)] = peer == group->rank() ? place : call.slot_of(peer);
    }
    reduce_in_order(inputs, place, now.size(), inout.dtype, op);
    call.take();
  }
}

// Chunks of a slot, cut into a piece a rank. Two rounds a chunk: everyone shows the values of the
// others' pieces, each owner adds its own piece; everyone shows the sum, the others copy it.
struct OwnedChunks {
  const WindowGroup& group;
  std::byte* data;
  int64_t count, chunk_count, element;  // elements; bytes of one

  Range chunk(int64_t index) const { return piece_of({0, count}, index, chunk_count); }
  // In elements from the begin of the chunk; pieces lie there in slots too.
  Range piece(int64_t index, int owner) const {
    return split_range(chunk(index).size(), group.size(), owner);
  }
  std::byte* place(int64_t index) const { return data + chunk(index).begin * element; }
};

void show_values(const OwnedChunks& chunks, int64_t index, std::byte* slot) {
  const int64_t bytes = chunks.chunk(index).size() * chunks.element;
  const Range own = chunks.piece(index, chunks.group.rank());
  const int64_t begin = own.begin * chunks.element, end = own.end * chunks.element;
  copy_bytes(slot, chunks.place(index), begin);
  copy_bytes(slot + end, chunks.place(index) + end, bytes - end);
}

// Adds this rank's piece in place and shows the sum, tile by tile: what is shown is still in the L1
// cache.
void add_own_piece(const OwnedChunks& chunks, int64_t index, const WindowCall& call, DType dtype,
                   ReduceOp op) {
  constexpr int64_t kTileBytes = 16 << 10;
  const int size = chunks.group.size();
  const Range own = chunks.piece(index, chunks.group.rank());
  const int64_t tile = kTileBytes / chunks.element;
  std::vector<const void*> inputs(static_cast<size_t>(size));
  for (int64_t begin = own.begin; begin < own.end; begin += tile) {
    const int64_t count = std::min(tile, own.end - begin), offset = begin * chunks.element;
    std::byte* const place = chunks.place(index) + offset;
    for (int peer = 0; peer < size; ++peer) {
      inputs[static_cast<size_t>(peer)] =
          peer == chunks.group.rank() ? place : call.slot_of(peer) + offset;
    }
    reduce_in_order(inputs, place, count, dtype, op);
    copy_bytes(call.own_slot() + offset, place, count * chunks.element);
  }
}

void copy_sums(const OwnedChunks& chunks, int64_t index, const WindowCall& call) {
  const int rank = chunks.group.rank(), size = chunks.group.size();
  for (int step = 1; step < size; ++step) {  // every rank starts at another peer
    const int owner = (rank + step) % size;
    const Range theirs = chunks.piece(index, owner);
    const int64_t offset = theirs.begin * chunks.element;
    copy_bytes(chunks.place(index) + offset, call.slot_of(owner) + offset,
               theirs.size() * chunks.element);
  }
}

Operation all_reduce_by_owners(SharedWindowGroup group, Buffer inout, ReduceOp op) {
  WindowCall call(group, size_of_call(*group, inout.bytes()),
                  {WindowKind::all_reduce, inout.dtype, inout.bytes()});
  const int64_t element = size_in_bytes(inout.dtype);
  const OwnedChunks chunks{*group, static_cast<std::byte*>(inout.data), inout.count,
                           call.slot_bytes() / element, element};
  const int64_t num_chunks = num_rounds(inout.count, chunks.chunk_count);
  co_await until(call.turn());
  co_await until(call.room());
  show_values(chunks, 0, call.own_slot());
  call.post();
  for (int64_t i = 0; i < num_chunks; ++i) {
    co_await until(call.room());
    co_await until(call.arrival());
    add_own_piece(chunks, i, call, inout.dtype, op);
    call.take();
    call.post();
    if (i + 1 < num_chunks) {  // before waiting for the sums: nobody has to wait for it later
      co_await until(call.room());
      show_values(chunks, i + 1, call.own_slot());
      call.post();
    }
    co_await until(call.arrival());
    copy_sums(chunks, i, call);
    call.take();
  }
}

}  // namespace

Operation window_all_reduce(SharedWindowGroup group, Buffer inout, ReduceOp op) {
  const bool by_everyone = group->size() == 2 || inout.bytes() <= group->small_bytes();
  if (by_everyone) return all_reduce_by_everyone(std::move(group), inout, op);
  return all_reduce_by_owners(std::move(group), inout, op);
}

// A slot holds a piece for each peer; the owner adds its pieces of all slots.
Operation window_reduce_scatter(SharedWindowGroup group, ConstBuffer input, Buffer output,
                                std::vector<int64_t> counts) {
  const int rank = group->rank(), size = group->size();
  WindowCall call(group, size_of_call(*group, input.bytes()),
                  {WindowKind::reduce_scatter, input.dtype, input.bytes()});
  const int64_t element = size_in_bytes(input.dtype), piece = piece_for_peers(call, size, element);
  const int64_t rounds = num_rounds_of_longest(counts, piece);
  const std::vector<int64_t> offsets = part_offsets(counts);
  const auto* source = static_cast<const std::byte*>(input.data);
  auto* target = static_cast<std::byte*>(output.data);
  const auto piece_of_part = [&](int owner, int64_t round) {
    const auto part = static_cast<size_t>(owner);
    return piece_of({offsets[part], offsets[part + 1]}, round, piece);
  };
  std::vector<const void*> inputs(static_cast<size_t>(size));
  co_await until(call.turn());
  for (int64_t i = 0; i < rounds; ++i) {
    while (call.num_posted() < std::min(i + kLaneDepth, rounds)) {
      co_await until(call.room());
      for (int step = 1; step < size; ++step) {
        const int owner = (rank + step) % size;
        const Range theirs = piece_of_part(owner, call.num_posted());
        copy_bytes(call.own_slot() + piece_offset(rank, owner, piece * element),
                   source + theirs.begin * element, theirs.size() * element);
      }
      call.post();
    }
    co_await until(call.arrival());
    const Range own = piece_of_part(rank, i);
    for (int peer = 0; peer < size; ++peer) {
      inputs[static_cast<size_t>(peer)] =
          peer == rank ? source + own.begin * element
                       : call.slot_of(peer) + piece_offset(peer, rank, piece * element);
    }
    if (own.size() > 0) {
      reduce_in_order(inputs, target + i * piece * element, own.size(), input.dtype, ReduceOp::sum);
    }
    call.take();
  }
}

}  // namespace argosy
