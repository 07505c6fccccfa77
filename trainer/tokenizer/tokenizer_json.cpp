// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A tokenizer.json's pipeline; its model is read in bpe_json.cpp.
#include <nlohmann/json.hpp>

#include "planner/spec/check.h"
#include "trainer/tokenizer/bpe_json.h"
#include "trainer/tokenizer/json_values.h"
#include "trainer/tokenizer/tokenizer_rules.h"

namespace argosy {

namespace {

using nlohmann::json;

[[noreturn]] void fail_unknown(const JsonPlace& place, const char* known) {
  throw ConfigError(concat(place.where, ": ", place.path, ".type is `", text_of(place, "type"),
                           "`, which is not supported; supported: ", known));
}

// The steps of a "Sequence" under `key`, of one step alone, or of null.
std::vector<JsonPlace> steps_of(const JsonPlace& place, const char* key) {
  if (place.is_null()) return {};
  if (text_of(place, "type") != "Sequence") return {place};
  std::vector<JsonPlace> steps;
  for (const JsonPlace& item : items_of(place, key)) {
    for (JsonPlace& step : steps_of(item, key)) steps.push_back(std::move(step));
  }
  return steps;
}

// {"String": "..."} or {"Regex": "..."}.
Pattern pattern_of(const JsonPlace& place) {
  const JsonPlace pattern = place.at("pattern");
  const std::string where = concat(place.where, ": ", pattern.path);
  return pattern.contains("Regex") ? Pattern(text_of(pattern, "Regex"), where)
                                   : Pattern::literal(text_of(pattern, "String"), where);
}

ReplaceAll replacement_of(const JsonPlace& place) {
  return {pattern_of(place), text_of(place, "content")};
}

std::vector<NormalizerStep> normalizer_of(const JsonPlace& normalizer) {
  std::vector<NormalizerStep> steps;
  for (const JsonPlace& step : steps_of(normalizer, "normalizers")) {
    const std::string type = text_of(step, "type");
    if (type == "NFC" || type == "NFD" || type == "NFKC" || type == "NFKD") {
      steps.emplace_back(UnicodeForm{type.back() == 'C', type.size() == 4});
    } else if (type == "Prepend") {
      steps.emplace_back(Prepend{text_of(step, "prepend")});
    } else if (type == "Replace") {
      steps.emplace_back(replacement_of(step));
    } else {
      fail_unknown(step, "NFC, NFD, NFKC, NFKD, Prepend, Replace, Sequence");
    }
  }
  return steps;
}

SplitBehavior behavior_of(const JsonPlace& place) {
  const std::string name = text_of(place, "behavior");
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  throw ConfigError(concat(place.where, ": ", place.path, ".behavior is `", name,
                           "`; valid: Isolated, Removed, MergedWithPrevious, MergedWithNext, "
                           "Contiguous"));
}

// Newer files have `prepend_scheme`, older ones `add_prefix_space`.
Metaspace::Prefix metaspace_prefix(const JsonPlace& place) {
  const std::string scheme = text_of(place, "prepend_scheme",
                                     flag_of(place, "add_prefix_space", true) ? "always" : "never");
  if (scheme == "always") return Metaspace::Prefix::always;
  if (scheme == "first") return Metaspace::Prefix::first;
  if (scheme == "never") return Metaspace::Prefix::never;
  throw ConfigError(concat(place.where, ": ", place.path, ".prepend_scheme is `", scheme,
                           "`; valid: always, first, never"));
}

std::vector<PreTokenizerStep> pre_tokenizer_of(const JsonPlace& pre_tokenizer) {
  std::vector<PreTokenizerStep> steps;
  for (const JsonPlace& step : steps_of(pre_tokenizer, "pretokenizers")) {
    const std::string type = text_of(step, "type");
    if (type == "Split") {
      steps.emplace_back(
          Split{pattern_of(step), behavior_of(step), flag_of(step, "invert", false)});
    } else if (type == "Digits") {
      const bool is_individual = flag_of(step, "individual_digits", false);
      steps.emplace_back(Split{Pattern(R"(\p{N})", step.path), is_individual
                                                                   ? SplitBehavior::isolated
                                                                   : SplitBehavior::contiguous});
    } else if (type == "ByteLevel") {
      if (flag_of(step, "add_prefix_space", true)) steps.emplace_back(PrefixSpace{});
      if (flag_of(step, "use_regex", true)) {
        steps.emplace_back(Split{Pattern(kGpt2Pattern, step.path)});
      }
    } else if (type == "Metaspace") {
      steps.emplace_back(make_metaspace(text_of(step, "replacement"), metaspace_prefix(step),
                                        flag_of(step, "split", true)));
    } else {
      fail_unknown(step, "Split, Digits, ByteLevel, Metaspace, Sequence");
    }
  }
  return steps;
}

bool has_byte_level(const JsonPlace& pre_tokenizer) {
  const std::vector<JsonPlace> steps = steps_of(pre_tokenizer, "pretokenizers");
  for (size_t i = 0; i < steps.size(); ++i) {
    if (text_of(steps[i], "type") != "ByteLevel") continue;
    if (i + 1 == steps.size()) return true;
    throw ConfigError(concat(steps[i].where, ": ", steps[i].path,
                             ": steps behind ByteLevel are not supported; valid: it is the last"));
  }
  return false;
}

std::vector<DecoderStep> decoder_of(const JsonPlace& decoder) {
  std::vector<DecoderStep> steps;
  for (const JsonPlace& step : steps_of(decoder, "decoders")) {
    const std::string type = text_of(step, "type");
    if (type == "ByteLevel") {
      steps.emplace_back(JoinByteLevel{});
    } else if (type == "ByteFallback") {
      steps.emplace_back(JoinByteTokens{});
    } else if (type == "Fuse") {
      steps.emplace_back(JoinAll{});
    } else if (type == "Replace") {
      steps.emplace_back(replacement_of(step));
    } else if (type == "Strip") {
      steps.emplace_back(StripEnds{text_of(step, "content"),
                                   static_cast<size_t>(whole_of(step, "start")),
                                   static_cast<size_t>(whole_of(step, "stop"))});
    } else if (type == "Metaspace") {
      const Pattern visible = Pattern::literal(text_of(step, "replacement"), step.path);
      steps.emplace_back(UndoMetaspace{
          {visible, " "}, {visible, ""}, metaspace_prefix(step) != Metaspace::Prefix::never});
    } else {
      fail_unknown(step, "ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace, Sequence");
    }
  }
  return steps;
}

// Tokens before and behind the text in a template's "single": [{"SpecialToken": {"id": "<s>"}},
// {"Sequence": {"id": "A"}}].
void read_template(const JsonPlace& processor, TokenizerRules& rules) {
  bool is_behind = false;
  for (const JsonPlace& item : items_of(processor, "single")) {
    if (item.contains("Sequence")) {
      is_behind = true;
      continue;
    }
    const JsonPlace token =
        processor.at("special_tokens").at(text_of(item.at("SpecialToken"), "id"));
    for (const JsonPlace& id : items_of(token, "ids")) {
      (is_behind ? rules.suffix : rules.prefix).push_back(whole_number(id));
    }
  }
}

void read_post_processor(const JsonPlace& post_processor, TokenizerRules& rules) {
  for (const JsonPlace& step : steps_of(post_processor, "processors")) {
    const std::string type = text_of(step, "type");
    if (type == "ByteLevel") continue;  // moves offsets, no tokens
    if (type != "TemplateProcessing") fail_unknown(step, "TemplateProcessing, ByteLevel, Sequence");
    read_template(step, rules);
  }
}

std::vector<AddedToken> added_tokens_of(const JsonPlace& file) {
  std::vector<AddedToken> tokens;
  if (!file.contains("added_tokens")) return tokens;
  for (const JsonPlace& token : items_of(file, "added_tokens")) {
    const bool is_special = flag_of(token, "special", false);
    tokens.push_back({.content = text_of(token, "content"),
                      .id = whole_of(token, "id"),
                      .is_special = is_special,
                      .is_normalized = flag_of(token, "normalized", !is_special),
                      .strips_left = flag_of(token, "lstrip", false),
                      .strips_right = flag_of(token, "rstrip", false),
                      .is_single_word = flag_of(token, "single_word", false)});
  }
  return tokens;
}

}  // namespace

TokenizerRules parse_tokenizer_json(std::string_view text, const std::string& where) {
  const json file = parse_json_text(text, where);
  const JsonPlace root{&file, where, ""};
  TokenizerRules rules;
  rules.added_tokens = added_tokens_of(root);
  rules.normalizer = normalizer_of(root.at_or_null("normalizer"));
  const JsonPlace pre_tokenizer = root.at_or_null("pre_tokenizer");
  rules.pre_tokenizer = pre_tokenizer_of(pre_tokenizer);
  rules.decoder = decoder_of(root.at_or_null("decoder"));
  read_post_processor(root.at_or_null("post_processor"), rules);
  read_bpe(root.at("model"), has_byte_level(pre_tokenizer), rules);
  return rules;
}

TokenizerRules parse_vocab_and_merges(std::string_view vocab_json, std::string_view merges,
                                      const std::string& where) {
  const json vocab = parse_json_text(vocab_json, where);
  TokenizerRules rules;
  rules.pre_tokenizer = {Split{Pattern(kGpt2Pattern, "GPT-2")}};
  rules.decoder = {JoinByteLevel{}};
  read_vocab_and_merges({&vocab, where, "vocab.json"}, merges, rules);
  return rules;
}

}  // namespace argosy
