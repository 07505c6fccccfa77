// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/data/conversations.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "planner/spec/check.h"

namespace argosy {

namespace {

// ShareGPT's names of the speakers, as LLaMA-Factory and others write them.
constexpr std::array<std::pair<std::string_view, const char*>, 8> kSpeakers = {
    {{"human", "user"},
     {"user", "user"},
     {"gpt", "assistant"},
     {"chatgpt", "assistant"},
     {"assistant", "assistant"},
     {"system", "system"},
     {"observation", "tool"},
     {"tool", "tool"}}};

std::string text_at(const Json& object, const char* key, const std::string& where) {
  const auto value = object.find(key);
  if (value == object.end() || !value->is_string()) {
    throw ConfigError(concat(where, ": `", key, "` is ",
                             value == object.end() ? "missing" : value->type_name(),
                             ", must be a string"));
  }
  return value->get<std::string>();
}

const Json& list_at(const Json& object, const char* key, const std::string& where) {
  const Json& value = object.at(key);
  if (!value.is_array() || value.empty()) {
    throw ConfigError(concat(where, ": `", key, "` is ",
                             value.is_array() ? "empty" : value.type_name(),
                             ", must be a list of messages"));
  }
  return value;
}

Json message(const char* role, const std::string& content) {
  return {{"role", role}, {"content", content}};
}

void append_messages(const Json& row, const char* key, const std::string& where, Json& messages) {
  const Json& list = list_at(row, key, where);
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string place = concat(where, ": `", key, "`[", i, "]");
    if (!list[i].is_object()) {
      throw ConfigError(concat(place, " is ", list[i].type_name(), ", must be an object"));
    }
    text_at(list[i], "role", place);
    messages.push_back(list[i]);
  }
}

void append_sharegpt(const Json& row, const std::string& where, Json& messages) {
  const Json& list = list_at(row, "conversations", where);
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string place = concat(where, ": `conversations`[", i, "]");
    if (!list[i].is_object()) {
      throw ConfigError(concat(place, " is ", list[i].type_name(), ", must be an object"));
    }
    const std::string from = text_at(list[i], "from", place);
    const auto speaker = std::find_if(kSpeakers.begin(), kSpeakers.end(),
                                      [&](const auto& known) { return known.first == from; });
    if (speaker == kSpeakers.end()) {
      throw ConfigError(concat(place, ": `from` is `", from,
                               "`; valid: human, gpt, system, observation; for calls of functions "
                               "`messages` with tool_calls"));
    }
    messages.push_back(message(speaker->second, text_at(list[i], "value", place)));
  }
}

// history: [["what was asked", "what was answered"], ...]
void append_history(const Json& row, const std::string& where, Json& messages) {
  const auto history = row.find("history");
  if (history == row.end() || history->is_null()) return;
  const auto is_pair = [](const Json& turn) {
    return turn.is_array() && turn.size() == 2 && turn[0].is_string() && turn[1].is_string();
  };
  if (!history->is_array() || !std::all_of(history->begin(), history->end(), is_pair)) {
    throw ConfigError(concat(where, ": `history` must be a list of pairs of strings"));
  }
  for (const Json& turn : *history) {
    messages.push_back(message("user", turn[0].get<std::string>()));
    messages.push_back(message("assistant", turn[1].get<std::string>()));
  }
}

void append_alpaca(const Json& row, const std::string& where, Json& messages) {
  append_history(row, where, messages);
  std::string question = text_at(row, "instruction", where);
  const std::string input = optional_text(row, "input", where);
  if (!input.empty()) question += (question.empty() ? "" : "\n") + input;
  messages.push_back(message("user", question));
  messages.push_back(message("assistant", text_at(row, "output", where)));
}

// A list, or its JSON as text.
Json tools_of(const Json& row, const std::string& where) {
  const auto tools = row.find("tools");
  if (tools == row.end() || tools->is_null()) return nullptr;
  const std::string text = tools->is_string() ? tools->get<std::string>() : "";
  if (tools->is_string() && text.empty()) return nullptr;
  const Json list = tools->is_string() ? parse_json(text, where + ": `tools`") : *tools;
  if (!list.is_array()) throw ConfigError(concat(where, ": `tools` must be a list"));
  return list.empty() ? Json(nullptr) : list;
}

// As TRL has it.
Json variables_of(const Json& row, const std::string& where) {
  const auto variables = row.find("chat_template_kwargs");
  if (variables == row.end() || variables->is_null()) return nullptr;
  try {
    check_chat_variables(*variables);
  } catch (const ConfigError& error) {
    throw ConfigError(concat(where, ": `chat_template_kwargs`: ", error.what()));
  }
  return *variables;
}

}  // namespace

ChatTemplate chat_template_of(const TokenizerFolder& tokenizer) {
  const std::string folder = tokenizer.folder.string();
  if (!tokenizer.chat_template.empty()) {
    return {tokenizer.chat_template, concat("chat template of ", folder)};
  }
  throw ConfigError(
      concat(folder.empty() ? "text is read as bytes" : folder + " has no chat template",
             ", but a conversation needs one; valid: a tokenizer with "
             "chat_template.jinja, or chat_template in its tokenizer_config.json"));
}

Json variables_of(const TokenizerFolder& tokenizer) {
  return tokenizer.chat_variables.empty() ? Json::object()
                                          : parse_chat_variables(tokenizer.chat_variables);
}

std::string optional_text(const Json& row, const char* key, const std::string& where) {
  const auto value = row.find(key);
  return value == row.end() || value->is_null() ? "" : text_at(row, key, where);
}

Conversation conversation_of(const Json& row, const std::string& kind, const std::string& where) {
  Conversation conversation{Json::array(), tools_of(row, where), variables_of(row, where)};
  Json& messages = conversation.messages;
  const std::string system = optional_text(row, "system", where);
  if (!system.empty()) messages.push_back(message("system", system));
  if (kind == "messages") {
    append_messages(row, "messages", where, messages);
  } else if (kind == "conversations") {
    append_sharegpt(row, where, messages);
  } else if (kind == "instruction") {
    append_alpaca(row, where, messages);
    conversation.only_last_turn = true;
  } else {
    CHECK(kind == "prompt", kind);
    append_messages(row, "prompt", where, messages);
    append_messages(row, "completion", where, messages);
    if (row.at("completion").size() != 1) {
      throw ConfigError(concat(where, ": `completion` has ", row.at("completion").size(),
                               " messages; valid: one, the assistant's"));
    }
    conversation.only_last_turn = true;
  }
  return conversation;
}

}  // namespace argosy
