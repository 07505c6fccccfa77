// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/tokenizer/tokenizer.h"

#include <algorithm>
#include <utility>

#include "planner/spec/check.h"
#include "trainer/tokenizer/byte_level.h"
#include "trainer/tokenizer/utf8.h"

namespace argosy {

namespace {

// A word of a language is short; longer pieces hardly come twice.
constexpr size_t kMostWordBytes = 64;
constexpr size_t kMostWords = 1 << 17;  // then the table begins anew: some 20 MB

AddedTokenSearch search_of(const TokenizerRules& rules, bool is_normalized) {
  std::vector<AddedToken> tokens;
  for (const AddedToken& token : rules.added_tokens) {
    if (token.is_normalized != is_normalized) continue;
    tokens.push_back(token);
    if (is_normalized) tokens.back().content = normalize(rules.normalizer, token.content);
  }
  return AddedTokenSearch(std::move(tokens));
}

}  // namespace

Tokenizer::Tokenizer(TokenizerRules rules)
    : rules_(std::move(rules)),
      in_text_(search_of(rules_, false)),
      in_normal_text_(search_of(rules_, true)),
      is_special_(rules_.texts.size()) {
  for (const AddedToken& token : rules_.added_tokens) {
    const auto index = static_cast<size_t>(token.id);
    is_special_.at(index) = token.is_special;
    // What was found in the normalized text is decoded to what was found.
    if (token.is_normalized) rules_.texts[index] = normalize(rules_.normalizer, token.content);
  }
}

Tokenizer Tokenizer::of_bytes() {
  TokenizerRules rules;
  rules.bpe.is_byte_level = true;
  for (int32_t byte = 0; byte < kEndOfText; ++byte) {
    rules.bpe.byte_ids[static_cast<size_t>(byte)] = byte;
    rules.texts.push_back(byte_level_character(static_cast<unsigned char>(byte)));
  }
  rules.texts.resize(kByteVocabulary);
  rules.decoder = {JoinByteLevel{}};
  Tokenizer tokenizer(std::move(rules));
  tokenizer.is_of_bytes_ = true;
  return tokenizer;
}

int32_t id_of(const TokenizerRules& rules, std::string_view text) {
  for (const AddedToken& token : rules.added_tokens) {
    if (token.content == text) return token.id;
  }
  const auto bytes = rules.bpe.is_byte_level ? bytes_of_byte_level(text) : std::string(text);
  const auto id = bytes ? rules.bpe.ids.find(*bytes) : rules.bpe.ids.end();
  return id == rules.bpe.ids.end() ? -1 : id->second;
}

std::vector<std::string> Tokenizer::special_texts() const {
  std::vector<std::string> texts;
  for (const AddedToken& token : rules_.added_tokens) {
    if (token.is_special) texts.push_back(token.content);
  }
  std::stable_sort(texts.begin(), texts.end(),
                   [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
  return texts;
}

std::string_view Tokenizer::text_of(int32_t token) const {
  const auto index = static_cast<size_t>(token);
  if (token < 0 || index >= rules_.texts.size() || is_special_[index]) return {};
  return rules_.texts[index];
}

std::string Tokenizer::decode(std::span<const int32_t> tokens) const {
  TextDecoder decoder(*this);
  std::string text;
  for (const int32_t token : tokens) text += decoder.append(token);
  return text + decoder.end();
}

std::string TextDecoder::append(int32_t token) {
  const std::string_view added = tokenizer_->text_of(token);
  if (added.empty()) return {};
  std::string text = std::exchange(unfinished_, {}) + tokens_.append(added);
  const size_t known = text.size() - unfinished_bytes(text);
  unfinished_ = text.substr(known);
  text.resize(known);
  return text;
}

std::string TextDecoder::end() {
  return std::exchange(unfinished_, {}) + tokens_.end();
}

void TextEncoder::append(std::string_view text, std::vector<int32_t>& tokens, TextStart start) {
  const bool reads_characters = !tokenizer_->is_of_bytes();
  const size_t valid_bytes = reads_characters ? valid_utf8_bytes(text) : text.size();
  if (valid_bytes < text.size()) {
    throw ConfigError(concat("byte ", valid_bytes, " does not belong to UTF-8 text"));
  }
  for (const TextSegment& segment : tokenizer_->in_text_.cut(text)) {
    if (segment.token >= 0) {
      tokens.push_back(segment.token);
    } else {
      append_segment(text.substr(segment.range.begin, segment.range.size()),
                     segment.range.begin == 0 ? start : TextStart::behind_token, tokens);
    }
  }
}

void TextEncoder::append_segment(std::string_view text, TextStart start,
                                 std::vector<int32_t>& tokens) {
  const TokenizerRules& rules = tokenizer_->rules_;
  const std::string changed =
      rules.normalizer.empty() ? std::string() : normalize(rules.normalizer, text, start);
  const std::string_view normal = rules.normalizer.empty() ? text : std::string_view(changed);
  for (const TextSegment& segment : tokenizer_->in_normal_text_.cut(normal)) {
    if (segment.token >= 0) {
      tokens.push_back(segment.token);
      continue;
    }
    Pieces pieces;
    append_pieces(rules.pre_tokenizer, normal.substr(segment.range.begin, segment.range.size()),
                  segment.range.begin == 0 ? start : TextStart::behind_token, pieces);
    for (const std::string_view piece : pieces.pieces) append_piece(piece, tokens);
  }
}

void TextEncoder::append_piece(std::string_view piece, std::vector<int32_t>& tokens) {
  const BpeModel& bpe = tokenizer_->rules_.bpe;
  if (piece.size() > kMostWordBytes) return append_tokens(bpe, piece, tokens);
  auto word = words_.find(piece);
  if (word == words_.end()) {
    if (words_.size() >= kMostWords) words_.clear();
    word = words_.emplace(piece, std::vector<int32_t>()).first;
    append_tokens(bpe, piece, word->second);
  }
  tokens.insert(tokens.end(), word->second.begin(), word->second.end());
}

std::vector<int32_t> encode(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<int32_t> tokens = tokenizer.rules().prefix;
  TextEncoder(tokenizer).append(text, tokens);
  const std::vector<int32_t>& suffix = tokenizer.rules().suffix;
  tokens.insert(tokens.end(), suffix.begin(), suffix.end());
  return tokens;
}

}  // namespace argosy
