// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Where the tokens of whole sequences stand, in sequences and documents, and which stand ahead of
// each.
#pragma once

#include <cstdint>
#include <vector>

#include "trainer/data/dataset.h"
#include "trainer/layers/context.h"

namespace argosy {

// (batch * seq_len) each.
struct TokenPlaces {
  std::vector<int32_t> document_begins;  // where in the sequence the token's document begins
  std::vector<int32_t> positions;        // in the document
  std::vector<int32_t> ids;              // in the global batch
};

// Where the settings ask for documents, one begins where `tokens` say so and behind a token that
// ends one; else a sequence is one document. first_slot: of the sequences in the global batch.
TokenPlaces places_of(const LayerSettings& settings, const Batch& tokens, int64_t seq_len,
                      int64_t first_slot);

// What stands `distance` on from each token and its target, (batch * seq_len) each; -1 where that
// is beyond its sequence or document, and for targets that are masked.
struct WholeTokensAhead {
  std::vector<int32_t> inputs, targets;
};
WholeTokensAhead tokens_ahead(const LayerSettings& settings, const Batch& tokens,
                              const TokenPlaces& places, int64_t seq_len, int64_t distance);

}  // namespace argosy
