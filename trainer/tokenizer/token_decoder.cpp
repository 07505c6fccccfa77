// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/tokenizer/token_decoder.h"

#include <charconv>

#include "trainer/tokenizer/byte_level.h"
#include "trainer/tokenizer/utf8.h"

namespace argosy {

namespace {

std::string joined(const std::vector<std::string>& tokens, std::string_view between) {
  std::string text;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) text += between;
    text += tokens[i];
  }
  return text;
}

// One step on all tokens.
struct Decode {
  std::vector<std::string>& tokens;

  void operator()(const ReplaceAll& step) const {
    for (std::string& token : tokens) token = replace_all(step, token);
  }

  void operator()(const JoinByteLevel&) const {
    // What holds other characters was added as it is.
    for (std::string& token : tokens) token = bytes_of_byte_level(token).value_or(token);
    tokens = {joined(tokens, "")};
  }

  void operator()(const JoinByteTokens&) const {
    std::vector<std::string> decoded;
    std::string bytes;  // of the byte tokens since the last other one
    const auto flush = [&] {
      const bool is_text = valid_utf8_bytes(bytes) == bytes.size();
      if (is_text && !bytes.empty()) decoded.push_back(bytes);
      for (size_t i = 0; !is_text && i < bytes.size(); ++i) decoded.push_back(encode_utf8(0xfffd));
      bytes.clear();
    };
    for (const std::string& token : tokens) {
      const int byte = byte_of_token(token);
      if (byte >= 0) {
        bytes += static_cast<char>(byte);
        continue;
      }
      flush();
      decoded.push_back(token);
    }
    flush();
    tokens = std::move(decoded);
  }

  void operator()(const JoinAll&) const { tokens = {joined(tokens, "")}; }

  void operator()(const StripEnds& step) const {
    const size_t size = step.character.size();
    for (std::string& token : tokens) {
      for (size_t i = 0; i < step.at_begin && token.starts_with(step.character); ++i) {
        token.erase(0, size);
      }
      for (size_t i = 0; i < step.at_end && token.ends_with(step.character); ++i) {
        token.erase(token.size() - size);
      }
    }
  }

  void operator()(const UndoMetaspace& step) const {
    for (size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] =
          replace_all(i == 0 && step.drops_first ? step.to_nothing : step.to_blank, tokens[i]);
    }
  }
};

}  // namespace

int byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || !token.ends_with('>')) return -1;
  int byte = -1;
  const auto [end, error] = std::from_chars(token.data() + 3, token.data() + 5, byte, 16);
  return error == std::errc() && end == token.data() + 5 ? byte : -1;
}

std::string decode_tokens(const std::vector<DecoderStep>& steps, std::vector<std::string> tokens) {
  for (const DecoderStep& step : steps) std::visit(Decode{tokens}, step);
  return joined(tokens, steps.empty() ? " " : "");
}

}  // namespace argosy
