// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Texts as Python sees them: sequences of characters, not of bytes. A byte that is no UTF-8 counts
// as a character of its own. Only ASCII letters have an upper and a lower case here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace argosy::jinja {

std::vector<std::string_view> characters(std::string_view text);
int64_t num_characters(std::string_view text);
// The number of the first character of a text that is not empty; `size_bytes` of its bytes are it.
char32_t first_code_point(std::string_view text, size_t& size_bytes);

// What str.isspace() calls white space.
bool is_space(char32_t code_point);
enum class Side { left, right, both };
// Without white space, or without the characters of `what`, at its sides.
std::string_view strip(std::string_view text, Side side);
std::string_view strip(std::string_view text, Side side, std::string_view what);

std::string lower(std::string_view text);
std::string upper(std::string_view text);
std::string capitalize(std::string_view text);

// As str.splitlines(): also at \v, \f, the separators of ASCII and Unicode's line breaks.
std::vector<std::string> split_lines(std::string_view text, bool keep_ends);
// At white space; at most `limit` times, from the left or from the right; negative: no limit.
std::vector<std::string> split_words(std::string_view text, int64_t limit, bool from_right);
std::vector<std::string> split_at(std::string_view text, std::string_view separator, int64_t limit,
                                  bool from_right);
// `limit` occurrences are replaced, negative: all. An empty `what` stands between all characters.
std::string replace(std::string_view text, std::string_view what, std::string_view with,
                    int64_t limit);

// A text in which & < > ' " stand as HTML writes them.
std::string escape_markup(std::string_view text);

}  // namespace argosy::jinja
