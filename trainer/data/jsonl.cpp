// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Documents as JSON objects, one a line, packed one after the other into one stream.
#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "planner/spec/check.h"
#include "trainer/data/data_file.h"
#include "trainer/data/sources.h"

namespace argosy {

namespace {

using nlohmann::json;

// What the rows of a file hold, all of them alike.
enum class Rows { none, text, tokens };

class JsonlTokens : public TokenSource {
 public:
  int64_t num_tokens() const override { return static_cast<int64_t>(tokens_.size()); }
  int32_t token(int64_t index) const override { return tokens_[static_cast<size_t>(index)]; }
  bool is_target(int64_t index) const override { return is_target_[static_cast<size_t>(index)]; }
  int32_t max_token() const override { return max_token_; }
  int32_t end_of_text() const override { return rows_ == Rows::text ? kEndOfText : -1; }

  void begin_row(Rows rows, const std::string& where) {
    if (rows_ != Rows::none && rows_ != rows) {
      throw ConfigError(concat(where, ": `input_ids` and text in one file; valid: one of them"));
    }
    rows_ = rows;
  }
  void append(std::string_view text, bool is_target) {
    for (const char c : text) append(static_cast<unsigned char>(c), is_target);
  }
  void append(int32_t token, bool is_target) {
    tokens_.push_back(token);
    is_target_.push_back(is_target);
    max_token_ = std::max(max_token_, token);
  }

 private:
  Rows rows_ = Rows::none;
  std::vector<int32_t> tokens_;  // (num_tokens)
  std::vector<bool> is_target_;  // (num_tokens)
  int32_t max_token_ = 0;
};

const std::string& text_of(const json& object, const char* key, const std::string& where) {
  const json& value = object.at(key);
  if (!value.is_string()) {
    throw ConfigError(concat(where, ": `", key, "` is ", value.type_name(), ", must be a string"));
  }
  return value.get_ref<const std::string&>();
}

// Whole numbers from `least` on, as many as `count` where that is said.
std::vector<int32_t> numbers_of(const json& object, const char* key, int32_t least,
                                std::optional<size_t> count, const std::string& where) {
  const json& value = object.at(key);
  if (!value.is_array() || (count && value.size() != *count)) {
    throw ConfigError(concat(
        where, ": `", key, "` must be a list of ",
        count ? concat(*count, " numbers, as many as `input_ids`") : std::string("numbers")));
  }
  std::vector<int32_t> numbers;
  numbers.reserve(value.size());
  for (const json& number : value) {
    const bool is_whole = number.is_number_integer();
    const int64_t n = is_whole ? number.get<int64_t>() : 0;
    if (!is_whole || n < least || n > std::numeric_limits<int32_t>::max()) {
      throw ConfigError(concat(where, ": `", key, "`[", numbers.size(), "] is ", number.dump(),
                               ", must be a whole number of at least ", least));
    }
    numbers.push_back(static_cast<int32_t>(n));
  }
  return numbers;
}

// Tokens of another tokenizer, as Hugging Face's datasets hold them: what `labels` has as -100 is
// not predicted (the trainer shifts, so that a label is the token of its own place), what
// `attention_mask` has as 0 is padding. The first token of a row follows from nothing.
void append_tokens(const json& object, const std::string& where, JsonlTokens& stream) {
  constexpr int32_t kIgnored = -100;
  const std::vector<int32_t> ids = numbers_of(object, "input_ids", 0, std::nullopt, where);
  const auto beside = [&](const char* key, int32_t least) {
    return object.contains(key) ? numbers_of(object, key, least, ids.size(), where)
                                : std::vector<int32_t>();
  };
  const std::vector<int32_t> labels = beside("labels", kIgnored);
  const std::vector<int32_t> mask = beside("attention_mask", 0);
  bool is_first = true;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (!mask.empty() && mask[i] == 0) continue;
    const bool is_ignored = !labels.empty() && labels[i] == kIgnored;
    if (!labels.empty() && !is_ignored && labels[i] != ids[i]) {
      throw ConfigError(concat(where, ": `labels`[", i, "] is ", labels[i], ", but `input_ids`[", i,
                               "] is ", ids[i],
                               "; valid: the same, or -100 where nothing is "
                               "predicted"));
    }
    stream.append(ids[i], !is_first && !is_ignored);
    is_first = false;
  }
}

void append_document(const json& object, const std::string& where, JsonlTokens& stream) {
  if (!object.is_object()) {
    throw ConfigError(concat(where, ": is ", object.type_name(), ", must be a JSON object"));
  }
  const bool has_text = object.contains("text"), has_tokens = object.contains("input_ids");
  const bool has_pair = object.contains("prompt") && object.contains("completion");
  if (has_text + has_pair + has_tokens != 1) {
    throw ConfigError(
        concat(where, ": must have either `text`, or `prompt` and `completion`, or `input_ids`",
               object.contains("messages")
                   ? "; `messages` needs a tokenizer's template: give `input_ids` and `labels`"
                   : ""));
  }
  stream.begin_row(has_tokens ? Rows::tokens : Rows::text, where);
  if (has_tokens) return append_tokens(object, where, stream);
  if (has_text) {
    stream.append(text_of(object, "text", where), true);
  } else {
    stream.append(text_of(object, "prompt", where), false);
    stream.append(text_of(object, "completion", where), true);
  }
  stream.append(kEndOfText, true);
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
