// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Rows as samples: no row that fits is cut, best-fit decreasing by a plain search through all
// samples, and what a step reads of them.
#include "trainer/data/packing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "planner/spec/philox.h"
#include "tests/support/texts.h"
#include "trainer/data/packed_rows.h"
#include "trainer/data/token_array.h"

namespace argosy {
namespace {

// Where rows of these lengths begin, and behind them the end.
std::vector<int64_t> begins_of(const std::vector<int64_t>& lengths) {
  std::vector<int64_t> begins(lengths.size() + 1);
  std::partial_sum(lengths.begin(), lengths.end(), begins.begin() + 1);
  return begins;
}

PackedSamples pack(const std::vector<int64_t>& lengths, int64_t seq_len, Packing packing) {
  std::vector<int64_t> begins = begins_of(lengths);
  const int64_t num_tokens = begins.back();
  begins.pop_back();
  return pack_rows(begins, num_tokens, seq_len, packing);
}

// Lengths of the pieces of each sample.
std::vector<std::vector<int64_t>> lengths_of(const PackedSamples& samples) {
  std::vector<std::vector<int64_t>> lengths(static_cast<size_t>(samples.num_samples()));
  for (size_t i = 0; i < lengths.size(); ++i) {
    for (int64_t piece = samples.first_piece[i]; piece < samples.first_piece[i + 1]; ++piece) {
      lengths[i].push_back(samples.pieces[static_cast<size_t>(piece)].length);
    }
  }
  return lengths;
}

using Lengths = std::vector<std::vector<int64_t>>;

TEST(PackRows, BestFitPutsTheLongestFirstAndEachWhereTheLeastRoomIsLeft) {
  // 5 leaves 5, 7 leaves 3: 3 goes to the 7 though the 5 has room, 4 to the 5, 2 opens another.
  const PackedSamples samples = pack({2, 5, 3, 7, 4}, 10, Packing::best_fit);
  EXPECT_EQ(lengths_of(samples), (Lengths{{7, 3}, {5, 4}, {2}}));
  EXPECT_EQ(samples.pieces,
            (std::vector<RowPiece>{{10, 0, 7}, {7, 7, 3}, {2, 0, 5}, {17, 5, 4}, {0, 0, 2}}));
  EXPECT_EQ(samples.num_rows, 5);
  EXPECT_EQ(samples.num_cut, 0);
  EXPECT_EQ(samples.num_dropped, 0);
  EXPECT_EQ(samples.num_placed, 21);
  EXPECT_EQ(lengths_of(pack({4, 10, 6}, 10, Packing::best_fit)), (Lengths{{10}, {6, 4}}));
}

// The definition, by looking at every sample for every row.
std::vector<int64_t> rooms_by_search(std::vector<int64_t> lengths, int64_t seq_len) {
  std::stable_sort(lengths.begin(), lengths.end(), std::greater<>());
  std::vector<int64_t> rooms;
  for (const int64_t length : lengths) {
    int64_t* best = nullptr;
    for (int64_t& room : rooms) {
      if (room >= length && (best == nullptr || room < *best)) best = &room;
    }
    if (best == nullptr) best = &rooms.emplace_back(seq_len);
    *best -= length;
  }
  std::sort(rooms.begin(), rooms.end());
  return rooms;
}

TEST(PackRows, BestFitIsThatOfAPlainSearch) {
  for (const int64_t seq_len : {2, 63, 64, 65, 200}) {
    std::vector<int64_t> lengths;
    for (uint64_t i = 0; i < 700; ++i) {
      const auto most = static_cast<uint64_t>(i % 3 == 0 ? seq_len : (seq_len + 3) / 4);
      lengths.push_back(static_cast<int64_t>(1 + random_bits(3, 1, i) % most));
    }
    const PackedSamples samples = pack(lengths, seq_len, Packing::best_fit);
    std::vector<int64_t> rooms, begins = begins_of(lengths), placed;
    begins.pop_back();
    for (const std::vector<int64_t>& sample : lengths_of(samples)) {
      rooms.push_back(std::accumulate(sample.begin(), sample.end(), seq_len, std::minus<>()));
    }
    std::sort(rooms.begin(), rooms.end());
    EXPECT_EQ(rooms, rooms_by_search(lengths, seq_len)) << seq_len;
    for (const RowPiece& piece : samples.pieces) {  // every row is there once, and whole
      const auto row = std::lower_bound(begins.begin(), begins.end(), piece.begin);
      ASSERT_NE(row, begins.end());
      EXPECT_EQ(*row, piece.begin);
      EXPECT_EQ(lengths[static_cast<size_t>(row - begins.begin())], piece.length);
      placed.push_back(piece.begin);
    }
    std::sort(placed.begin(), placed.end());
    EXPECT_EQ(placed, begins) << seq_len;
  }
}

TEST(PackRows, NoneCutsRowsAtTheEnd) {
  const PackedSamples samples = pack({2, 9, 4}, 4, Packing::none);
  EXPECT_EQ(samples.pieces, (std::vector<RowPiece>{{0, 0, 2}, {2, 0, 4}, {11, 0, 4}}));
  EXPECT_EQ(lengths_of(samples), (Lengths{{2}, {4}, {4}}));
  EXPECT_EQ(samples.num_cut, 1);
  EXPECT_EQ(samples.num_dropped, 5);
  EXPECT_EQ(samples.num_placed, 10);
}

// Each token but the first of a row is predicted once.
TEST(PackRows, PiecesOfLongRowsOverlapByTheTokenThatTheNextIsPredictedFrom) {
  const PackedSamples samples = pack({1, 10, 4}, 4, Packing::best_fit);
  // 1..4, 4..7, 7..10 of the long row, each a sample like the row of 4, and the row of 1.
  EXPECT_EQ(samples.pieces,
            (std::vector<RowPiece>{{1, 0, 4}, {4, 0, 4}, {7, 0, 4}, {11, 0, 4}, {0, 0, 1}}));
  EXPECT_EQ(samples.num_cut, 1);
  EXPECT_EQ(samples.num_dropped, 0);
  EXPECT_EQ(samples.num_rows, 3);
  EXPECT_EQ(lengths_of(pack({5}, 4, Packing::best_fit)), (Lengths{{4}, {2}}));
  EXPECT_EQ(lengths_of(pack({3}, 2, Packing::best_fit)), (Lengths{{2}, {2}}));
}

TEST(PackRows, WordsOfTheOption) {
  for (const Packing packing : {Packing::stream, Packing::none, Packing::best_fit}) {
    EXPECT_EQ(packing_from_string(to_string(packing), "--packing"), packing);
  }
  EXPECT_EQ(config_error_of([] { packing_from_string("bfd", "--packing"); }),
            "--packing: 'bfd'; valid: stream, none, best-fit");
}

// Tokens 10, 11, ... in rows of these lengths; what is even is not to be predicted, or all is.
std::unique_ptr<TokenArray> rows_of(const std::vector<int64_t>& lengths, bool is_all = false) {
  MarkedTokens tokens;
  for (const int64_t length : lengths) {
    const size_t begin = tokens.tokens.size();
    for (int64_t i = 0; i < length; ++i) {
      const auto token = static_cast<int32_t>(10 + tokens.tokens.size());
      tokens.tokens.push_back(token);
      tokens.mark(is_all || token % 2 == 1);
    }
    tokens.mark_row(begin);
  }
  return std::make_unique<TokenArray>(std::move(tokens), /*is_text=*/true);
}

PackedRows packed(const std::vector<int64_t>& lengths, int64_t seq_len, Packing packing,
                  bool is_all = false) {
  auto rows = rows_of(lengths, is_all);
  const std::vector<int64_t> begins = row_begins_of(*rows, {}, "rows");
  PackedSamples samples = pack_rows(begins, rows->num_tokens(), seq_len, packing);
  return {std::move(rows), std::move(samples), seq_len};
}

// Inputs, targets and beginnings of all samples, as they lie in the source.
Batch read_all(const PackedRows& source, int64_t seq_len) {
  Batch batch;
  for (int64_t i = 0; i + 1 < source.num_tokens(); ++i) {
    batch.inputs.push_back(source.token(i));
    batch.targets.push_back(source.is_target(i + 1) ? source.token(i + 1) : -1);
    batch.begins_document.push_back(source.begins_document(i));
  }
  EXPECT_EQ(static_cast<int64_t>(batch.inputs.size()) % seq_len, 0);
  return batch;
}

TEST(PackedRowsTest, RowsPredictNothingOfTheNextNorOfPadding) {
  const PackedRows source = packed({3, 2, 4}, 6, Packing::best_fit);  // {4, 2}, {3}
  const Batch batch = read_all(source, 6);
  EXPECT_EQ(batch.inputs, (std::vector<int32_t>{15, 16, 17, 18, 13, 14, 10, 11, 12, 0, 0, 0}));
  EXPECT_EQ(batch.targets, (std::vector<int32_t>{-1, 17, -1, -1, -1, -1, 11, -1, -1, -1, -1, -1}));
  EXPECT_EQ(batch.begins_document, (std::vector<bool>{true, false, false, false, true, false, true,
                                                      false, false, true, false, false}));
  EXPECT_EQ(source.num_targets(), 2);  // 13 and 15 begin rows
  EXPECT_EQ(source.num_tokens(), 13);
  EXPECT_TRUE(source.knows_documents());
  EXPECT_TRUE(source.is_text());
}

TEST(PackedRowsTest, WhatIsLearnedIsCounted) {
  for (const Packing packing : {Packing::none, Packing::best_fit}) {
    for (const bool is_all : {false, true}) {
      const PackedRows source = packed({3, 9, 1, 6, 14, 2}, 6, packing, is_all);
      int64_t count = 0;
      for (int64_t i = 0; i < source.num_tokens(); ++i) count += source.is_target(i) ? 1 : 0;
      EXPECT_EQ(source.num_targets(), count) << to_string(packing) << ' ' << is_all;
    }
  }
}

TEST(PackedRowsTest, SamplesOfAnEpochAreTheRows) {
  const PackedRows source = packed({3, 9, 1, 6}, 6, Packing::none);
  const SampleOrder order(source.num_tokens(), 6, 5, "rows");
  ASSERT_EQ(order.num_samples(), 4);
  const Batch batch = read_batch(source, order, 1, 0, 4, 6, 4);
  std::vector<std::vector<int32_t>> samples;
  for (auto sample = batch.inputs.begin(); sample != batch.inputs.end(); sample += 6)
    samples.emplace_back(sample, sample + 6);
  std::sort(samples.begin(), samples.end());
  EXPECT_EQ(samples, (std::vector<std::vector<int32_t>>{{10, 11, 12, 0, 0, 0},
                                                        {13, 14, 15, 16, 17, 18},
                                                        {22, 0, 0, 0, 0, 0},
                                                        {23, 24, 25, 26, 27, 28}}));
  EXPECT_EQ(std::count(batch.begins_document.begin(), batch.begins_document.end(), true), 6);
}

// Documents of a file of tokens: where one of those tokens ends them.
class Tokens : public TokenSource {
 public:
  explicit Tokens(std::vector<int32_t> tokens, bool is_text = false)
      : tokens_(std::move(tokens)), is_text_(is_text) {}
  int64_t num_tokens() const override { return std::ssize(tokens_); }
  int32_t token(int64_t index) const override { return tokens_[static_cast<size_t>(index)]; }
  int32_t max_token() const override { return 100; }
  bool is_text() const override { return is_text_; }

 private:
  std::vector<int32_t> tokens_;
  bool is_text_;
};

TEST(RowBegins, AreKnownOrFollowATokenThatEndsRows) {
  const std::vector<int32_t> ends = {7, 8};
  EXPECT_EQ(row_begins_of(*rows_of({3, 2, 4}), ends, "rows"), (std::vector<int64_t>{0, 3, 5}));
  EXPECT_EQ(row_begins_of(Tokens({1, 7, 2, 3, 8, 7, 4}), ends, "a.bin"),
            (std::vector<int64_t>{0, 2, 5, 6}));
  EXPECT_EQ(row_begins_of(Tokens({1, 2, 7}), ends, "a.bin"), (std::vector<int64_t>{0}));
  const auto error_of = [&](const Tokens& tokens, const std::vector<int32_t>& row_ends) {
    return config_error_of([&] { row_begins_of(tokens, row_ends, "a.bin"); });
  };
  EXPECT_TRUE(contains(error_of(Tokens({1, 2, 3}), ends), "a.bin: none of its tokens is 7 or 8"));
  EXPECT_TRUE(contains(error_of(Tokens({1, 7, 3}), {}), "--end-of-text"));
  EXPECT_TRUE(contains(error_of(Tokens({1, 7, 3}, /*is_text=*/true), ends), "a.bin: has no rows"));
}

}  // namespace
}  // namespace argosy
