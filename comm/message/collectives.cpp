// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/message/collectives.h"

#include <cstring>

#include "comm/message/pieces.h"

namespace argosy {
namespace {

void copy(void* to, const void* from, int64_t bytes) {
  if (to != from && bytes > 0) std::memcpy(to, from, static_cast<size_t>(bytes));
}

}  // namespace

Operation run_all_gather(CallContext context, ConstBuffer input, Buffer output,
                         std::vector<int64_t> counts) {
  const int rank = context.transport->rank(), size = context.transport->size();
  const int64_t element = size_in_bytes(output.dtype);
  const std::vector<int64_t> offsets = part_offsets(counts);
  const auto* own = static_cast<const std::byte*>(input.data);
  auto* parts = static_cast<std::byte*>(output.data);

  const std::unique_ptr<MessageBatch> batch =
      context.transport->open(Channel::collective, context.tag);
  for (int step = 1; step < size; ++step) {  // every rank starts at another peer
    const int to = (rank + step) % size, from = (rank + size - step) % size;
    const auto part = static_cast<size_t>(from);
    if (counts[part] > 0) {
      recv_bytes(*batch, parts + offsets[part] * element, counts[part] * element, from,
                 context.limits);
    }
    if (input.count > 0) send_bytes(*batch, own, input.bytes(), to, context.limits);
  }
  if (input.count > 0) {
    copy(parts + offsets[static_cast<size_t>(rank)] * element, own, input.bytes());
  }
  co_await until(*batch);
}

Operation run_all_to_all(CallContext context, ConstBuffer input, std::vector<int64_t> send_counts,
                         Buffer output, std::vector<int64_t> recv_counts) {
  const int rank = context.transport->rank(), size = context.transport->size();
  const int64_t element = size_in_bytes(output.dtype);
  const std::vector<int64_t> sends = part_offsets(send_counts), recvs = part_offsets(recv_counts);
  const auto* source = static_cast<const std::byte*>(input.data);
  auto* target = static_cast<std::byte*>(output.data);

  const std::unique_ptr<MessageBatch> batch =
      context.transport->open(Channel::collective, context.tag);
  for (int step = 1; step < size; ++step) {
    const int to = (rank + step) % size, from = (rank + size - step) % size;
    const auto send_part = static_cast<size_t>(to), recv_part = static_cast<size_t>(from);
    if (recv_counts[recv_part] > 0) {
      recv_bytes(*batch, target + recvs[recv_part] * element, recv_counts[recv_part] * element,
                 from, context.limits);
    }
    if (send_counts[send_part] > 0) {
      send_bytes(*batch, source + sends[send_part] * element, send_counts[send_part] * element, to,
                 context.limits);
    }
  }
  const auto self = static_cast<size_t>(rank);
  if (send_counts[self] > 0) {
    copy(target + recvs[self] * element, source + sends[self] * element,
         send_counts[self] * element);
  }
  co_await until(*batch);
}

// Down a binomial tree: the rank at distance d from the root receives from d without its highest
// bit, then sends to d + 2^k for every higher bit k.
Operation run_broadcast(CallContext context, Buffer inout, int root) {
  const int rank = context.transport->rank(), size = context.transport->size();
  if (inout.count == 0 || size == 1) co_return;
  const int distance = (rank + size - root) % size;
  auto* data = static_cast<std::byte*>(inout.data);

  int64_t bit = 1;
  while (bit <= distance) bit *= 2;  // the first bit above the highest of distance
  if (distance > 0) {
    const int parent = static_cast<int>(distance - bit / 2 + root) % size;
    const std::unique_ptr<MessageBatch> batch =
        context.transport->open(Channel::collective, context.tag);
    recv_bytes(*batch, data, inout.bytes(), parent, context.limits);
    co_await until(*batch);
  }
  const std::unique_ptr<MessageBatch> batch =
      context.transport->open(Channel::collective, context.tag);
  for (; distance + bit < size; bit *= 2) {
    const int child = static_cast<int>((distance + bit + root) % size);
    send_bytes(*batch, data, inout.bytes(), child, context.limits);
  }
  co_await until(*batch);
}

// Dissemination: after the round with step s every rank has heard, directly or not, from the 2s - 1
// ranks before it.
Operation run_barrier(CallContext context) {
  const int rank = context.transport->rank(), size = context.transport->size();
  for (int64_t step = 1; step < size; step *= 2) {
    const std::unique_ptr<MessageBatch> batch =
        context.transport->open(Channel::collective, context.tag);
    batch->recv(nullptr, 0, static_cast<int>((rank + size - step) % size));
    batch->send(nullptr, 0, static_cast<int>((rank + step) % size));
    co_await until(*batch);
  }
}

Operation run_send(CallContext context, ConstBuffer input, int peer) {
  const std::unique_ptr<MessageBatch> batch = context.transport->open(Channel::user, context.tag);
  send_bytes(*batch, static_cast<const std::byte*>(input.data), input.bytes(), peer,
             context.limits);
  co_await until(*batch);
}

Operation run_recv(CallContext context, Buffer output, int peer) {
  const std::unique_ptr<MessageBatch> batch = context.transport->open(Channel::user, context.tag);
  recv_bytes(*batch, static_cast<std::byte*>(output.data), output.bytes(), peer, context.limits);
  co_await until(*batch);
}

}  // namespace argosy
