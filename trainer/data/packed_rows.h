// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <memory>
#include <utility>

#include "trainer/data/packing.h"

namespace argosy {

// A source of rows whose every seq_len tokens are one sample, filled up with padding, and one token
// of padding behind the last: SampleOrder and read_batch cut it as any other. Neither padding nor
// the first token of a row is to be predicted; both begin documents.
class PackedRows : public TokenSource {
 public:
  static constexpr int32_t kPadding = 0;  // in every vocabulary

  PackedRows(std::shared_ptr<TokenSource> rows, PackedSamples samples, int64_t seq_len)
      : rows_(std::move(rows)), samples_(std::move(samples)), seq_len_(seq_len) {}

  int64_t num_tokens() const override { return samples_.num_samples() * seq_len_ + 1; }
  int32_t token(int64_t index) const override;
  bool is_target(int64_t index) const override;
  int64_t num_targets() const override;
  int32_t max_token() const override { return rows_->max_token(); }
  bool knows_documents() const override { return true; }
  bool begins_document(int64_t index) const override;
  bool is_text() const override { return rows_->is_text(); }
  int64_t held_bytes() const override;

  const TokenSource& rows() const { return *rows_; }
  const PackedSamples& samples() const { return samples_; }

 private:
  // What stands at an index: the piece and the token of rows_; behind a sample's last piece none.
  struct Place {
    const RowPiece* piece = nullptr;
    int64_t token = 0;
  };
  Place place_of(int64_t index) const;

  std::shared_ptr<TokenSource> rows_;
  PackedSamples samples_;
  int64_t seq_len_;
};

}  // namespace argosy
