// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// UTF-8: what text files and tokenizers speak.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace argosy {

// How many bytes at the beginning of `text` are whole, valid characters: all of them, or up to the
// first that is not (Unicode 15, table 3-7: no overlong forms, no surrogates).
size_t valid_utf8_bytes(std::string_view text);

// Bytes of the character that begins at text[0], which must be valid and not empty.
size_t first_character_bytes(std::string_view text);

// One character as its bytes. `code_point` is below 0x110000 and no surrogate.
std::string encode_utf8(char32_t code_point);

// How many bytes at the end of `text` are the beginning of a character that may yet become whole.
size_t unfinished_bytes(std::string_view text);

}  // namespace argosy
