// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// One row of a data set, a JSON object, as tokens. What is learned:
//   text                         all of it
//   prompt, completion           the completion, a text or one message
//   messages or conversations    what the assistant says
//   instruction, input, output   the output, asked for by the chat template, or where the tokenizer
//                                has none by Alpaca's prompt
//   input_ids, labels            what labels do not have as -100
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "trainer/data/token_array.h"
#include "trainer/tokenizer/tokenizer_folder.h"

namespace argosy {

struct ChatReading;

// What one thread reads rows with.
struct RowReader {
  explicit RowReader(const TokenizerFolder& folder)
      : tokenizer(&folder), encoder(folder.tokenizer) {}
  const TokenizerFolder* tokenizer;
  TextEncoder encoder;
  std::shared_ptr<const ChatReading> chat;  // the tokenizer's template, once it was needed
};

enum class RowKind { text, tokens };

// Adds the tokens of one row. Throws ConfigError beginning with `where` and naming the key.
RowKind append_row(std::string_view json, const std::string& where, RowReader& reader,
                   MarkedTokens& row);

// The keys that a row may have, as a message lists them.
std::string row_keys();

}  // namespace argosy
