// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Values as Python writes them.
#pragma once

#include <string>

#include "trainer/chat/template_value.h"

namespace argosy::jinja {

// str(): texts as they are, None, True, 1.0, ['a', {'b': 2}]. TemplateFault for what has no text of
// its own: generators, functions, namespaces.
void append_str(std::string& text, const Value& value);
std::string str(const Value& value);

// json.dumps(). `indent`: what a level is indented by; null: all in one line.
struct JsonStyle {
  const std::string* indent = nullptr;
  std::string item_separator = ", ", key_separator = ": ";
  bool sorts_keys = false, escapes_unicode = false;
};
void append_json(std::string& text, const Value& value, const JsonStyle& style, int level = 0);

}  // namespace argosy::jinja
