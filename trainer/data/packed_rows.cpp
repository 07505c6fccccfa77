// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/data/packed_rows.h"

#include <algorithm>
#include <iterator>

namespace argosy {

PackedRows::Place PackedRows::place_of(int64_t index) const {
  const int64_t sample = index / seq_len_, place = index % seq_len_;
  if (sample == samples_.num_samples()) return {};  // the token behind the last sample
  const auto piece = [&](int64_t i) {
    return samples_.pieces.begin() + samples_.first_piece[static_cast<size_t>(i)];
  };
  const auto behind = std::upper_bound(
      piece(sample), piece(sample + 1), place,
      [](int64_t wanted, const RowPiece& candidate) { return wanted < candidate.place; });
  const RowPiece& found = *(behind - 1);  // the first of a sample is at 0
  if (place >= found.place + found.length) return {};
  return {&found, found.begin + place - found.place};
}

int32_t PackedRows::token(int64_t index) const {
  const Place place = place_of(index);
  return place.piece == nullptr ? kPadding : rows_->token(place.token);
}

bool PackedRows::is_target(int64_t index) const {
  const Place place = place_of(index);
  return place.piece != nullptr && place.token != place.piece->begin &&
         rows_->is_target(place.token);
}

int64_t PackedRows::num_targets() const {
  if (rows_->num_targets() == rows_->num_tokens()) {  // not those that begin pieces
    return samples_.num_placed - std::ssize(samples_.pieces);
  }
  int64_t count = 0;
  for (const RowPiece& piece : samples_.pieces) {
    for (int64_t i = 1; i < piece.length; ++i) count += rows_->is_target(piece.begin + i) ? 1 : 0;
  }
  return count;
}

// Padding is one more document of its sample.
bool PackedRows::begins_document(int64_t index) const {
  const Place place = place_of(index);
  if (place.piece != nullptr) return place.token == place.piece->begin;
  return index % seq_len_ == 0 || place_of(index - 1).piece != nullptr;
}

int64_t PackedRows::held_bytes() const {
  return rows_->held_bytes() + static_cast<int64_t>(samples_.pieces.size() * sizeof(RowPiece) +
                                                    samples_.first_piece.size() * sizeof(int64_t));
}

}  // namespace argosy
