// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/tokenizer/byte_level.h"

#include <array>
#include <unordered_map>

#include "trainer/tokenizer/utf8.h"

namespace argosy {

namespace {

constexpr int kNumBytes = 256;

constexpr bool is_visible(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

// Code point of each byte: those that are not visible are counted on from 256.
constexpr std::array<char32_t, kNumBytes> code_points() {
  std::array<char32_t, kNumBytes> points = {};
  char32_t next = kNumBytes;
  for (int byte = 0; byte < kNumBytes; ++byte) {
    points[static_cast<size_t>(byte)] = is_visible(byte) ? static_cast<char32_t>(byte) : next++;
  }
  return points;
}
constexpr std::array<char32_t, kNumBytes> kCodePoints = code_points();

std::unordered_map<std::string, char> bytes_by_character() {
  std::unordered_map<std::string, char> bytes;
  for (size_t byte = 0; byte < kNumBytes; ++byte) {
    bytes.emplace(encode_utf8(kCodePoints[byte]), static_cast<char>(byte));
  }
  return bytes;
}

}  // namespace

std::string byte_level_character(unsigned char byte) {
  return encode_utf8(kCodePoints[byte]);
}

std::optional<std::string> bytes_of_byte_level(std::string_view token) {
  static const std::unordered_map<std::string, char> bytes_of = bytes_by_character();
  std::string bytes;
  while (!token.empty()) {
    const size_t size = first_character_bytes(token);
    const auto byte = bytes_of.find(std::string(token.substr(0, size)));
    if (byte == bytes_of.end()) return std::nullopt;
    bytes += byte->second;
    token.remove_prefix(size);
  }
  return bytes;
}

}  // namespace argosy
