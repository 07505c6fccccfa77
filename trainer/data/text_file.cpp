// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Raw text: bytes stay where they lie on disk, other tokens are made here.
#include "planner/spec/check.h"
#include "trainer/data/mapped_tokens.h"
#include "trainer/data/sources.h"
#include "trainer/data/token_array.h"

namespace argosy {

namespace {

class MappedText : public MappedTokens<uint8_t> {
 public:
  using MappedTokens::MappedTokens;
  bool is_text() const override { return true; }
};

}  // namespace

std::unique_ptr<TokenSource> open_text(const std::filesystem::path& path,
                                       const TokenizerFolder& tokenizer) {
  auto file = std::make_unique<DataFile>(path);
  if (tokenizer.tokenizer.is_of_bytes()) return std::make_unique<MappedText>(std::move(file), 0);
  MarkedTokens text;
  try {
    TextEncoder(tokenizer.tokenizer).append(file->text(), text.tokens);
  } catch (const ConfigError& error) {
    throw ConfigError(concat("data file ", path, ": ", error.what()));
  }
  text.mark(true);
  return std::make_unique<TokenArray>(std::move(text), /*is_text=*/true);
}

}  // namespace argosy
