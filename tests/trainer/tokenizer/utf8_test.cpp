// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/tokenizer/utf8.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace argosy {
namespace {

// The first and the last character of every length, and those beside the surrogates.
TEST(Utf8, CharactersAreAsLongAsTheirBytesSay) {
  const std::vector<std::pair<char32_t, size_t>> characters = {
      {0x01, 1},   {0x7f, 1},   {0x80, 2},   {0x7ff, 2},   {0x800, 3},
      {0xd7ff, 3}, {0xe000, 3}, {0xffff, 3}, {0x10000, 4}, {0x10ffff, 4}};
  for (const auto& [code_point, size] : characters) {
    const std::string bytes = encode_utf8(code_point);
    EXPECT_EQ(bytes.size(), size);
    EXPECT_EQ(first_character_bytes(bytes), size);
    EXPECT_EQ(valid_utf8_bytes(bytes + "a"), size + 1);
    EXPECT_EQ(valid_utf8_bytes("long ascii " + bytes.substr(0, size - 1)), 11u);
  }
}

// What a stream of tokens must hold back: a character that has begun.
TEST(Utf8, BeginningsOfCharactersAreUnfinished) {
  const std::string ship = encode_utf8(0x1f6a2);
  EXPECT_EQ(unfinished_bytes(""), 0u);
  EXPECT_EQ(unfinished_bytes("a"), 0u);
  EXPECT_EQ(unfinished_bytes("a" + ship), 0u);
  for (size_t bytes = 1; bytes < ship.size(); ++bytes) {
    EXPECT_EQ(unfinished_bytes("a" + ship.substr(0, bytes)), bytes);
  }
  EXPECT_EQ(unfinished_bytes("a" + encode_utf8(0xfffd)), 0u);
  EXPECT_EQ(unfinished_bytes("a\x80"), 0u);  // nothing that has begun: it will not become one
}

}  // namespace
}  // namespace argosy
