// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Small tokenizers of every kind, with what Hugging Face's library makes of awkward texts
// (tests/golden/tokenizers).
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>

#include "trainer/tokenizer/tokenizer.h"
#include "trainer/tokenizer/utf8.h"

namespace argosy {

inline constexpr const char* kGoldenTokenizers[] = {
    "like_gpt2",   "like_llama3",  "like_qwen2",     "without_some_bytes", "like_deepseek",
    "like_llama2", "like_mistral", "with_metaspace", "with_odd_steps"};

inline std::string golden_file(const std::string& name) {
  std::ostringstream text;
  text << std::ifstream(
              std::string(ARGOSY_SOURCE_DIR) + "/tests/golden/tokenizers/" + name + ".json",
              std::ios::binary)
              .rdbuf();
  return text.str();
}

inline Tokenizer golden_tokenizer(const std::string& name) {
  return Tokenizer(parse_tokenizer_json(golden_file(name), name));
}

// [{"text", "ids", "whole" (with tokens around it), "decoded"}].
inline nlohmann::json golden_cases(const std::string& name) {
  return nlohmann::json::parse(golden_file("cases")).at(name);
}

// The bytes that do not belong to a valid character become U+FFFD, one each: as that library has
// them.
inline std::string with_replacements(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const size_t valid = valid_utf8_bytes(bytes);
    text.append(bytes.substr(0, valid));
    bytes.remove_prefix(valid);
    if (bytes.empty()) break;
    text += encode_utf8(0xfffd);
    bytes.remove_prefix(1);
  }
  return text;
}

}  // namespace argosy
