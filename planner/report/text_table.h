// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Columns of text, aligned. ASCII only.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace argosy {

inline constexpr size_t kTextColumns = 100;  // that no line of text exceeds where words allow it

enum class Align { left, right };

struct TextTable {
  std::vector<std::string> header;
  std::vector<Align> align;  // [header.size()]
  std::vector<std::vector<std::string>> rows;
};

// Without rows yet: labels on the left, numbers on the right.
TextTable labelled_table(std::vector<std::string> header);

// Lines with two blanks between columns; no blanks at their ends.
std::string to_text(const TextTable& table);

// `text` in lines of at most `width` characters, continued lines indented; words longer than a line
// stay whole.
std::string wrap(const std::string& text, size_t width, const std::string& indent);

}  // namespace argosy
