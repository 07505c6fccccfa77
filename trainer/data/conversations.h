// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Rows of data sets that are conversations, whatever their keys, as the messages that chat
// templates are written for. For .cpp files: includes the JSON library.
#pragma once

#include <string>

#include "planner/spec/json.h"
#include "trainer/chat/chat_template.h"
#include "trainer/tokenizer/tokenizer_folder.h"

namespace argosy {

// The tokenizer's template, read. Throws ConfigError where it has none.
ChatTemplate chat_template_of(const TokenizerFolder& tokenizer);

// The variables that its template gets, in every conversation: an object. Throws ConfigError where
// they are no object.
Json variables_of(const TokenizerFolder& tokenizer);

struct Conversation {
  Json messages;                // [{"role", "content", ...}]
  Json tools;                   // null: none
  Json variables;               // of the template, beside the run's; null: none
  bool only_last_turn = false;  // learned: the assistant's last message, not all of them
};

// The string under `key`; "" where it is missing or null.
std::string optional_text(const Json& row, const char* key, const std::string& where);

// messages                     OpenAI's, as they are
// conversations                ShareGPT's: {"from": "human" | "gpt" | ..., "value"}
// instruction, input, output   Alpaca's, with history, the last output learned alone
// prompt, completion           lists of messages, the completion learned
// `tools` (a list, or one as text), `chat_template_kwargs` (an object) and `system` may stand
// beside any, and be null. `kind` is the first of the keys above. Throws ConfigError beginning with
// `where` and naming the key.
Conversation conversation_of(const Json& row, const std::string& kind, const std::string& where);

}  // namespace argosy
