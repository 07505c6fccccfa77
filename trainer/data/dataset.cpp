// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/data/dataset.h"

#include "planner/spec/check.h"
#include "trainer/data/rows.h"
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

std::unique_ptr<TokenSource> open_by_format(const std::filesystem::path& path,
                                            const TokenizerFolder& tokenizer) {
  if (path.extension() == ".txt") return open_text(path, tokenizer);
  if (may_hold_text(path)) return open_rows(path, tokenizer);
  if (has_index(path)) return open_indexed(path);
  if (path.extension() == ".bin" || has_bin_magic(path)) return open_bin(path);
  throw ConfigError(concat("data file ", path, ": unknown format; known are llm.c's .bin, ",
                           "Megatron-LM's .bin with .idx, raw .txt, and .jsonl or .json with rows "
                           "of ",
                           row_keys()));
}

// Text needs the tokens of its tokenizer, whatever this text happens to hold.
void check_vocabulary(const std::filesystem::path& path, int64_t vocab_size,
                      const Tokenizer& tokenizer) {
  if (!tokenizer.is_of_bytes() || vocab_size >= kByteVocabulary) return;
  throw ConfigError(concat("data file ", path, ": text without a tokenizer needs a vocabulary of ",
                           kByteVocabulary,
                           " (256 bytes and 2 specials), the model's vocab_size "
                           "is ",
                           vocab_size));
}

}  // namespace

bool may_hold_text(const std::filesystem::path& path) {
  const std::filesystem::path extension = path.extension();
  return extension == ".txt" || extension == ".jsonl" || extension == ".json";
}

std::unique_ptr<TokenSource> open_tokens(const std::filesystem::path& path, int64_t vocab_size,
                                         const TokenizerFolder& tokenizer) {
  auto source = open_by_format(file_of(path), tokenizer);
  if (source->is_text()) check_vocabulary(path, vocab_size, tokenizer.tokenizer);
  if (source->max_token() >= vocab_size) {
    throw ConfigError(concat("data file ", path, source->is_text() ? ": is read as" : ": holds",
                             " token ", source->max_token(), ", the model's vocab_size is ",
                             vocab_size,
                             source->is_text() ? "; the tokenizer is that of another model"
                                               : "; the file was made with another "
                                                 "tokenizer"));
  }
  return source;
}

}  // namespace argosy
