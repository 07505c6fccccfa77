// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/tokenizer/utf8.h"

#include <cstdint>
#include <cstring>

namespace argosy {

namespace {

constexpr uint8_t kContinuation = 0x80;  // 10xxxxxx

uint8_t byte_at(std::string_view text, size_t index) {
  return index < text.size() ? static_cast<uint8_t>(text[index]) : 0;
}

bool continues(std::string_view text, size_t index) {
  return (byte_at(text, index) & 0xc0) == kContinuation;
}

// Bytes of the valid character at text[0]; 0 if there is none.
size_t valid_character_bytes(std::string_view text) {
  const uint8_t first = byte_at(text, 0), second = byte_at(text, 1);
  if (text.empty() || first < 0x80) return text.empty() ? 0 : 1;
  if (first < 0xc2 || first > 0xf4 || !continues(text, 1)) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) {
    const bool is_overlong = first == 0xe0 && second < 0xa0;
    const bool is_surrogate = first == 0xed && second > 0x9f;
    return is_overlong || is_surrogate || !continues(text, 2) ? 0 : 3;
  }
  const bool is_overlong = first == 0xf0 && second < 0x90;
  const bool is_beyond = first == 0xf4 && second > 0x8f;
  return is_overlong || is_beyond || !continues(text, 2) || !continues(text, 3) ? 0 : 4;
}

// Bytes at the beginning that are ASCII, eight at a time.
size_t ascii_bytes(std::string_view text) {
  size_t i = 0;
  for (uint64_t word; i + sizeof word <= text.size(); i += sizeof word) {
    std::memcpy(&word, text.data() + i, sizeof word);
    if ((word & 0x8080808080808080u) != 0) break;
  }
  while (i < text.size() && byte_at(text, i) < 0x80) ++i;
  return i;
}

}  // namespace

size_t valid_utf8_bytes(std::string_view text) {
  size_t valid = 0;
  while (valid < text.size()) {
    valid += ascii_bytes(text.substr(valid));
    if (valid == text.size()) break;
    const size_t bytes = valid_character_bytes(text.substr(valid));
    if (bytes == 0) break;
    valid += bytes;
  }
  return valid;
}

size_t first_character_bytes(std::string_view text) {
  const uint8_t first = byte_at(text, 0);
  return first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

std::string encode_utf8(char32_t code_point) {
  const auto tail = [code_point](int shift) {
    return static_cast<char>(kContinuation | ((code_point >> shift) & 0x3f));
  };
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  if (code_point < 0x800) return {static_cast<char>(0xc0 | (code_point >> 6)), tail(0)};
  if (code_point < 0x10000) {
    return {static_cast<char>(0xe0 | (code_point >> 12)), tail(6), tail(0)};
  }
  return {static_cast<char>(0xf0 | (code_point >> 18)), tail(12), tail(6), tail(0)};
}

size_t unfinished_bytes(std::string_view text) {
  for (size_t bytes = 1; bytes <= 3 && bytes <= text.size(); ++bytes) {
    const auto first = static_cast<uint8_t>(text[text.size() - bytes]);
    if ((first & 0xc0) == kContinuation) continue;
    return first >= 0xc0 && first_character_bytes(text.substr(text.size() - bytes)) > bytes ? bytes
                                                                                            : 0;
  }
  return 0;
}

}  // namespace argosy
