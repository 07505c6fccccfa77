// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// One row of a data set, a JSON object, as tokens. What is learned:
//   text                         all of it
//   prompt, completion           the completion
//   messages or conversations    what the assistant says (chat template of the tokenizer)
//   instruction, input, output   the output, asked for by the chat template or as Alpaca's prompts
//   input_ids, labels            what labels do not have as -100
#pragma once

#include <string>
#include <string_view>

#include "trainer/data/token_array.h"
#include "trainer/tokenizer/tokenizer_folder.h"

namespace argosy {

// What one thread reads rows with.
struct RowReader {
  explicit RowReader(const TokenizerFolder& folder)
      : tokenizer(&folder), encoder(folder.tokenizer) {}
  const TokenizerFolder* tokenizer;
  TextEncoder encoder;
};

enum class RowKind { text, tokens };

// Adds the tokens of one row. Throws ConfigError beginning with `where` and naming the key.
RowKind append_row(std::string_view json, const std::string& where, RowReader& reader,
                   MarkedTokens& row);

// The keys that a row may have, as a message lists them.
std::string row_keys();

}  // namespace argosy
