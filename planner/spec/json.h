// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Strict reading of JSON: every error names the file, the key, the value and what was expected;
// keys that nobody asked for can be listed. For .cpp files only: the JSON library is slow to
// compile, so no other header includes this one.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace argosy {

using Json = nlohmann::ordered_json;  // keeps the order of keys: files read as they were written

// // and /* */ comments are allowed, duplicate keys are not. Throws ConfigError naming `where` (the
// file), line and column.
Json parse_json(std::string_view text, const std::string& where);

// One JSON object. Getters throw ConfigError when the key is missing, null or of another type; the
// ones with a `fallback` return it for a missing or null key. Integers may be written as 80e9.
// The Json must outlive the object.
class JsonObject {
 public:
  // Throws ConfigError unless `value` is an object. `prefix` names it inside the file ("rope.").
  JsonObject(const Json& value, std::string where, std::string prefix = "");

  bool has(const std::string& key) const;  // present and not null; does not mark the key as known
  bool contains(const std::string& key) const { return value_->contains(key); }  // may be null
  std::vector<std::string> keys() const;                                         // of the file

  int64_t integer(const std::string& key);
  int64_t integer(const std::string& key, int64_t fallback);
  uint64_t unsigned_integer(const std::string& key);
  double number(const std::string& key);
  double number(const std::string& key, double fallback);
  bool boolean(const std::string& key);
  bool boolean(const std::string& key, bool fallback);
  std::string text(const std::string& key);
  std::string text(const std::string& key, const std::string& fallback);
  JsonObject object(const std::string& key);
  std::vector<JsonObject> objects(const std::string& key);
  std::vector<int64_t> integers(const std::string& key);
  std::vector<double> numbers(const std::string& key);
  std::vector<std::string> texts(const std::string& key);
  std::vector<std::vector<double>> number_rows(const std::string& key);  // [[1, 2], [3, 4]]
  const Json& value(const std::string& key);                             // of any type

  // As integer() and number(), and greater than zero.
  int64_t positive_integer(const std::string& key);
  int64_t positive_integer(const std::string& key, int64_t fallback);
  double positive_number(const std::string& key);
  double positive_number(const std::string& key, double fallback);

  void ignore(const std::string& key) { known_.insert(key); }
  // Keys (with their prefix) that no getter asked for, in the order of the file.
  std::vector<std::string> unknown_keys() const;
  // Throws ConfigError naming the unknown keys and those that are valid here.
  void reject_unknown_keys() const;

  // ConfigError "file: key: what, found VALUE".
  [[noreturn]] void fail(const std::string& key, const std::string& what) const;
  const std::string& where() const { return where_; }

 private:
  const Json& get(const std::string& key);
  const Json& array(const std::string& key, const char* expected);

  const Json* value_;
  std::string where_, prefix_;
  std::set<std::string> known_;
};

}  // namespace argosy
