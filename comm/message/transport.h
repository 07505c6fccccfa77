// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a back end must bring: messages between two ranks. All collectives are written once on top
// (collectives.h), so threads and MPI compute the same bits.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "comm/message/event.h"
#include "planner/spec/windows.h"

namespace argosy {

// Messages of the user's send and recv never meet those of collectives, whatever their tags.
enum class Channel { user, collective };
inline constexpr int kNumChannels = 2;

// Messages under way together, of one channel and tag. Between two ranks, messages of one tag are
// received in the order in which they were sent. Destroying a batch before test() was true abandons
// its messages: for use on the way out of a failure only.
class MessageBatch : public Event {
 public:
  // Post a message of `bytes` <= Limits::message_bytes; the memory belongs to the batch until
  // test() is true. Throw Error.
  virtual void send(const void* data, int64_t bytes, int peer) = 0;
  virtual void recv(void* data, int64_t bytes, int peer) = 0;
  // True: all messages are delivered. Throws Error when one failed or had another size than was
  // expected.
  bool test() override = 0;
};

// The ranks of one group.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual int max_tag() const = 0;
  virtual std::unique_ptr<MessageBatch> open(Channel channel, int tag) = 0;
  // Collective over `members` (ranks of this group, this one among them, in the order of the new
  // group). No other group of any of its members has this `sequence`; groups of other ranks, made
  // by the same split, have another `color`.
  virtual std::shared_ptr<Transport> subgroup(const std::vector<int>& members, int64_t sequence,
                                              int color) = 0;
  virtual void abort(int exit_code) = 0;
};

// How calls are cut. Tests make these small to see every boundary.
struct Limits {
  // A reduction receives and sums pieces of at most this size: they are still in the cache when
  // they are summed. 1 to 2 MiB is the plateau for two ranks over shared memory.
  int64_t reduce_piece_bytes = int64_t{1} << 20;
  // What one reduction may take for the pieces of its peers.
  int64_t reduce_scratch_bytes = int64_t{16} << 20;
  // Up to this size an all_reduce is one exchange of whole buffers: one latency instead of two.
  // Calls up to this size have slots of their own in a window, so that they never wait for a large
  // one.
  int64_t small_all_reduce_bytes = kSmallCallBytes;
  // Longer messages are cut, since MPI counts in int.
  int64_t message_bytes = int64_t{1} << 30;
  // What a rank puts into the window of its node for one round of a large call: one rank copies it
  // in and the others read it while it is in the cache. From 128 KiB on the speed is the same. 0:
  // no window, messages everywhere.
  int64_t window_slot_bytes = kLargeSlotBytes;
};

}  // namespace argosy
