// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/arguments.h"

#include "planner/spec/check.h"

namespace argosy {
namespace {

void check_counts(const char* call, const char* what, std::span<const int64_t> counts, int size,
                  int64_t total) {
  CHECK(counts.size() == static_cast<size_t>(size), call, ": ", counts.size(), " ", what, " for ",
        size, " ranks");
  for (const int64_t count : counts) CHECK(count >= 0, call, ": ", what, " hold ", count);
  CHECK(sum_of(counts) == total, call, ": ", what, " add up to ", sum_of(counts),
        " elements, the buffer holds ", total);
}

void check_same_dtype(const char* call, ConstBuffer input, ConstBuffer output) {
  CHECK(input.dtype == output.dtype, call, ": input ", to_string(input.dtype), ", output ",
        to_string(output.dtype));
}

void check_own_part(const char* call, int64_t part, int64_t expected, int rank) {
  CHECK(part == expected, call, ": rank ", rank, "'s part holds ", part, " elements, its count is ",
        expected);
}

}  // namespace

int64_t sum_of(std::span<const int64_t> counts) {
  int64_t total = 0;
  for (const int64_t count : counts) total += count;
  return total;
}

void check_buffer(const char* call, ConstBuffer buffer, Device device) {
  CHECK(buffer.count >= 0, call, ": a buffer of ", buffer.count, " elements");
  CHECK(buffer.data != nullptr || buffer.count == 0, call, ": no data for ", buffer.count,
        " elements");
  CHECK(buffer.device == device, call, ": this communicator cannot reach memory on ",
        to_string(buffer.device));
}

void check_reduce_scatter(ConstBuffer input, Buffer output, std::span<const int64_t> counts,
                          int rank, int size, Device device) {
  constexpr const char* kCall = "reduce_scatter";
  check_buffer(kCall, input, device);
  check_buffer(kCall, output, device);
  check_same_dtype(kCall, input, output);
  check_counts(kCall, "counts", counts, size, input.count);
  check_own_part(kCall, output.count, counts[static_cast<size_t>(rank)], rank);
}

void check_all_gather(ConstBuffer input, Buffer output, std::span<const int64_t> counts, int rank,
                      int size, Device device) {
  constexpr const char* kCall = "all_gather";
  check_buffer(kCall, input, device);
  check_buffer(kCall, output, device);
  check_same_dtype(kCall, input, output);
  check_counts(kCall, "counts", counts, size, output.count);
  check_own_part(kCall, input.count, counts[static_cast<size_t>(rank)], rank);
}

void check_all_to_all(ConstBuffer input, std::span<const int64_t> send_counts, Buffer output,
                      std::span<const int64_t> recv_counts, int rank, int size, Device device) {
  constexpr const char* kCall = "all_to_all";
  check_buffer(kCall, input, device);
  check_buffer(kCall, output, device);
  check_same_dtype(kCall, input, output);
  check_counts(kCall, "send counts", send_counts, size, input.count);
  check_counts(kCall, "receive counts", recv_counts, size, output.count);
  const size_t self = static_cast<size_t>(rank);
  CHECK(send_counts[self] == recv_counts[self], kCall, ": rank ", rank, " sends itself ",
        send_counts[self], " elements and receives ", recv_counts[self]);
  CHECK(input.data != output.data || input.count == 0, kCall, ": does not work in place");
}

void check_root(int root, int size) {
  CHECK(root >= 0 && root < size, "broadcast: root ", root, " of ", size, " ranks");
}

void check_peer(const char* call, int peer, int tag, int rank, int size) {
  CHECK(peer >= 0 && peer < size, call, ": peer ", peer, " of ", size, " ranks");
  CHECK(peer != rank, call, ": rank ", rank, " to itself");
  CHECK(tag >= 0, call, ": tag ", tag);
}

}  // namespace argosy
