// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/data/dataset.h"

#include "planner/spec/check.h"
#include "trainer/data/sources.h"

namespace argosy {

namespace {

// Megatron-LM's PREFIX, as its --data-path takes it, means PREFIX.bin beside PREFIX.idx.
std::filesystem::path file_of(const std::filesystem::path& path) {
  std::filesystem::path tokens = path, index = path;
  tokens += ".bin";
  index += ".idx";
  const bool is_prefix = !std::filesystem::exists(path) && std::filesystem::exists(tokens) &&
                         std::filesystem::exists(index);
  return is_prefix ? tokens : path;
}

std::unique_ptr<TokenSource> open_by_format(const std::filesystem::path& path, int64_t vocab_size) {
  const std::string extension = path.extension().string();
  const bool is_text = extension == ".txt" || extension == ".jsonl";
  if (!is_text && has_index(path)) return open_indexed(path);
  if (!is_text && (extension == ".bin" || has_bin_magic(path))) return open_bin(path);
  if (!is_text) {
    throw ConfigError(concat("data file ", path, ": unknown format; known are llm.c's .bin, ",
                             "Megatron-LM's .bin with .idx, raw .txt and .jsonl with `text`, or "
                             "`prompt` and `completion`, or `input_ids`"));
  }
  std::unique_ptr<TokenSource> source = extension == ".txt" ? open_text(path) : open_jsonl(path);
  const bool is_of_bytes = extension == ".txt" || source->end_of_text() == kEndOfText;
  if (is_of_bytes && vocab_size < kByteVocabulary) {
    throw ConfigError(concat(
        "data file ", path, ": text without a tokenizer needs a vocabulary of ", kByteVocabulary,
        " (256 bytes and 2 specials), the model's vocab_size is ", vocab_size));
  }
  return source;
}

}  // namespace

std::vector<int32_t> encode_bytes(std::string_view text) {
  std::vector<int32_t> tokens;
  tokens.reserve(text.size());
  for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
  return tokens;
}

std::string decode_bytes(const std::vector<int32_t>& tokens) {
  std::string text;
  for (const int32_t token : tokens) {
    if (token >= 0 && token < kEndOfText) text.push_back(static_cast<char>(token));
  }
  return text;
}

std::unique_ptr<TokenSource> open_tokens(const std::filesystem::path& path, int64_t vocab_size) {
  auto source = open_by_format(file_of(path), vocab_size);
  if (source->max_token() >= vocab_size) {
    throw ConfigError(concat("data file ", path, ": holds token ", source->max_token(),
                             ", the model's vocab_size is ", vocab_size,
                             "; the file was made with another tokenizer"));
  }
  return source;
}

}  // namespace argosy
