// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Numbers and strings in the text of a template.
#pragma once

#include <string>
#include <string_view>

namespace argosy::jinja {

inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

struct NumberText {
  size_t size;  // bytes, underscores between digits included
  bool is_float;
};
// The number that a text begins with; its first character is a digit. `is_index`: behind a dot,
// where digits alone are meant.
NumberText scan_number(std::string_view text, bool is_index);

// What stands between the quotes of a string, with Python's escapes resolved; unknown ones stay.
// TemplateFault: an escape that is no character.
std::string without_escapes(std::string_view text);

}  // namespace argosy::jinja
