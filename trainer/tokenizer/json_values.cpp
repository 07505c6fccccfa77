// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/tokenizer/json_values.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "planner/spec/check.h"

namespace argosy {

using nlohmann::json;

namespace {

std::string joined(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

}  // namespace

bool JsonPlace::is_null() const {
  return value == nullptr || value->is_null();
}

bool JsonPlace::contains(const std::string& key) const {
  return !at_or_null(key).is_null();
}

JsonPlace JsonPlace::at_or_null(const std::string& key) const {
  if (is_null() || !value->is_object()) fail("an object");
  const auto found = value->find(key);
  return {found == value->end() ? nullptr : &*found, where, joined(path, key)};
}

JsonPlace JsonPlace::at(const std::string& key) const {
  JsonPlace place = at_or_null(key);
  if (place.is_null()) throw ConfigError(concat(where, ": ", place.path, " is missing"));
  return place;
}

void JsonPlace::fail(const std::string& expected) const {
  constexpr size_t kShown = 60;  // characters of a wrong value
  std::string found = is_null() ? "null" : value->dump();
  if (found.size() > kShown) found = found.substr(0, kShown) + "...";
  throw ConfigError(concat(where, ": ", path.empty() ? "the file" : path, " must be ", expected,
                           ", found ", found));
}

json parse_json_text(std::string_view text, const std::string& where) {
  try {
    return json::parse(text);
  } catch (const json::exception& error) {
    throw ConfigError(concat(where, ": not valid JSON: ", error.what()));
  }
}

std::string text_of(const JsonPlace& object, const std::string& key) {
  const JsonPlace place = object.at(key);
  if (!place.value->is_string()) place.fail("a string");
  return place.value->get<std::string>();
}

std::string text_of(const JsonPlace& object, const std::string& key, const std::string& fallback) {
  return object.contains(key) ? text_of(object, key) : fallback;
}

bool flag_of(const JsonPlace& object, const std::string& key, bool fallback) {
  const JsonPlace place = object.at_or_null(key);
  if (place.is_null()) return fallback;
  if (!place.value->is_boolean()) place.fail("true or false");
  return place.value->get<bool>();
}

int32_t whole_number(const JsonPlace& place) {
  const bool is_whole = !place.is_null() && place.value->is_number_integer();
  const int64_t number = is_whole ? place.value->get<int64_t>() : -1;
  if (number < 0 || number > std::numeric_limits<int32_t>::max()) {
    place.fail("a whole number from 0 on");
  }
  return static_cast<int32_t>(number);
}

int32_t whole_of(const JsonPlace& object, const std::string& key) {
  return whole_number(object.at(key));
}

std::vector<JsonPlace> items_of(const JsonPlace& object, const std::string& key) {
  const JsonPlace list = object.at(key);
  if (!list.value->is_array()) list.fail("a list");
  std::vector<JsonPlace> items;
  items.reserve(list.value->size());
  for (const json& item : *list.value) {
    items.push_back({&item, list.where, concat(list.path, "[", items.size(), "]")});
  }
  return items;
}

}  // namespace argosy
