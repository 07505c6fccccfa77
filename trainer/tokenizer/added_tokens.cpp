// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/tokenizer/added_tokens.h"

#include <algorithm>
#include <utility>

#include "trainer/tokenizer/utf8.h"

namespace argosy {

namespace {

unsigned char first_byte(const AddedToken& token) {
  return static_cast<unsigned char>(token.content[0]);
}

bool matches(const char* expression, std::string_view character) {
  return !character.empty() && !Pattern(expression, "added tokens").find_all(character).empty();
}

// The characters that end at `end` and begin at `begin`; empty at the text's ends.
std::string_view character_before(std::string_view text, size_t end) {
  size_t begin = end;
  while (begin > 0 && (static_cast<unsigned char>(text[--begin]) & 0xc0) == 0x80) {
  }
  return text.substr(begin, end - begin);
}
std::string_view character_behind(std::string_view text, size_t begin) {
  const std::string_view rest = text.substr(begin);
  return rest.empty() ? rest : rest.substr(0, first_character_bytes(rest));
}

// With the blanks beside it that the token takes, none of them before `least`.
TextRange with_blanks(const AddedToken& token, std::string_view text, TextRange range,
                      size_t least) {
  while (token.strips_left && range.begin > least &&
         matches(R"(\s)", character_before(text, range.begin))) {
    range.begin -= character_before(text, range.begin).size();
  }
  while (token.strips_right && matches(R"(\s)", character_behind(text, range.end))) {
    range.end += character_behind(text, range.end).size();
  }
  return range;
}

}  // namespace

AddedTokenSearch::AddedTokenSearch(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::erase_if(tokens_, [](const AddedToken& token) { return token.content.empty(); });
  std::sort(tokens_.begin(), tokens_.end(), [](const AddedToken& a, const AddedToken& b) {
    return std::pair(first_byte(a), b.content.size()) < std::pair(first_byte(b), a.content.size());
  });
  for (const AddedToken& token : tokens_) ++first_[first_byte(token) + 1u];
  for (size_t byte = 0; byte < 256; ++byte) first_[byte + 1] += first_[byte];
}

const AddedToken* AddedTokenSearch::token_at(std::string_view text, size_t begin) const {
  const auto byte = static_cast<unsigned char>(text[begin]);
  for (uint32_t i = first_[byte]; i < first_[byte + 1u]; ++i) {
    if (text.substr(begin).starts_with(tokens_[i].content)) return &tokens_[i];
  }
  return nullptr;
}

std::vector<TextSegment> AddedTokenSearch::cut(std::string_view text) const {
  std::vector<TextSegment> segments;
  size_t done = 0;  // what lies before it is in `segments`
  const auto append = [&](TextRange range, int32_t token) {
    if (range.begin > done) segments.push_back({{done, range.begin}, -1});
    if (range.size() > 0) segments.push_back({range, token});
    done = range.end;
  };
  for (size_t i = 0; !tokens_.empty() && i < text.size();) {
    const AddedToken* token = token_at(text, i);
    if (token == nullptr) {
      ++i;
      continue;
    }
    const TextRange found{i, i + token->content.size()};
    i = found.end;
    if (token->is_single_word && (matches(R"(\w)", character_before(text, found.begin)) ||
                                  matches(R"(\w)", character_behind(text, found.end)))) {
      continue;
    }
    append(with_blanks(*token, text, found, done), token->id);
    i = std::max(i, done);
  }
  append({text.size(), text.size()}, -1);
  return segments;
}

}  // namespace argosy
