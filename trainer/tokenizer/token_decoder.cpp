// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/tokenizer/token_decoder.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "trainer/tokenizer/byte_level.h"
#include "trainer/tokenizer/utf8.h"

namespace argosy {

namespace {

std::string stripped(const StripEnds& step, std::string_view token) {
  const size_t size = step.character.size();
  for (size_t i = 0; i < step.at_begin && token.starts_with(step.character); ++i) {
    token.remove_prefix(size);
  }
  for (size_t i = 0; i < step.at_end && token.ends_with(step.character); ++i) {
    token.remove_suffix(size);
  }
  return std::string(token);
}

// What holds other characters was added as it is.
std::string undo_byte_level(std::string_view token) {
  return bytes_of_byte_level(token).value_or(std::string(token));
}

std::string undo(const UndoMetaspace& step, bool is_first, std::string_view token) {
  return replace_all(is_first && step.drops_first ? step.to_nothing : step.to_blank, token);
}

}  // namespace

int byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || !token.ends_with('>')) return -1;
  int byte = -1;
  const auto [end, error] = std::from_chars(token.data() + 3, token.data() + 5, byte, 16);
  return error == std::errc() && end == token.data() + 5 ? byte : -1;
}

// A token that comes to step number `index`, or, at the end, what the step still holds.
struct TokenDecoder::Step {
  TokenDecoder& decoder;
  size_t index;
  std::string_view token;
  bool is_end;

  State& state() const { return decoder.states_[index]; }
  void pass(std::string_view on) const { decoder.pass(index + 1, on); }

  // Each token by itself; of a joined text that is not known before its end all of it.
  template <typename Change>
  void change(const Change& change) const {
    if (state().is_joined) {
      state().held += token;
      if (is_end) pass(change(state().held));
    } else if (!is_end) {
      pass(change(token));
    }
  }

  void operator()(const ReplaceAll& step) const {
    change([&](std::string_view text) { return replace_all(step, text); });
  }
  void operator()(const UndoMetaspace& step) const {
    const bool is_first = std::exchange(state().is_first, false) || state().is_joined;
    change([&](std::string_view text) { return undo(step, is_first, text); });
  }
  void operator()(const JoinByteLevel&) const { change(undo_byte_level); }
  void operator()(const JoinAll&) const {
    if (!is_end) pass(token);
  }

  void operator()(const JoinByteTokens&) const {
    std::string& held = state().held;
    if (state().is_joined) {
      held += token;
      if (is_end) pass_bytes_or(held);
      return;
    }
    const int byte = is_end ? -1 : byte_of_token(token);
    if (byte >= 0) {
      held += static_cast<char>(byte);
      return;
    }
    pass_run(std::exchange(held, {}));
    if (!is_end) pass(token);
  }

  // A run of bytes that is over.
  void pass_run(const std::string& bytes) const {
    const bool is_text = valid_utf8_bytes(bytes) == bytes.size();
    if (is_text && !bytes.empty()) pass(bytes);
    for (size_t i = 0; !is_text && i < bytes.size(); ++i) pass(encode_utf8(0xfffd));
  }

  // The whole text as the one token that it is.
  void pass_bytes_or(const std::string& text) const {
    const int byte = byte_of_token(text);
    byte >= 0 ? pass_run({static_cast<char>(byte)}) : pass(text);
  }

  void operator()(const StripEnds& step) const {
    if (!state().is_joined) {
      if (!is_end) pass(stripped(step, token));
      return;
    }
    std::string& held = state().held;
    held += token;
    if (!strip_begin(step) && !is_end) return;
    // So many bytes may go at the end.
    const size_t open_bytes = std::min(held.size(), step.at_end * step.character.size());
    if (is_end) return pass(stripped({step.character, 0, step.at_end}, held));
    pass(held.substr(0, held.size() - open_bytes));
    held.erase(0, held.size() - open_bytes);
  }

  // Of a joined text; whether its beginning is over.
  bool strip_begin(const StripEnds& step) const {
    State& state = this->state();
    std::string& held = state.held;
    while (!state.is_begun) {
      const bool may_strip = state.num_stripped < step.at_begin;
      if (may_strip && held.starts_with(step.character)) {
        held.erase(0, step.character.size());
        ++state.num_stripped;
        continue;
      }
      if (may_strip && step.character.starts_with(held)) return false;  // it may become one
      state.is_begun = true;
    }
    return true;
  }
};

TokenDecoder::TokenDecoder(const std::vector<DecoderStep>& steps)
    : steps_(&steps), states_(steps.size()) {
  bool is_joined = false;
  for (size_t i = 0; i < steps.size(); ++i) {
    states_[i].is_joined = is_joined;
    is_joined = is_joined || std::holds_alternative<JoinAll>(steps[i]) ||
                std::holds_alternative<JoinByteLevel>(steps[i]);
  }
}

void TokenDecoder::pass(size_t step, std::string_view token) {
  if (step == steps_->size()) {
    known_ += token;
  } else {
    std::visit(Step{*this, step, token, /*is_end=*/false}, (*steps_)[step]);
  }
}

std::string TokenDecoder::append(std::string_view token) {
  if (steps_->empty() && !std::exchange(is_first_, false)) known_ += ' ';
  pass(0, token);
  return std::exchange(known_, {});
}

std::string TokenDecoder::end() {
  for (size_t step = 0; step < steps_->size(); ++step) {
    std::visit(Step{*this, step, {}, /*is_end=*/true}, (*steps_)[step]);
  }
  return std::exchange(known_, {});
}

}  // namespace argosy
