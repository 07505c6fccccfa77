// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// For .cpp files: includes the JSON library.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "trainer/chat/chat_template.h"

namespace argosy {

// One conversation and its rendering, and where in it messages stand. A rendering is opaque: that
// is found by rendering again with another message in its place, and comparing.
class RenderedConversation {
 public:
  // Throws ConfigError as ChatTemplate::render(). What is given must outlive it.
  RenderedConversation(const ChatTemplate& chat_template, const ChatInputs& inputs,
                       std::span<const std::string> special_tokens);

  const std::string& text() const { return whole_.text; }
  // The {% generation %} blocks of the messages from this one on.
  std::vector<TextSpan> marked(size_t from) const;
  // What is learned of a message of the assistant, where no block says it. Throws ConfigError where
  // that cannot be told.
  TextSpan target(size_t message) const;
  [[noreturn]] void fail(const std::string& what) const;

 private:
  struct Marked {
    std::string text;
    int attempt;  // of saying_marker()
  };
  struct End {
    size_t place;
    int attempt;  // of saying_marker(), that found it
  };
  struct TurnEnd {
    size_t words, limit;
  };

  Json first_messages(size_t count) const;
  std::optional<RenderedChat> try_render(Json messages, bool add_generation_prompt = false) const;
  Json saying_marker(const Json& message, int attempt) const;
  Marked with_marker(const Json& messages, size_t message, int first_attempt = 0) const;
  size_t begin_of(size_t message) const;
  std::optional<size_t> begin_behind(size_t before, const std::string& prompt) const;
  End end_of_words(const Json& messages, size_t message, const std::string& text,
                   int first_attempt = 0) const;
  TurnEnd end_of_turn(size_t message) const;
  size_t special_token_end(size_t at, size_t said) const;

  const ChatTemplate& template_;
  ChatInputs inputs_;
  std::span<const std::string> special_tokens_;
  RenderedChat whole_;
  std::string marker_;
};

}  // namespace argosy
