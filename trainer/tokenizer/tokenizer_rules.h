// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a tokenizer does, in the order in which it does it: a tokenizer.json of Hugging Face's
// tokenizers, as values.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/tokenizer/added_tokens.h"
#include "trainer/tokenizer/bpe.h"
#include "trainer/tokenizer/normalizer.h"
#include "trainer/tokenizer/pre_tokenizer.h"
#include "trainer/tokenizer/token_decoder.h"

namespace argosy {

struct TokenizerRules {
  std::vector<AddedToken> added_tokens;
  std::vector<NormalizerStep> normalizer;
  std::vector<PreTokenizerStep> pre_tokenizer;
  BpeModel bpe;
  std::vector<int32_t> prefix, suffix;  // tokens around a whole text (the post-processor's)
  std::vector<DecoderStep> decoder;
  std::vector<std::string> texts;  // of each token, as files write it; "" where an id is unused
};

// Of a token as files write it; -1 if there is none.
int32_t id_of(const TokenizerRules& rules, std::string_view text);

// The tokenizer.json in `text`. Byte-pair encodings alone are known. Throws ConfigError naming
// `where`, the key and what would be valid.
TokenizerRules parse_tokenizer_json(std::string_view text, const std::string& where);

// GPT-2's older pair of files: {"token": id, ...}, and a merge a line behind a line of version.
// `end_of_text` is an added token where the vocabulary has it.
TokenizerRules parse_vocab_and_merges(std::string_view vocab_json, std::string_view merges,
                                      const std::string& where);

}  // namespace argosy
