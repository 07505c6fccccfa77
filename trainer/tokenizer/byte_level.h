// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// GPT-2's way to write bytes as printable characters: in files of byte-level tokenizers a token is
// a word of 256 characters, one a byte (github.com/openai/gpt-2, src/encoder.py, bytes_to_unicode).
// Here tokens are bytes; only files are written so.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace argosy {

// How a file writes `byte`: itself where it is a visible character of Latin-1, else a character
// from U+0100 on.
std::string byte_level_character(unsigned char byte);

// The bytes that a file's `token` stands for; nothing if it holds other characters than the 256.
std::optional<std::string> bytes_of_byte_level(std::string_view token);

}  // namespace argosy
