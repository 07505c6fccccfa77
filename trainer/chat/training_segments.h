// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What of a conversation is learned: what the assistant says, and the special token that ends its
// turn. For .cpp files: includes the JSON library.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "trainer/chat/chat_template.h"

namespace argosy {

struct ChatSegment {
  std::string text;  // never empty
  bool is_target;
  bool operator==(const ChatSegment&) const = default;
};

// The rendered conversation cut into segments, which alternate. Where the template has
// {% generation %} blocks, these are the targets. Else a message of the assistant is learned from
// where a prompt for it would end (or, where a prompt is no beginning of the conversation, from
// where the rendering begins to depend on the message) to the first special token behind what it
// says; to the end of what it says where none follows before the next message.
// `special_tokens`: their texts, of the tokenizer. `only_last_turn`: of the assistant's messages
// the last alone. inputs.add_generation_prompt does not matter. Throws ConfigError: what render()
// throws; no message of the assistant; targets that cannot be told from the rendering.
std::vector<ChatSegment> training_segments(const ChatTemplate& chat_template,
                                           const ChatInputs& inputs,
                                           std::span<const std::string> special_tokens,
                                           bool only_last_turn);

// The conversation and what the template puts before an answer.
std::string chat_prompt(const ChatTemplate& chat_template, const ChatInputs& inputs);

}  // namespace argosy
