// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The vocabulary and the merges of a tokenizer's files. For .cpp files only.
#pragma once

#include <string_view>

#include "trainer/tokenizer/json_values.h"
#include "trainer/tokenizer/tokenizer_rules.h"

namespace argosy {

// "model" of a tokenizer.json; `rules` has its added tokens. Throws ConfigError unless it is a
// byte-pair encoding whose merges are tokens. As in Hugging Face's library a byte-level one need
// not have a token for every byte (SmolLM2's have not).
void read_bpe(const JsonPlace& model, bool is_byte_level, TokenizerRules& rules);

// vocab.json and merges.txt, byte-level.
void read_vocab_and_merges(const JsonPlace& vocab, std::string_view merges, TokenizerRules& rules);

}  // namespace argosy
