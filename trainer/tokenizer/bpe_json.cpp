// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/tokenizer/bpe_json.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "planner/spec/check.h"
#include "trainer/tokenizer/byte_level.h"

namespace argosy {

namespace {

using nlohmann::json;

// Ids beyond it would be memory for nothing: a table of texts has an entry for each id.
constexpr int32_t kMostIds = 1 << 24;

void set_text(TokenizerRules& rules, int32_t id, const std::string& text, const JsonPlace& place) {
  if (id >= kMostIds) place.fail(concat("an id below ", kMostIds));
  const auto index = static_cast<size_t>(id);
  if (rules.texts.size() <= index) rules.texts.resize(index + 1);
  rules.texts[index] = text;
}

// Tokens by what they stand for: those of byte-level files by their bytes. Added tokens of such a
// file may hold other characters; no text becomes one of them by merges.
void read_vocab(const JsonPlace& vocab, TokenizerRules& rules) {
  if (!vocab.value->is_object()) vocab.fail("an object of tokens and their ids");
  rules.bpe.ids.reserve(vocab.value->size());
  for (const auto& [text, id] : vocab.value->items()) {
    const JsonPlace place{&id, vocab.where, vocab.path + "." + text};
    const int32_t token = whole_number(place);
    set_text(rules, token, text, place);
    if (!rules.bpe.is_byte_level) {
      rules.bpe.ids.emplace(text, token);
    } else if (const auto bytes = bytes_of_byte_level(text)) {
      rules.bpe.ids.emplace(*bytes, token);
    }
  }
}

// The token of each byte: of the byte itself, or of <0x0A> where a file asks for that.
void read_byte_ids(bool falls_back, TokenizerRules& rules) {
  rules.bpe.byte_ids.fill(-1);
  if (!rules.bpe.is_byte_level && !falls_back) return;
  for (size_t byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(byte));
    const std::string text =
        rules.bpe.is_byte_level ? std::string(1, static_cast<char>(byte)) : std::string(name);
    const auto id = rules.bpe.ids.find(text);
    if (id != rules.bpe.ids.end()) rules.bpe.byte_ids[byte] = id->second;
  }
}

int32_t vocabulary_id(const TokenizerRules& rules, const std::string& bytes,
                      const std::string& written, const JsonPlace& place) {
  const auto id = rules.bpe.ids.find(bytes);
  if (id == rules.bpe.ids.end())
    place.fail(concat("made of the vocabulary's tokens, and `", written, "` is none"));
  return id->second;
}

void add_merge(const std::string& left, const std::string& right, const JsonPlace& place,
               TokenizerRules& rules) {
  const auto bytes_of = [&](const std::string& text) {
    return rules.bpe.is_byte_level ? bytes_of_byte_level(text).value_or(text) : text;
  };
  const std::string left_bytes = bytes_of(left), right_bytes = bytes_of(right);
  const int32_t left_id = vocabulary_id(rules, left_bytes, left, place),
                right_id = vocabulary_id(rules, right_bytes, right, place),
                merged = vocabulary_id(rules, left_bytes + right_bytes, left + right, place);
  const auto rank = static_cast<int32_t>(rules.bpe.merges.size());
  rules.bpe.merges.emplace(pair_key(left_id, right_id), BpeMerge{rank, merged});
}

// "left right"; no token holds a blank in either kind of file.
void add_merge_line(const std::string& line, const JsonPlace& place, TokenizerRules& rules) {
  const size_t blank = line.find(' ');
  if (blank == std::string::npos || line.find(' ', blank + 1) != std::string::npos) {
    place.fail("two tokens and a blank between them");
  }
  add_merge(line.substr(0, blank), line.substr(blank + 1), place, rules);
}

void read_merges(const JsonPlace& model, TokenizerRules& rules) {
  const JsonPlace merges = model.at("merges");
  if (!merges.value->is_array()) merges.fail("a list");
  rules.bpe.merges.reserve(merges.value->size());
  for (const json& merge : *merges.value) {
    const JsonPlace place{&merge, merges.where, merges.path};
    if (merge.is_string()) {
      add_merge_line(merge.get<std::string>(), place, rules);
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      add_merge(merge[0].get<std::string>(), merge[1].get<std::string>(), place, rules);
    } else {
      place.fail("pairs of tokens");
    }
  }
}

// The vocabulary's, or an added one.
int32_t unknown_id(const std::string& text, const JsonPlace& place, const TokenizerRules& rules) {
  for (const AddedToken& token : rules.added_tokens) {
    if (token.content == text) return token.id;
  }
  return vocabulary_id(rules, text, text, place);
}

}  // namespace

void read_bpe(const JsonPlace& model, bool is_byte_level, TokenizerRules& rules) {
  const std::string type = text_of(model, "type", "BPE");
  if (type != "BPE") {
    throw ConfigError(concat(model.where, ": model.type is `", type,
                             "`, which is not supported; supported: BPE"));
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!text_of(model, key, "").empty()) {
      throw ConfigError(concat(model.where, ": model.", key, " is `", text_of(model, key),
                               "`, which is not supported; supported: none"));
    }
  }
  BpeModel& bpe = rules.bpe;
  bpe.is_byte_level = is_byte_level;
  read_vocab(model.at("vocab"), rules);
  read_byte_ids(flag_of(model, "byte_fallback", false), rules);
  const std::string unknown = text_of(model, "unk_token", "");
  if (!unknown.empty()) bpe.unknown = unknown_id(unknown, model.at("unk_token"), rules);
  bpe.fuses_unknown = flag_of(model, "fuse_unk", false);
  bpe.ignores_merges = flag_of(model, "ignore_merges", false);
  read_merges(model, rules);
  for (const AddedToken& token : rules.added_tokens) {
    set_text(rules, token.id, token.content, model);
  }
}

void read_vocab_and_merges(const JsonPlace& vocab, std::string_view merges, TokenizerRules& rules) {
  rules.bpe.is_byte_level = true;
  read_vocab(vocab, rules);
  read_byte_ids(false, rules);
  for (int64_t line_number = 1; !merges.empty(); ++line_number) {
    std::string_view line = merges.substr(0, merges.find('\n'));
    merges.remove_prefix(std::min(merges.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || (line_number == 1 && line.starts_with("#version"))) continue;
    const json text(line);
    add_merge_line(std::string(line), {&text, vocab.where, concat("merges.txt line ", line_number)},
                   rules);
  }
  // What GPT-2's tokenizer adds, whatever the files say.
  const auto end_of_text = rules.bpe.ids.find("<|endoftext|>");
  if (end_of_text != rules.bpe.ids.end()) {
    rules.added_tokens.push_back(
        {.content = "<|endoftext|>", .id = end_of_text->second, .is_special = true});
  }
}

}  // namespace argosy
