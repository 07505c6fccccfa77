// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/json.h"

#include <algorithm>
#include <cmath>

#include "planner/spec/check.h"

namespace argosy {

namespace {

// Integers up to 2^53 survive a double.
constexpr double kLargestExactInteger = 9007199254740992.0;

// The beginning of what was found: nobody looks for a mistake in a page of JSON.
std::string shortened(const Json& value) {
  constexpr size_t kMost = 60;
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true);
  if (text.size() > kMost) text.replace(kMost - 3, std::string::npos, "...");
  return text;
}

// "line 3, column 7" of a byte offset that counts from 1.
std::string position(std::string_view text, size_t byte) {
  const std::string_view before = text.substr(0, std::min(byte > 0 ? byte - 1 : 0, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t line_begin = before.rfind('\n') + 1;  // npos + 1 == 0
  return concat("line ", line, ", column ", before.size() - line_begin + 1, " (byte ", byte, ")");
}

// The library's message behind its own prefix "[json.exception...] parse error at line 1, ...: ".
std::string reason(const std::string& what) {
  const size_t colon = what.find(": ");
  return colon == std::string::npos ? what : what.substr(colon + 2);
}

// What people take over from JavaScript.
std::string comma_hint(std::string_view text, size_t byte) {
  if (byte == 0 || byte > text.size() || (text[byte - 1] != '}' && text[byte - 1] != ']'))
    return "";
  const size_t before = text.substr(0, byte - 1).find_last_not_of(" \t\r\n");
  const bool is_comma = before != std::string_view::npos && text[before] == ',';
  return is_comma ? "; valid: without the comma before the closing bracket" : "";
}

bool is_integer(const Json& value) {
  if (value.is_number_integer()) {
    return !value.is_number_unsigned() || value.get<uint64_t>() <= uint64_t{INT64_MAX};
  }
  return value.is_number_float() && std::nearbyint(value.get<double>()) == value.get<double>() &&
         std::abs(value.get<double>()) <= kLargestExactInteger;
}

int64_t to_integer(const Json& value) {
  return value.is_number_float() ? static_cast<int64_t>(value.get<double>()) : value.get<int64_t>();
}

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
  std::vector<std::set<std::string>> seen;  // keys of each open object
  const auto check_duplicates = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) seen.emplace_back();
    if (event == Json::parse_event_t::object_end) seen.pop_back();
    if (event == Json::parse_event_t::key &&
        !seen.back().insert(parsed.get<std::string>()).second) {
      throw ConfigError(concat(where, ": key '", parsed.get<std::string>(), "' appears twice"));
    }
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), check_duplicates, /*allow_exceptions=*/true,
                       /*ignore_comments=*/true);
  } catch (const Json::parse_error& error) {
    throw ConfigError(concat(where, ": not valid JSON at ", position(text, error.byte), ": ",
                             reason(error.what()), comma_hint(text, error.byte)));
  } catch (const Json::exception& error) {  // a number that no double holds
    throw ConfigError(concat(where, ": not valid JSON: ", error.what()));
  }
}

JsonObject::JsonObject(const Json& value, std::string where, std::string prefix)
    : value_(&value), where_(std::move(where)), prefix_(std::move(prefix)) {
  if (!value.is_object()) {
    const std::string name = prefix_.empty() ? "" : ": " + prefix_.substr(0, prefix_.size() - 1);
    throw ConfigError(concat(where_, name, ": expected an object {...}, found ", shortened(value)));
  }
}

bool JsonObject::has(const std::string& key) const {
  const auto found = value_->find(key);
  return found != value_->end() && !found->is_null();
}

std::vector<std::string> JsonObject::keys() const {
  std::vector<std::string> names;
  for (const auto& [key, ignored] : value_->items()) names.push_back(key);
  return names;
}

void JsonObject::fail(const std::string& key, const std::string& what) const {
  const auto found = value_->find(key);
  if (found == value_->end()) {
    throw ConfigError(concat(where_, ": ", prefix_, key, ": ", what, ", but the key is missing"));
  }
  throw ConfigError(concat(where_, ": ", prefix_, key, ": ", what, ", found ", shortened(*found)));
}

const Json& JsonObject::get(const std::string& key) {
  static const Json kNull;
  known_.insert(key);
  const auto found = value_->find(key);
  return found == value_->end() ? kNull : *found;
}

const Json& JsonObject::value(const std::string& key) {
  const Json& found = get(key);
  if (!has(key)) fail(key, "expected a value");
  return found;
}

int64_t JsonObject::integer(const std::string& key) {
  const Json& found = get(key);
  if (!is_integer(found)) fail(key, "expected an integer");
  return to_integer(found);
}

int64_t JsonObject::integer(const std::string& key, int64_t fallback) {
  return get(key).is_null() ? fallback : integer(key);
}

uint64_t JsonObject::unsigned_integer(const std::string& key) {
  const Json& found = get(key);
  if (!found.is_number_unsigned()) fail(key, "expected an integer that is not negative");
  return found.get<uint64_t>();
}

double JsonObject::number(const std::string& key) {
  const Json& found = get(key);
  if (!found.is_number()) fail(key, "expected a number");
  return found.get<double>();
}

double JsonObject::number(const std::string& key, double fallback) {
  return get(key).is_null() ? fallback : number(key);
}

bool JsonObject::boolean(const std::string& key) {
  const Json& found = get(key);
  if (!found.is_boolean()) fail(key, "expected true or false");
  return found.get<bool>();
}

bool JsonObject::boolean(const std::string& key, bool fallback) {
  return get(key).is_null() ? fallback : boolean(key);
}

std::string JsonObject::text(const std::string& key) {
  const Json& found = get(key);
  if (!found.is_string()) fail(key, "expected a string");
  return found.get<std::string>();
}

std::string JsonObject::text(const std::string& key, const std::string& fallback) {
  return get(key).is_null() ? fallback : text(key);
}

JsonObject JsonObject::object(const std::string& key) {
  const Json& found = get(key);
  if (!found.is_object()) fail(key, "expected an object {...}");
  return JsonObject(found, where_, prefix_ + key + ".");
}

const Json& JsonObject::array(const std::string& key, const char* expected) {
  const Json& found = get(key);
  if (!found.is_array()) fail(key, expected);
  return found;
}

std::vector<JsonObject> JsonObject::objects(const std::string& key) {
  std::vector<JsonObject> result;
  for (const Json& element : array(key, "expected a list of objects")) {
    result.emplace_back(element, where_, concat(prefix_, key, "[", result.size(), "]."));
  }
  return result;
}

std::vector<int64_t> JsonObject::integers(const std::string& key) {
  std::vector<int64_t> result;
  for (const Json& element : array(key, "expected a list of integers")) {
    if (!is_integer(element)) fail(key, "expected a list of integers");
    result.push_back(to_integer(element));
  }
  return result;
}

std::vector<double> JsonObject::numbers(const std::string& key) {
  std::vector<double> result;
  for (const Json& element : array(key, "expected a list of numbers")) {
    if (!element.is_number()) fail(key, "expected a list of numbers");
    result.push_back(element.get<double>());
  }
  return result;
}

std::vector<std::string> JsonObject::texts(const std::string& key) {
  std::vector<std::string> result;
  for (const Json& element : array(key, "expected a list of strings")) {
    if (!element.is_string()) fail(key, "expected a list of strings");
    result.push_back(element.get<std::string>());
  }
  return result;
}

std::vector<std::vector<double>> JsonObject::number_rows(const std::string& key) {
  std::vector<std::vector<double>> result;
  for (const Json& row : array(key, "expected a list of lists of numbers")) {
    if (!row.is_array()) fail(key, "expected a list of lists of numbers");
    std::vector<double>& numbers = result.emplace_back();
    for (const Json& element : row) {
      if (!element.is_number()) fail(key, "expected a list of lists of numbers");
      numbers.push_back(element.get<double>());
    }
  }
  return result;
}

int64_t JsonObject::positive_integer(const std::string& key) {
  const Json& found = get(key);
  if (!is_integer(found) || to_integer(found) < 1) fail(key, "expected an integer of at least 1");
  return to_integer(found);
}

int64_t JsonObject::positive_integer(const std::string& key, int64_t fallback) {
  return get(key).is_null() ? fallback : positive_integer(key);
}

double JsonObject::positive_number(const std::string& key) {
  const Json& found = get(key);
  if (!found.is_number() || !(found.get<double>() > 0)) fail(key, "expected a number above 0");
  return found.get<double>();
}

double JsonObject::positive_number(const std::string& key, double fallback) {
  return get(key).is_null() ? fallback : positive_number(key);
}

std::vector<std::string> JsonObject::unknown_keys() const {
  std::vector<std::string> unknown;
  for (const auto& [key, ignored] : value_->items()) {
    if (!known_.contains(key)) unknown.push_back(prefix_ + key);
  }
  return unknown;
}

void JsonObject::reject_unknown_keys() const {
  const std::vector<std::string> unknown = unknown_keys();
  if (unknown.empty()) return;
  std::string valid;
  for (const std::string& key : known_) append_listed(valid, prefix_, key);
  throw ConfigError(concat(where_, ": ", unknown.front(), ": unknown key; valid: ", valid));
}

}  // namespace argosy
