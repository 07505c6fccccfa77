// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/data/packing.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <numeric>
#include <utility>

#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr std::array<std::pair<Packing, std::string_view>, 3> kWords = {
    {{Packing::stream, "stream"}, {Packing::none, "none"}, {Packing::best_fit, "best-fit"}}};

constexpr int64_t kNone = -1;

// Samples that are not full, by the room that they have left. Finding the least room that is enough
// looks at 64 rooms at once; of several samples with that room the last that got it is meant.
class OpenSamples {
 public:
  explicit OpenSamples(int64_t seq_len)
      : last_(static_cast<size_t>(seq_len), kNone),
        is_there_(static_cast<size_t>(seq_len / 64 + 1)) {}

  void add(int64_t sample, int64_t room) {
    if (room == 0) return;
    before_.resize(std::max(before_.size(), static_cast<size_t>(sample) + 1), kNone);
    before_[static_cast<size_t>(sample)] = std::exchange(last_[static_cast<size_t>(room)], sample);
    word_of(room) |= bit_of(room);
  }

  // {sample, room}, no longer among them; {kNone, 0} where no room is enough.
  std::pair<int64_t, int64_t> take(int64_t least_room) {
    const int64_t room = find(least_room);
    if (room == kNone) return {kNone, 0};
    int64_t& last = last_[static_cast<size_t>(room)];
    const int64_t sample = std::exchange(last, before_[static_cast<size_t>(last)]);
    if (last == kNone) word_of(room) &= ~bit_of(room);
    return {sample, room};
  }

 private:
  uint64_t& word_of(int64_t room) { return is_there_[static_cast<size_t>(room / 64)]; }
  static uint64_t bit_of(int64_t room) { return uint64_t{1} << (room % 64); }

  int64_t find(int64_t least_room) const {
    auto word = static_cast<size_t>(least_room / 64);
    uint64_t bits = is_there_[word] & ~(bit_of(least_room) - 1);
    while (bits == 0) {
      if (++word == is_there_.size()) return kNone;
      bits = is_there_[word];
    }
    return static_cast<int64_t>(word) * 64 + std::countr_zero(bits);
  }

  std::vector<int64_t> last_;       // (seq_len): of the samples with this room
  std::vector<int64_t> before_;     // of each sample: the one with the same room that came before
  std::vector<uint64_t> is_there_;  // a bit a room
};

// Indices into `values` in the order of their value, those of one value as they were; values are
// below num_values.
std::vector<int64_t> in_order(const std::vector<int64_t>& values, int64_t num_values) {
  std::vector<int64_t> next(static_cast<size_t>(num_values) + 1);
  for (const int64_t value : values) ++next[static_cast<size_t>(value) + 1];
  for (size_t value = 1; value < next.size(); ++value) next[value] += next[value - 1];
  std::vector<int64_t> order(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    order[static_cast<size_t>(next[static_cast<size_t>(values[i])]++)] = static_cast<int64_t>(i);
  }
  return order;
}

// The longest first, each into the sample that has the least room left for it.
void place_best_fit(PackedSamples& samples, int64_t seq_len) {
  const std::vector<RowPiece> rows = std::exchange(samples.pieces, {});
  std::vector<int64_t> shortness, sample_of(rows.size());
  shortness.reserve(rows.size());
  for (const RowPiece& row : rows) shortness.push_back(seq_len - row.length);
  const std::vector<int64_t> order = in_order(shortness, seq_len);
  OpenSamples open(seq_len);
  int64_t num_samples = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const int64_t length = rows[static_cast<size_t>(order[i])].length;
    auto [sample, room] = open.take(length);
    if (sample == kNone) {
      sample = num_samples++;
      room = seq_len;
    }
    sample_of[i] = sample;
    open.add(sample, room - length);
  }
  samples.pieces.reserve(rows.size());
  for (const int64_t i : in_order(sample_of, num_samples)) {
    const auto placed = static_cast<size_t>(i);
    const int64_t sample = sample_of[placed];
    RowPiece piece = rows[static_cast<size_t>(order[placed])];
    if (std::ssize(samples.first_piece) == sample) {
      samples.first_piece.push_back(std::ssize(samples.pieces));
    } else {
      piece.place = samples.pieces.back().place + samples.pieces.back().length;
    }
    samples.pieces.push_back(piece);
  }
}

// The pieces of the row [begin, end), each at the beginning of a sample as yet.
void cut_row(int64_t begin, int64_t end, int64_t seq_len, Packing packing, PackedSamples& samples) {
  const auto append = [&](int64_t length) {
    samples.pieces.push_back({begin, 0, static_cast<int32_t>(length)});
    samples.num_placed += length;
  };
  ++samples.num_rows;
  if (end - begin > seq_len) ++samples.num_cut;
  if (packing == Packing::none) {
    samples.num_dropped += std::max<int64_t>(0, end - begin - seq_len);
    append(std::min(end - begin, seq_len));
    return;
  }
  for (; end - begin > seq_len; begin += seq_len - 1) append(seq_len);
  append(end - begin);
}

std::string list_of(std::span<const int32_t> tokens) {
  std::string text;
  for (size_t i = 0; i < tokens.size(); ++i) {
    text += concat(i == 0 ? "" : i + 1 == tokens.size() ? " or " : ", ", tokens[i]);
  }
  return text;
}

}  // namespace

Packing packing_from_string(std::string_view word, const std::string& where) {
  std::string valid;
  for (const auto& [packing, its_word] : kWords) {
    if (its_word == word) return packing;
    append_listed(valid, its_word);
  }
  throw ConfigError(concat(where, ": '", word, "'; valid: ", valid));
}

std::string_view to_string(Packing packing) {
  const auto known = std::find_if(kWords.begin(), kWords.end(),
                                  [&](const auto& word) { return word.first == packing; });
  return known->second;
}

PackedSamples pack_rows(std::span<const int64_t> row_begins, int64_t num_tokens, int64_t seq_len,
                        Packing packing) {
  CHECK(packing != Packing::stream && seq_len >= 2 &&
            seq_len <= std::numeric_limits<int32_t>::max() && !row_begins.empty() &&
            row_begins[0] == 0,
        to_string(packing), ", sequences of ", seq_len, ", ", row_begins.size(), " rows");
  PackedSamples samples;
  samples.pieces.reserve(row_begins.size());
  for (size_t row = 0; row < row_begins.size(); ++row) {
    const int64_t end = row + 1 < row_begins.size() ? row_begins[row + 1] : num_tokens;
    cut_row(row_begins[row], end, seq_len, packing, samples);
  }
  if (packing == Packing::best_fit) {
    place_best_fit(samples, seq_len);
  } else {
    samples.first_piece.resize(samples.pieces.size());
    std::iota(samples.first_piece.begin(), samples.first_piece.end(), 0);
  }
  samples.first_piece.push_back(std::ssize(samples.pieces));
  return samples;
}

std::vector<int64_t> row_begins_of(const TokenSource& source, std::span<const int32_t> row_ends,
                                   const std::string& where) {
  if (source.has_rows()) return source.row_begins();
  if (source.is_text()) {
    throw ConfigError(concat(where, ": has no rows, it is one text; valid: --packing stream"));
  }
  if (row_ends.empty()) {
    throw ConfigError(concat(where, ": which token ends a row of it is not known; valid: ",
                             "--end-of-text ID, or --packing stream"));
  }
  std::vector<int64_t> begins = {0};
  bool ends = false;
  for (int64_t i = 0; i < source.num_tokens(); ++i) {
    if (std::exchange(
            ends, std::find(row_ends.begin(), row_ends.end(), source.token(i)) != row_ends.end())) {
      begins.push_back(i);
    }
  }
  if (begins.size() == 1 && !ends) {
    throw ConfigError(concat(where, ": none of its tokens is ", list_of(row_ends),
                             ", which ends a row; valid: --end-of-text ID, or --packing stream"));
  }
  return begins;
}

}  // namespace argosy
