// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/message/pieces.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace argosy {
namespace {

constexpr int64_t kGiB = int64_t{1} << 30;

// Notes what is posted; nothing is read or written.
class NotedBatch : public MessageBatch {
 public:
  void send(const void* data, int64_t bytes, int) override { note(data, bytes); }
  void recv(void* data, int64_t bytes, int) override { note(data, bytes); }
  bool test() override { return true; }

  std::vector<uintptr_t> places;
  std::vector<int64_t> sizes;

 private:
  void note(const void* data, int64_t bytes) {
    places.push_back(reinterpret_cast<uintptr_t>(data));
    sizes.push_back(bytes);
  }
};

// An address that is only counted with, never followed.
std::byte* fake_address() {
  return reinterpret_cast<std::byte*>(uintptr_t{1} << 40);
}

TEST(Pieces, MessagesBeyondInt) {
  NotedBatch sends, recvs;
  const int64_t bytes = 5 * kGiB + 3;
  send_bytes(sends, fake_address(), bytes, 1, Limits{});
  recv_bytes(recvs, fake_address(), bytes, 1, Limits{});
  EXPECT_EQ(sends.sizes, (std::vector<int64_t>{kGiB, kGiB, kGiB, kGiB, kGiB, 3}));
  EXPECT_EQ(sends.sizes, recvs.sizes);
  EXPECT_EQ(sends.places, recvs.places);
  for (size_t i = 0; i < sends.sizes.size(); ++i) {
    EXPECT_LE(sends.sizes[i], std::numeric_limits<int>::max());
    EXPECT_EQ(sends.places[i], (uintptr_t{1} << 40) + i * static_cast<uintptr_t>(kGiB));
  }
}

TEST(Pieces, NothingIsStillOneMessage) {
  NotedBatch batch;
  send_bytes(batch, fake_address(), 0, 1, Limits{});
  EXPECT_EQ(batch.sizes, std::vector<int64_t>{0});
}

TEST(Pieces, OfAllRoundsMakeThePart) {
  const Range part{3'000'000'000, 3'000'000'010};  // beyond int as well
  const int64_t piece_count = 4;
  EXPECT_EQ(piece_of(part, 0, piece_count), (Range{3'000'000'000, 3'000'000'004}));
  EXPECT_EQ(piece_of(part, 2, piece_count), (Range{3'000'000'008, 3'000'000'010}));
  EXPECT_TRUE(piece_of(part, 3, piece_count).empty());
  EXPECT_TRUE(piece_of({5, 5}, 0, piece_count).empty());
}

TEST(Pieces, ScratchOfAllPeersStaysBelowItsLimit) {
  const Limits limits;
  EXPECT_EQ(reduce_piece_count(limits, 2, DType::fp32), limits.reduce_piece_bytes / 4);
  for (const int ranks : {9, 64, 1000}) {
    const int64_t bytes = reduce_piece_count(limits, ranks, DType::fp64) * 8;
    EXPECT_LE(2 * (ranks - 1) * bytes, limits.reduce_scratch_bytes) << ranks;
  }
  EXPECT_EQ(reduce_piece_count(limits, 1 << 30, DType::fp64), 1);
}

}  // namespace
}  // namespace argosy
