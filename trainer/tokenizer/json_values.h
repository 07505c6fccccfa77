// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Values of a tokenizer's JSON files; errors name file, key and what was found. JsonObject of
// planner/spec keeps the order of keys and so looks through all of them: too slow for a vocabulary.
// For .cpp files only.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace argosy {

// A value and where it stands.
struct JsonPlace {
  const nlohmann::json* value;
  std::string where;  // the file
  std::string path;   // of keys: "model.merges"

  bool is_null() const;
  bool contains(const std::string& key) const;  // and it is not null
  // Throw ConfigError unless this is an object, and at() unless it has the key.
  JsonPlace at(const std::string& key) const;
  JsonPlace at_or_null(const std::string& key) const;
  [[noreturn]] void fail(const std::string& expected) const;
};

// Throws ConfigError naming `where` and the place.
nlohmann::json parse_json_text(std::string_view text, const std::string& where);

// Throw ConfigError where a key is missing or its value is of another type.
std::string text_of(const JsonPlace& object, const std::string& key);
std::string text_of(const JsonPlace& object, const std::string& key, const std::string& fallback);
bool flag_of(const JsonPlace& object, const std::string& key, bool fallback);
int32_t whole_of(const JsonPlace& object, const std::string& key);  // 0 or more
int32_t whole_number(const JsonPlace& place);
std::vector<JsonPlace> items_of(const JsonPlace& object, const std::string& key);

}  // namespace argosy
