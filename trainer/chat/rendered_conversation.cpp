// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/chat/rendered_conversation.h"

#include <algorithm>
#include <string_view>

#include "planner/spec/check.h"

namespace argosy {

namespace {

size_t common_prefix(std::string_view a, std::string_view b) {
  const size_t most = std::min(a.size(), b.size());
  return static_cast<size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(most), b.begin()).first -
      a.begin());
}

size_t common_suffix(std::string_view a, std::string_view b) {
  const size_t most = std::min(a.size(), b.size());
  return static_cast<size_t>(
      std::mismatch(a.rbegin(), a.rbegin() + static_cast<std::ptrdiff_t>(most), b.rbegin()).first -
      a.rbegin());
}

// A text that the rendering does not have, between two of a character that it does not have:
// DEL, because JSON and HTML leave it as it is, or a control character.
std::string unused_text(const std::string& rendering) {
  char c = '\x7f';
  for (char next = '\x01'; next < '\x08' && rendering.find(c) != std::string::npos; ++next)
    c = next;
  std::string words = "what is said";
  while (rendering.find(words) != std::string::npos) words += " here";
  return c + words + c;
}

}  // namespace

RenderedConversation::RenderedConversation(const ChatTemplate& chat_template,
                                           const ChatInputs& inputs,
                                           std::span<const std::string> special_tokens)
    : template_(chat_template), inputs_(inputs), special_tokens_(special_tokens) {
  inputs_.add_generation_prompt = false;
  whole_ = template_.render(inputs_);
  marker_ = unused_text(whole_.text);
}

// The {% generation %} blocks; `from`: of the messages from this one on.
std::vector<TextSpan> RenderedConversation::marked(size_t from) const {
  std::vector<TextSpan> spans = whole_.generation;
  if (from > 0) {
    const auto before = try_render(first_messages(from));
    const size_t num_before = before ? before->generation.size() : 0;
    if (num_before >= spans.size()) fail("no generation block belongs to the last answer");
    spans.erase(spans.begin(), spans.begin() + static_cast<std::ptrdiff_t>(num_before));
  }
  return spans;
}

TextSpan RenderedConversation::target(size_t message) const {
  const size_t begin = begin_of(message);
  const TurnEnd end = end_of_turn(message);
  const size_t said = std::max(begin, end.words);  // of nothing, where a blank stands for it too
  for (size_t at = said; at < end.limit; ++at) {
    const size_t token_end = special_token_end(at, said);
    if (token_end > 0) return {begin, token_end <= end.limit ? token_end : said};
  }
  return {begin, said};
}

void RenderedConversation::fail(const std::string& what) const {
  throw ConfigError(concat(template_.where(), ": what is learned of a conversation cannot be told ",
                           "from its rendering: ", what));
}

Json RenderedConversation::first_messages(size_t count) const {
  Json messages = Json::array();
  for (size_t i = 0; i < count; ++i) messages.push_back(inputs_.messages[i]);
  return messages;
}

// Nothing where the template refuses it.
std::optional<RenderedChat> RenderedConversation::try_render(Json messages,
                                                             bool add_generation_prompt) const {
  ChatInputs inputs = inputs_;
  inputs.messages = std::move(messages);
  inputs.add_generation_prompt = add_generation_prompt;
  try {
    return template_.render(inputs);
  } catch (const ConfigError&) {
    return std::nullopt;
  }
}

// The message saying the marker: it alone, beside all else that the message has, or in its calls
// of tools. The first is best, because nothing else is left; a template may refuse it, and some
// show no content beside calls.
Json RenderedConversation::saying_marker(const Json& message, int attempt) const {
  Json changed = message;
  if (attempt == 0) {
    changed = Json::object();
    if (message.contains("role")) changed["role"] = message["role"];
  }
  if (attempt < 2) changed["content"] = marker_;
  if (attempt < 2 && message.contains("content") && message["content"].is_array()) {
    changed["content"] = Json::array({Json{{"type", "text"}, {"text", marker_}}});
  }
  if (attempt < 2 || !message.contains("tool_calls")) return changed;
  for (Json& call : changed["tool_calls"]) {
    Json& function = call.contains("function") ? call["function"] : call;
    if (!function.is_object()) continue;
    function["name"] = marker_;
    function["arguments"] = Json{{marker_, marker_}};
  }
  return changed;
}

RenderedConversation::Marked RenderedConversation::with_marker(const Json& messages, size_t message,
                                                               int first_attempt) const {
  const std::string words = marker_.substr(1, marker_.size() - 2);
  if (!messages[message].is_object()) fail(concat("messages[", message, "] is no object"));
  for (int attempt = first_attempt; attempt < 3; ++attempt) {
    Json changed = messages;
    changed[message] = saying_marker(messages[message], attempt);
    auto rendered = try_render(std::move(changed));
    if (rendered && rendered->text.find(words) != std::string::npos) {
      return {std::move(rendered->text), attempt};
    }
  }
  fail(concat("messages[", message, "] does not show in it"));
}

// Where a prompt for the message ends in the whole.
size_t RenderedConversation::begin_of(size_t message) const {
  const std::string_view whole = whole_.text;
  const auto prompt = try_render(first_messages(message), true);
  if (prompt && whole.compare(0, prompt->text.size(), prompt->text) == 0) {
    return prompt->text.size();
  }
  const auto behind =
      prompt && message > 0 ? begin_behind(message - 1, prompt->text) : std::nullopt;
  return behind ? *behind : common_prefix(whole, with_marker(inputs_.messages, message).text);
}

// Templates that write the beginning anew with each turn (a system prompt in the last question)
// have no prompt that the whole begins with. Then what a prompt has behind the message before
// counts, if the whole has the same behind it.
std::optional<size_t> RenderedConversation::begin_behind(size_t before,
                                                         const std::string& prompt) const {
  const Json messages = first_messages(before + 1);
  const auto plain = try_render(messages);
  if (!plain) return std::nullopt;
  const size_t said = end_of_words(messages, before, plain->text).place;
  if (prompt.compare(0, said, plain->text, 0, said) != 0) return std::nullopt;
  const std::string_view rest = std::string_view(prompt).substr(said);
  const size_t place = end_of_words(inputs_.messages, before, whole_.text).place;
  if (whole_.text.compare(place, rest.size(), rest) != 0) return std::nullopt;
  return place + rest.size();
}

// Where `text`, the rendering of `messages`, no longer depends on what the message says.
RenderedConversation::End RenderedConversation::end_of_words(const Json& messages, size_t message,
                                                             const std::string& text,
                                                             int first_attempt) const {
  const Marked marked = with_marker(messages, message, first_attempt);
  return {text.size() - common_suffix(text, marked.text), marked.attempt};
}

// Where what a message says ends in the whole, and up to where the turn may go on: what follows is
// the turn's as far as it also follows when the message is the last.
RenderedConversation::TurnEnd RenderedConversation::end_of_turn(size_t message) const {
  const std::string_view whole = whole_.text;
  const bool is_last = message + 1 == inputs_.messages.size();
  const Json messages = first_messages(message + 1);
  const auto alone = is_last ? std::optional<RenderedChat>(whole_) : try_render(messages);
  if (alone) {  // nothing behind it that would depend on it, as an answer of a tool does
    const size_t words = end_of_words(messages, message, alone->text).place;
    const size_t common = common_prefix(whole, alone->text);
    if (common >= words) return {words, common};
  }
  // The template writes messages otherwise once others follow.
  const End end = end_of_words(inputs_.messages, message, whole_.text);
  if (!alone) return {end.place, end.place};
  const size_t words = end_of_words(messages, message, alone->text, end.attempt).place;
  const std::string_view tail = std::string_view(alone->text).substr(words);
  return {end.place, end.place + common_prefix(whole.substr(end.place), tail)};
}

// The end of the special token that holds the byte `at`, or 0. One that began before it counts:
// two tokens may end alike, and then what is said seems to end within one.
size_t RenderedConversation::special_token_end(size_t at, size_t said) const {
  const std::string_view text = whole_.text;
  size_t end = 0;
  for (const std::string& token : special_tokens_) {
    if (token.empty()) continue;
    const size_t earliest = at == said && at >= token.size() ? at - token.size() + 1 : at;
    for (size_t begin = earliest; begin <= at; ++begin) {
      if (text.compare(begin, token.size(), token) == 0) end = std::max(end, begin + token.size());
    }
  }
  return end;
}

}  // namespace argosy
