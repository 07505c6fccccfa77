// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/chat/chat_template.h"

#include <limits>

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
  return values;
}

}  // namespace

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
    throw ConfigError(concat("messages or tools: ", fault.what()));
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
