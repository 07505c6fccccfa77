// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A tokenizer as Hugging Face's folders hold it: tokenizer.json (or vocab.json and merges.txt), and
// beside it what its special tokens are called and how a chat is written.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/tokenizer/tokenizer.h"

namespace argosy {

struct TokenizerFolder {
  Tokenizer tokenizer = Tokenizer::of_bytes();
  std::filesystem::path folder;                 // empty: bytes
  int32_t end_of_text = kEndOfText;             // -1: the files do not say
  std::map<std::string, std::string> specials;  // bos_token, eos_token ...: their texts
  std::string chat_template;                    // Jinja; "" if there is none
  std::string chat_variables;                   // JSON object of its variables; "" if there is none
};

// Files of a tokenizer that lie in a folder, those that make one first.
std::vector<std::filesystem::path> tokenizer_files(const std::filesystem::path& folder);

// Whether there is one that can be read.
bool has_tokenizer(const std::filesystem::path& folder);

// The folder that `path` means: itself, or what holds it where it is a tokenizer.json. Throws
// ConfigError where no tokenizer is there.
std::filesystem::path tokenizer_folder(const std::filesystem::path& path);

// The tokens of which each ends a text, as a model's config.json says: its eos_token_id, a number
// or a list. Empty where it does not. Throws ConfigError naming `where` and the key.
std::vector<int32_t> end_tokens_of_config(std::string_view config_json, const std::string& where);

// Throws ConfigError as above, and naming the file, the key and what would be valid.
TokenizerFolder read_tokenizer(const std::filesystem::path& path);

}  // namespace argosy
