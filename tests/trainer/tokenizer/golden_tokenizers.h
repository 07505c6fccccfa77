// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Small tokenizers of every kind, with what Hugging Face's library makes of awkward texts
// (tests/golden/tokenizers).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "trainer/tokenizer/tokenizer.h"

namespace argosy {

inline constexpr const char* kGoldenTokenizers[] = {
    "like_gpt2",   "like_llama3",  "like_qwen2",     "without_some_bytes", "like_deepseek",
    "like_llama2", "like_mistral", "with_metaspace", "with_odd_steps"};

// Their tokenizer.json.
std::string golden_file(const std::string& name);
Tokenizer golden_tokenizer(const std::string& name);

struct GoldenCase {
  std::string text;
  std::vector<int32_t> ids, whole;  // without and with the tokens around a text
  std::string decoded;              // ids, as text again
};
std::vector<GoldenCase> golden_cases(const std::string& name);

// The bytes that do not belong to a valid character become U+FFFD, one each: as that library has
// them.
std::string with_replacements(std::string_view bytes);

}  // namespace argosy
