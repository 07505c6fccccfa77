// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A model's chat template (Jinja, as tokenizer_config.json or chat_template.jinja has it): how a
// conversation is written as one text. For .cpp files: includes the JSON library.
#pragma once

#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "planner/spec/json.h"

namespace argosy {

// What transformers' apply_chat_template() takes.
struct ChatInputs {  // NOLINT(bugprone-exception-escape): the JSON library's destructor allocates
  Json messages;     // a list of objects: {"role", "content", ...}
  Json tools;        // a list of JSON schemas of functions; null: none
  Json variables;    // an object of more variables; null: none
  bool add_generation_prompt = false;
  std::map<std::string, std::string> tokens;  // bos_token, eos_token, ...: their texts
  std::optional<std::tm> now;                 // what strftime_now() says; none: the local time
};

struct TextSpan {
  size_t begin, end;  // bytes
  bool operator==(const TextSpan&) const = default;
};

struct RenderedChat {
  std::string text;
  std::vector<TextSpan> generation;  // what stood in {% generation %} blocks, in order
};

namespace jinja {
struct Template;
}

// What a user gives as variables of a template: the text of a JSON object. Throws ConfigError
// naming what is no object, or a variable that is the conversation's own.
Json parse_chat_variables(const std::string& text);
void check_chat_variables(const Json& variables);

// A parsed template; rendering changes nothing, so that threads may share one.
class ChatTemplate {
 public:
  // Throws ConfigError "WHERE line N: what is not known".
  ChatTemplate(const std::string& source, const std::string& where);

  // As transformers does: with tools and documents none, special tokens as variables, and
  // `variables` in front of them (its chat_template_kwargs). Throws
  // ConfigError "WHERE line N: " and what raise_exception() says or what went wrong.
  RenderedChat render(const ChatInputs& inputs) const;

  bool marks_generation() const;  // has {% generation %} blocks
  const std::string& where() const;

 private:
  std::shared_ptr<const jinja::Template> template_;
};

}  // namespace argosy
