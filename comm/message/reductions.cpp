// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// all_reduce and reduce_scatter. Each part of the buffer has one owner, which receives the part
// from everyone and adds in the order of the ranks: the same traffic as a ring, and the sum does
// not depend on who was first. Pieces are summed while the next are under way.
#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "comm/message/collectives.h"
#include "comm/message/pieces.h"
#include "comm/message/reduce.h"
#include "planner/spec/check.h"
#include "planner/spec/integers.h"

namespace argosy {
namespace {

// Pieces of one round of a reduction: those of this rank's part from all ranks.
struct Round {
  std::unique_ptr<MessageBatch> batch;
  std::optional<Scratch> scratch;  // [size - 1][piece], peers in rank order
};

// The part of a reduction that all_reduce and reduce_scatter share: which elements of the input
// belong to whom, and the rounds by which this rank's part comes together.
struct Reduction {
  const CallContext& context;
  const std::byte* input;  // all parts
  DType dtype;
  ReduceOp op;
  std::vector<Range> parts;  // by rank, in elements of input
  int64_t piece_count;       // elements

  int rank() const { return context.transport->rank(); }
  int size() const { return context.transport->size(); }
  Range piece(int owner, int64_t round) const {
    return piece_of(parts[static_cast<size_t>(owner)], round, piece_count);
  }
  int64_t num_rounds() const {
    int64_t longest = 0;
    for (const Range part : parts) longest = std::max(longest, part.size());
    return ceil_div(longest, piece_count);
  }
};

// Sends each owner its piece of the round and posts the receives of this rank's own.
void post_round(const Reduction& reduction, int64_t index, Round& round) {
  const CallContext& context = reduction.context;
  const int64_t element = size_in_bytes(reduction.dtype);
  const int rank = reduction.rank(), size = reduction.size();
  const int64_t own_bytes = reduction.piece(rank, index).size() * element;
  round.batch = context.transport->open(Channel::collective, context.tag);
  if (!round.scratch) round.scratch.emplace(context.scratch, own_bytes * (size - 1));
  for (int step = 1; step < size; ++step) {
    const int to = (rank + step) % size, from = (rank + size - step) % size;
    if (own_bytes > 0) {
      const int64_t slot = from < rank ? from : from - 1;
      recv_bytes(*round.batch, round.scratch->data() + slot * own_bytes, own_bytes, from,
                 context.limits);
    }
    const Range theirs = reduction.piece(to, index);
    if (!theirs.empty()) {
      send_bytes(*round.batch, reduction.input + theirs.begin * element, theirs.size() * element,
                 to, context.limits);
    }
  }
}

// output = the sum over all ranks of this rank's piece.
void sum_round(const Reduction& reduction, int64_t index, const Round& round, std::byte* output) {
  const int64_t element = size_in_bytes(reduction.dtype);
  const int rank = reduction.rank();
  const Range own = reduction.piece(rank, index);
  if (own.empty()) return;
  std::vector<const void*> inputs;
  for (int peer = 0; peer < reduction.size(); ++peer) {
    const int64_t slot = peer < rank ? peer : peer - 1;
    inputs.push_back(peer == rank ? reduction.input + own.begin * element
                                  : round.scratch->data() + slot * own.size() * element);
  }
  reduce_in_order(inputs, output, own.size(), reduction.dtype, reduction.op);
}

// Sends the summed piece to everyone and posts the receives of the others'.
std::unique_ptr<MessageBatch> post_gather(const Reduction& reduction, int64_t index,
                                          std::byte* data) {
  const CallContext& context = reduction.context;
  const int64_t element = size_in_bytes(reduction.dtype);
  const int rank = reduction.rank(), size = reduction.size();
  const Range own = reduction.piece(rank, index);
  std::unique_ptr<MessageBatch> batch =
      context.transport->open(Channel::collective, context.tag + 1);
  for (int step = 1; step < size; ++step) {
    const int to = (rank + step) % size, from = (rank + size - step) % size;
    const Range theirs = reduction.piece(from, index);
    if (!theirs.empty()) {
      recv_bytes(*batch, data + theirs.begin * element, theirs.size() * element, from,
                 context.limits);
    }
    if (!own.empty()) {
      send_bytes(*batch, data + own.begin * element, own.size() * element, to, context.limits);
    }
  }
  return batch;
}

// Whole buffers to everyone, then each rank adds them all: one latency.
Operation run_small_all_reduce(CallContext context, Buffer inout, ReduceOp op) {
  const int rank = context.transport->rank(), size = context.transport->size();
  const int64_t bytes = inout.bytes();
  const Scratch scratch(context.scratch, bytes * (size - 1));
  std::vector<const void*> inputs(static_cast<size_t>(size), inout.data);
  const std::unique_ptr<MessageBatch> batch =
      context.transport->open(Channel::collective, context.tag);
  for (int step = 1; step < size; ++step) {
    const int to = (rank + step) % size, from = (rank + size - step) % size;
    std::byte* const place = scratch.data() + (step - 1) * bytes;
    inputs[static_cast<size_t>(from)] = place;
    recv_bytes(*batch, place, bytes, from, context.limits);
    send_bytes(*batch, static_cast<const std::byte*>(inout.data), bytes, to, context.limits);
  }
  co_await until(*batch);
  reduce_in_order(inputs, inout.data, inout.count, inout.dtype, op);
}

// Reduce-scatter and all-gather of equal parts, piece by piece in place. A piece is received into
// only after this rank's own values of it have left: the round's sends are delivered by then.
Operation run_large_all_reduce(CallContext context, Buffer inout, ReduceOp op) {
  auto* data = static_cast<std::byte*>(inout.data);
  const int size = context.transport->size();
  Reduction reduction{context, data, inout.dtype,
                      op,      {},   reduce_piece_count(context.limits, size, inout.dtype)};
  for (int owner = 0; owner < size; ++owner) {
    reduction.parts.push_back(split_range(inout.count, size, owner));
  }
  const int64_t element = size_in_bytes(inout.dtype), num_rounds = reduction.num_rounds();
  const int64_t own_begin = reduction.parts[static_cast<size_t>(reduction.rank())].begin;
  std::array<Round, 2> rounds;
  std::unique_ptr<MessageBatch> gathering;
  post_round(reduction, 0, rounds[0]);
  for (int64_t i = 0; i < num_rounds; ++i) {
    Round& round = rounds[static_cast<size_t>(i % 2)];
    if (i + 1 < num_rounds) post_round(reduction, i + 1, rounds[static_cast<size_t>((i + 1) % 2)]);
    co_await until(*round.batch);
    sum_round(reduction, i, round, data + (own_begin + i * reduction.piece_count) * element);
    if (gathering) co_await until(*gathering);
    gathering = post_gather(reduction, i, data);
  }
  co_await until(*gathering);
}

}  // namespace

Operation run_all_reduce(CallContext context, Buffer inout, ReduceOp op) {
  const int64_t limit_bytes = context.limits.small_all_reduce_bytes;
  if (inout.bytes() <= limit_bytes) return run_small_all_reduce(std::move(context), inout, op);
  return run_large_all_reduce(std::move(context), inout, op);
}

Operation run_reduce_scatter(CallContext context, ConstBuffer input, Buffer output,
                             std::vector<int64_t> counts) {
  const int size = context.transport->size();
  Reduction reduction{context,     static_cast<const std::byte*>(input.data),
                      input.dtype, ReduceOp::sum,
                      {},          reduce_piece_count(context.limits, size, input.dtype)};
  const std::vector<int64_t> offsets = part_offsets(counts);
  for (size_t owner = 0; owner < counts.size(); ++owner) {
    reduction.parts.push_back({offsets[owner], offsets[owner + 1]});
  }
  auto* target = static_cast<std::byte*>(output.data);
  const int64_t num_rounds = reduction.num_rounds();
  const int64_t piece_bytes = reduction.piece_count * size_in_bytes(input.dtype);
  std::array<Round, 2> rounds;
  if (num_rounds > 0) post_round(reduction, 0, rounds[0]);
  for (int64_t i = 0; i < num_rounds; ++i) {
    Round& round = rounds[static_cast<size_t>(i % 2)];
    if (i + 1 < num_rounds) post_round(reduction, i + 1, rounds[static_cast<size_t>((i + 1) % 2)]);
    co_await until(*round.batch);
    if (output.count > 0) sum_round(reduction, i, round, target + i * piece_bytes);
  }
}

}  // namespace argosy
