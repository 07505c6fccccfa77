// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Documents as JSON objects, one a line, packed one after the other into one stream.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "planner/spec/check.h"
#include "trainer/data/data_file.h"
#include "trainer/data/sources.h"

namespace argosy {

namespace {

using nlohmann::json;

class JsonlTokens : public TokenSource {
 public:
  int64_t num_tokens() const override { return static_cast<int64_t>(tokens_.size()); }
  int32_t token(int64_t index) const override { return tokens_[static_cast<size_t>(index)]; }
  bool is_target(int64_t index) const override { return is_target_[static_cast<size_t>(index)]; }
  int32_t max_token() const override { return kEndOfText; }
  int32_t end_of_text() const override { return kEndOfText; }

  void append(std::string_view text, bool is_target) {
    for (const char c : text) append(static_cast<unsigned char>(c), is_target);
  }
  void append(uint16_t token, bool is_target) {
    tokens_.push_back(token);
    is_target_.push_back(is_target);
  }

 private:
  std::vector<uint16_t> tokens_;  // (num_tokens): bytes and end of text
  std::vector<bool> is_target_;   // (num_tokens)
};

const std::string& text_of(const json& object, const char* key, const std::string& where) {
  const json& value = object.at(key);
  if (!value.is_string()) {
    throw ConfigError(concat(where, ": `", key, "` is ", value.type_name(), ", must be a string"));
  }
  return value.get_ref<const std::string&>();
}

void append_document(const json& object, const std::string& where, JsonlTokens& stream) {
  if (!object.is_object()) {
    throw ConfigError(concat(where, ": is ", object.type_name(), ", must be a JSON object"));
  }
  const bool has_text = object.contains("text");
  const bool has_pair = object.contains("prompt") && object.contains("completion");
  if (has_text == has_pair) {
    throw ConfigError(
        concat(where, ": must have either `text`, or `prompt` and `completion`",
               object.contains("messages") ? "; `messages` is not supported yet" : ""));
  }
  if (has_text) {
    stream.append(text_of(object, "text", where), true);
  } else {
    stream.append(text_of(object, "prompt", where), false);
    stream.append(text_of(object, "completion", where), true);
  }
  stream.append(static_cast<uint16_t>(kEndOfText), true);
}

}  // namespace

std::unique_ptr<TokenSource> open_jsonl(const std::filesystem::path& path) {
  const DataFile file(path);
  std::string_view rest(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  auto stream = std::make_unique<JsonlTokens>();
  for (int64_t line_number = 1; !rest.empty(); ++line_number) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = concat("data file ", path, " line ", line_number);
    json object;
    try {
      object = json::parse(line);
    } catch (const json::exception& error) {
      throw ConfigError(concat(where, ": not valid JSON: ", error.what()));
    }
    append_document(object, where, *stream);
  }
  if (stream->num_tokens() == 0) throw ConfigError(concat("data file ", path, ": is empty"));
  return stream;
}

}  // namespace argosy
