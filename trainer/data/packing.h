// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Rows as samples: which tokens of a source stand in which sample, as a pure function of where the
// rows begin and of seq_len. Seeds, ranks and threads do not enter.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/data/dataset.h"

namespace argosy {

// stream: samples are cut from the stream of all rows, wherever they end. none: one row a sample.
// best_fit: whole rows, as many as fit (best-fit decreasing; Ding et al. 2024, arXiv 2404.10830).
enum class Packing { stream, none, best_fit };

// The words of --packing; throws ConfigError beginning with `where` and listing them.
Packing packing_from_string(std::string_view word, const std::string& where);
std::string_view to_string(Packing packing);

// Tokens [begin, begin + length) of a source, from `place` of their sample on.
struct RowPiece {
  int64_t begin;
  int32_t place, length;
  bool operator==(const RowPiece&) const = default;
};

struct PackedSamples {
  std::vector<RowPiece> pieces;      // of all samples, one sample after the other
  std::vector<int64_t> first_piece;  // (samples + 1)
  int64_t num_rows = 0;              // none is empty
  int64_t num_cut = 0;               // rows longer than a sample
  int64_t num_dropped = 0;           // tokens that are in no sample
  int64_t num_placed = 0;            // tokens in samples

  int64_t num_samples() const { return static_cast<int64_t>(first_piece.size()) - 1; }
};

// Samples of seq_len >= 2 tokens of the rows that begin at `row_begins` (ascending, the first at 0)
// and end at the next or at num_tokens. A row longer than seq_len loses its end with Packing::none;
// with best_fit it is cut into pieces, which are rows of their own and overlap by one token: that
// one is predicted in the first of them, and the next token from it in the second.
PackedSamples pack_rows(std::span<const int64_t> row_begins, int64_t num_tokens, int64_t seq_len,
                        Packing packing);

// Where the rows of `source` begin: it knows, or each ends with a token of `row_ends`. Throws
// ConfigError beginning with `where`: neither, or none of those tokens is there.
std::vector<int64_t> row_begins_of(const TokenSource& source, std::span<const int32_t> row_ends,
                                   const std::string& where);

}  // namespace argosy
