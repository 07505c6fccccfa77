// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/comm/conformance.h"
#include "tests/comm/conformance_data.h"

namespace argosy {
namespace {

// All parts one after the other, rank i's part being the first elements that i holds.
template <typename T>
std::vector<T> gathered(const std::vector<int64_t>& counts) {
  std::vector<T> all;
  for (size_t rank = 0; rank < counts.size(); ++rank) {
    const std::vector<T> part = values_of<T>(static_cast<int>(rank), counts[rank]);
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

// How much `from` sends `to`; some pairs nothing.
int64_t pair_count(int from, int to, int64_t scale) {
  return (from + 2 * to) % 3 == 0 ? 0 : scale + 5 * from + 11 * to;
}

}  // namespace

void check_all_gather_ragged(Communicator& world) {
  const auto self = static_cast<size_t>(world.rank());
  const auto check = [&]<typename T>() {
    for (const int64_t scale : {int64_t{0}, int64_t{1}, int64_t{1021}, int64_t{100003}}) {
      const std::vector<int64_t> counts = ragged_counts(world.size(), scale);
      const std::vector<T> part = values_of<T>(world.rank(), counts[self]);
      std::vector<T> all(static_cast<size_t>(offsets_of(counts).back()));
      world.all_gather(buffer_of(part), buffer_of(all), counts);
      expect_same_bits(gathered<T>(counts), all, "all_gather");
    }
  };
  for_each_dtype(check);
  check.template operator()<uint8_t>();  // shards of NF4
}

void check_all_gather_in_place(Communicator& world) {
  const auto self = static_cast<size_t>(world.rank());
  const std::vector<int64_t> counts = ragged_counts(world.size(), 1021);
  const std::vector<int64_t> offsets = offsets_of(counts);
  std::vector<float> all(static_cast<size_t>(offsets.back()), -1.0f);
  const std::vector<float> part = values_of<float>(world.rank(), counts[self]);
  std::copy(part.begin(), part.end(), all.begin() + offsets[self]);
  world.all_gather({all.data() + offsets[self], counts[self], DType::fp32}, buffer_of(all), counts);
  expect_same_bits(gathered<float>(counts), all, "all_gather in place");
}

void check_all_to_all_variable(Communicator& world) {
  const int rank = world.rank();
  for_each_dtype([&]<typename T>() {
    for (const int64_t scale : {int64_t{0}, int64_t{1}, int64_t{1021}, int64_t{70001}}) {
      std::vector<int64_t> send_counts, recv_counts;
      std::vector<T> input, expected;
      for (int peer = 0; peer < world.size(); ++peer) {
        send_counts.push_back(pair_count(rank, peer, scale));
        recv_counts.push_back(pair_count(peer, rank, scale));
        // What goes from a to b: a's values from element 1000 * b on.
        const std::vector<T> out = values_of<T>(rank, send_counts.back(), 1000 * peer);
        const std::vector<T> in = values_of<T>(peer, recv_counts.back(), 1000 * rank);
        input.insert(input.end(), out.begin(), out.end());
        expected.insert(expected.end(), in.begin(), in.end());
      }
      std::vector<T> output(expected.size());
      world.all_to_all(buffer_of(input), send_counts, buffer_of(output), recv_counts);
      expect_same_bits(expected, output, "all_to_all");
    }
  });
}

void check_broadcast_every_root(Communicator& world) {
  for_each_dtype([&]<typename T>() {
    for (int root = 0; root < world.size(); ++root) {
      for (const int64_t count : {int64_t{0}, int64_t{1}, int64_t{4099}, int64_t{300007}}) {
        std::vector<T> values = values_of<T>(world.rank(), count);
        world.broadcast(buffer_of(values), root);
        expect_same_bits(values_of<T>(root, count), values, "broadcast");
      }
    }
  });
}

void check_send_recv_ring(Communicator& world) {
  if (world.size() == 1) return;
  const int next = (world.rank() + 1) % world.size();
  const int previous = (world.rank() + world.size() - 1) % world.size();
  for (const int64_t count : interesting_counts()) {
    const std::vector<double> mine = values_of<double>(world.rank(), count);
    std::vector<double> theirs(mine.size());
    Request receiving = world.start_recv(buffer_of(theirs), previous, 5);
    world.send(buffer_of(mine), next, 5);
    receiving.wait();
    expect_same_bits(values_of<double>(previous, count), theirs, "ring");
  }
}

// Messages of one tag arrive in order; of several tags, in whichever order they are asked for.
// Tags of the user may equal those that collectives use inside.
void check_send_keeps_order_and_tags(Communicator& world) {
  if (world.size() == 1) return;
  const int next = (world.rank() + 1) % world.size();
  const int previous = (world.rank() + world.size() - 1) % world.size();
  constexpr int kTags = 40, kMessages = 3;
  std::vector<int32_t> mine, theirs(kTags * kMessages, -1), sums(1, 1);
  for (int i = 0; i < kTags * kMessages; ++i) mine.push_back(1000 * world.rank() + i);
  std::vector<Request> requests;
  for (int i = 0; i < kTags * kMessages; ++i) {
    requests.push_back(
        world.start_send({&mine[static_cast<size_t>(i)], 1, DType::int32}, next, i / kMessages));
  }
  world.all_reduce(buffer_of(sums));
  for (int tag = kTags - 1; tag >= 0; --tag) {
    for (int message = 0; message < kMessages; ++message) {
      const auto i = static_cast<size_t>(tag * kMessages + message);
      requests.push_back(world.start_recv({&theirs[i], 1, DType::int32}, previous, tag));
    }
  }
  for (Request& request : requests) request.wait();
  for (int i = 0; i < kTags * kMessages; ++i) {
    ASSERT_EQ(theirs[static_cast<size_t>(i)], 1000 * previous + i);
  }
  EXPECT_EQ(sums[0], world.size());
}

}  // namespace argosy
