// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/chat/chat_template.h"

#include <array>
#include <limits>
#include <string_view>

#include "planner/spec/check.h"
#include "trainer/chat/template_eval.h"
#include "trainer/chat/template_parser.h"

namespace argosy {

namespace {

using jinja::Value;

Value value_of(const Json& json, int level);

Value list_of(const Json& json, int level) {
  std::vector<Value> items;
  items.reserve(json.size());
  for (const Json& item : json) items.push_back(value_of(item, level + 1));
  return jinja::make_sequence(std::move(items));
}

Value dict_of(const Json& json, int level) {
  std::vector<std::pair<Value, Value>> entries;
  entries.reserve(json.size());
  for (const auto& [key, value] : json.items()) {
    entries.emplace_back(jinja::make_text(key), value_of(value, level + 1));
  }
  return jinja::make_dict(std::move(entries));
}

Value value_of(const Json& json, int level) {
  if (level > jinja::kMaxValueDepth) {
    throw jinja::TemplateFault(
        concat("lists and objects stand in each other more than ", jinja::kMaxValueDepth, " deep"));
  }
  switch (json.type()) {
    case Json::value_t::object:
      return dict_of(json, level);
    case Json::value_t::array:
      return list_of(json, level);
    case Json::value_t::string:
      return jinja::make_text(json.get_ref<const std::string&>());
    case Json::value_t::boolean:
      return {json.get<bool>()};
    case Json::value_t::number_float:
      return {json.get<double>()};
    case Json::value_t::number_integer:
      return {json.get<int64_t>()};
    case Json::value_t::number_unsigned:
      if (json.get<uint64_t>() > std::numeric_limits<int64_t>::max()) {
        throw jinja::TemplateFault(concat(json.dump(), " is beyond 64 bits"));
      }
      return {json.get<int64_t>()};
    case Json::value_t::null:
    case Json::value_t::binary:
    case Json::value_t::discarded:
      break;
  }
  return {jinja::None{}};
}

jinja::RenderInputs render_inputs(const ChatInputs& inputs) {
  jinja::RenderInputs values;
  values.now = inputs.now;
  for (const auto& [name, text] : inputs.tokens) {
    values.variables.emplace_back(name, jinja::make_text(text));
  }
  values.variables.emplace_back("messages", value_of(inputs.messages, 0));
  values.variables.emplace_back("tools", value_of(inputs.tools, 0));
  values.variables.emplace_back("documents", Value{jinja::None{}});
  values.variables.emplace_back("add_generation_prompt", Value{inputs.add_generation_prompt});
  for (const auto& [name, value] : inputs.variables.items()) {
    values.variables.emplace_back(name, value_of(value, 0));
  }
  return values;
}

// What the conversation itself says.
constexpr std::array<std::string_view, 3> kOwnVariables = {"messages", "tools",
                                                           "add_generation_prompt"};

}  // namespace

void check_chat_variables(const Json& variables) {
  if (!variables.is_object()) {
    throw ConfigError(concat("is ", variables.type_name(),
                             ", must be a JSON object, as {\"enable_thinking\": false}"));
  }
  for (const std::string_view own : kOwnVariables) {
    if (!variables.contains(own)) continue;
    throw ConfigError(concat("`", own, "` is no variable of its own: the conversation has it"));
  }
}

Json parse_chat_variables(const std::string& text) {
  Json variables = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (variables.is_discarded()) {
    throw ConfigError(concat("'", text, "' is not valid JSON; valid: an object, as ",
                             "{\"enable_thinking\": false}"));
  }
  check_chat_variables(variables);
  return variables;
}

ChatTemplate::ChatTemplate(const std::string& source, const std::string& where)
    : template_(std::make_shared<const jinja::Template>(jinja::parse_template(source, where))) {}

RenderedChat ChatTemplate::render(const ChatInputs& inputs) const {
  if (!inputs.messages.is_array()) {
    throw ConfigError(concat("messages: is ", inputs.messages.type_name(), ", must be a list"));
  }
  jinja::RenderInputs values;
  try {
    values = render_inputs(inputs);
  } catch (const jinja::TemplateFault& fault) {
    throw ConfigError(concat("messages, tools or variables: ", fault.what()));
  }
  jinja::Rendering rendering = jinja::render(*template_, values);
  RenderedChat chat{std::move(rendering.text), {}};
  chat.generation.reserve(rendering.generation.size());
  for (const auto& [begin, end] : rendering.generation) chat.generation.push_back({begin, end});
  return chat;
}

bool ChatTemplate::marks_generation() const {
  return template_->marks_generation;
}
const std::string& ChatTemplate::where() const {
  return template_->where;
}

}  // namespace argosy
