// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/token_places.h"

#include "planner/spec/check.h"

namespace argosy {

namespace {

bool is_end(const LayerSettings& settings, int32_t token) {
  return settings.end_of_text >= 0 && token == settings.end_of_text;
}

// At index > 0.
bool begins_document(const LayerSettings& settings, const Batch& tokens, int64_t index) {
  const auto i = static_cast<size_t>(index);
  const bool is_told = !tokens.begins_document.empty() && tokens.begins_document[i];
  return is_told || is_end(settings, tokens.inputs[i - 1]);
}

}  // namespace

TokenPlaces places_of(const LayerSettings& settings, const Batch& tokens, int64_t seq_len,
                      int64_t first_slot) {
  const auto size = static_cast<int64_t>(tokens.inputs.size());
  CHECK(first_slot * seq_len + size <= INT32_MAX, "slot ", first_slot, " of sequences of ",
        seq_len);
  TokenPlaces places;
  int32_t begin = 0;
  for (int64_t i = 0; i < size; ++i) {
    const auto position = static_cast<int32_t>(i % seq_len);
    if (position == 0 || (settings.document_mask && begins_document(settings, tokens, i)))
      begin = position;
    places.document_begins.push_back(begin);
    places.positions.push_back(position - begin);
    places.ids.push_back(static_cast<int32_t>(first_slot * seq_len + i));
  }
  return places;
}

WholeTokensAhead tokens_ahead(const LayerSettings& settings, const Batch& tokens,
                              const TokenPlaces& places, int64_t seq_len, int64_t distance) {
  const auto size = static_cast<int64_t>(tokens.inputs.size());
  WholeTokensAhead ahead = {std::vector<int32_t>(tokens.inputs.size(), -1),
                            std::vector<int32_t>(tokens.inputs.size(), -1)};
  // A target is the token behind an input.
  const auto is_of_next_document = [&](size_t input) {
    const bool is_told = !tokens.ends_document.empty() && tokens.ends_document[input];
    return settings.document_mask && (is_told || is_end(settings, tokens.inputs[input]));
  };
  for (int64_t i = 0; i < size; ++i) {
    if (i % seq_len + distance >= seq_len) continue;
    const auto here = static_cast<size_t>(i), there = static_cast<size_t>(i + distance);
    if (places.document_begins[there] != places.document_begins[here]) continue;
    ahead.inputs[here] = tokens.inputs[there];
    if (!is_of_next_document(there)) ahead.targets[here] = tokens.targets[there];
  }
  return ahead;
}

}  // namespace argosy
