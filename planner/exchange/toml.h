// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// TOML (toml.io, v1.0), as job configurations use it.
#pragma once

#include <string>
#include <string_view>

namespace argosy {

// Tables, and keys with strings, integers, floats, booleans and arrays of these, as the text of a
// JSON object of objects. Throws ConfigError "where:LINE: ..." for what is not TOML, keys given
// twice, and what is not supported: dates, inline tables, arrays of tables, strings of several
// lines.
std::string json_of_toml(std::string_view text, const std::string& where);

// What a word is by itself, as JSON: a boolean, a number, else a string.
std::string json_of_word(const std::string& word);

}  // namespace argosy
