// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A rendering is opaque: where a message stands in it is found by rendering again with another
// message in its place, and comparing.
#include "trainer/chat/training_segments.h"

#include <algorithm>
#include <optional>
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

bool is_assistant(const Json& message) {
  const auto role = message.is_object() ? message.find("role") : message.end();
  return role != message.end() && role->is_string() && role->get<std::string>() == "assistant";
}

std::vector<size_t> assistant_messages(const Json& messages) {
  std::vector<size_t> places;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (is_assistant(messages[i])) places.push_back(i);
  }
  return places;
}

// One conversation and its renderings.
class Conversation {
 public:
  Conversation(const ChatTemplate& chat_template, const ChatInputs& inputs,
               std::span<const std::string> special_tokens)
      : template_(chat_template), inputs_(inputs), special_tokens_(special_tokens) {
    inputs_.add_generation_prompt = false;
    whole_ = template_.render(inputs_);
    marker_ = unused_text(whole_.text);
  }

  const std::string& text() const { return whole_.text; }

  // The {% generation %} blocks; `from`: of the messages from this one on.
  std::vector<TextSpan> marked(size_t from) const {
    std::vector<TextSpan> spans = whole_.generation;
    if (from > 0) {
      const auto before = try_render(first_messages(from));
      const size_t num_before = before ? before->generation.size() : 0;
      if (num_before >= spans.size()) fail("no generation block belongs to the last answer");
      spans.erase(spans.begin(), spans.begin() + static_cast<std::ptrdiff_t>(num_before));
    }
    return spans;
  }

  TextSpan target(size_t message) const {
    const size_t begin = begin_of(message);
    const size_t said = end_of_words(inputs_.messages, message, whole_.text);
    if (said < begin) fail(concat("messages[", message, "] begins behind its end"));
    const size_t limit = said + turn_end_size(message, said);
    for (size_t at = said; at < limit; ++at) {
      const size_t end = special_token_end(at, said);
      if (end > 0) return {begin, end <= limit ? end : said};
    }
    return {begin, said};
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw ConfigError(concat(template_.where(),
                             ": what is learned of a conversation cannot be told ",
                             "from its rendering: ", what));
  }

 private:
  // A text that begins and ends with a character that the rendering does not have.
  static std::string unused_text(const std::string& rendering) {
    char c = '\x01';
    while (c < '\x08' && rendering.find(c) != std::string::npos) ++c;
    return concat(c, "said", c);
  }

  Json first_messages(size_t count) const {
    Json messages = Json::array();
    for (size_t i = 0; i < count; ++i) messages.push_back(inputs_.messages[i]);
    return messages;
  }

  // Nothing where the template refuses it.
  std::optional<RenderedChat> try_render(Json messages, bool add_generation_prompt = false) const {
    ChatInputs inputs = inputs_;
    inputs.messages = std::move(messages);
    inputs.add_generation_prompt = add_generation_prompt;
    try {
      return template_.render(inputs);
    } catch (const ConfigError&) {
      return std::nullopt;
    }
  }

  // With the marker as all that a message says, or, where the template refuses that, as its
  // content.
  std::optional<std::string> with_marker(const Json& messages, size_t message) const {
    for (const bool keeps_rest : {false, true}) {
      Json changed = messages;
      if (!keeps_rest) changed[message] = Json{{"role", "assistant"}};
      changed[message]["content"] = marker_;
      const auto rendered = try_render(std::move(changed));
      if (rendered && rendered->text.find(marker_) != std::string::npos) return rendered->text;
    }
    return std::nullopt;
  }

  size_t begin_of(size_t message) const {
    const auto prompt = try_render(first_messages(message), true);
    if (prompt && whole_.text.compare(0, prompt->text.size(), prompt->text) == 0) {
      return prompt->text.size();
    }
    const auto marked = with_marker(inputs_.messages, message);
    if (!marked) fail(concat("messages[", message, "] does not show in it"));
    return common_prefix(whole_.text, *marked);
  }

  // Where `text`, the rendering of `messages`, no longer depends on what the message says.
  size_t end_of_words(const Json& messages, size_t message, const std::string& text) const {
    const auto marked = with_marker(messages, message);
    if (!marked) fail(concat("messages[", message, "] does not show in it"));
    return text.size() - common_suffix(text, *marked);
  }

  // Bytes behind what a message says that still belong to it: what also stands there when it is the
  // last. 0: not known.
  size_t turn_end_size(size_t message, size_t said) const {
    const std::string_view rest = std::string_view(whole_.text).substr(said);
    if (message + 1 == inputs_.messages.size()) return rest.size();
    Json messages = first_messages(message + 1);
    const auto alone = try_render(messages);
    if (!alone) return 0;
    const size_t end = end_of_words(messages, message, alone->text);
    return common_prefix(rest, std::string_view(alone->text).substr(end));
  }

  // The end of the special token that holds the byte `at`, or 0. One that began before it counts:
  // two tokens may end alike, and then what is said seems to end within one.
  size_t special_token_end(size_t at, size_t said) const {
    const std::string_view text = whole_.text;
    size_t end = 0;
    for (const std::string& token : special_tokens_) {
      if (token.empty()) continue;
      const size_t earliest = at == said && at >= token.size() ? at - token.size() + 1 : at;
      for (size_t begin = earliest; begin <= at; ++begin) {
        if (text.compare(begin, token.size(), token) == 0)
          end = std::max(end, begin + token.size());
      }
    }
    return end;
  }

  const ChatTemplate& template_;
  ChatInputs inputs_;
  std::span<const std::string> special_tokens_;
  RenderedChat whole_;
  std::string marker_;
};

std::vector<TextSpan> targets_of(const Conversation& conversation, bool has_marks,
                                 const std::vector<size_t>& answers, bool only_last_turn) {
  if (has_marks) return conversation.marked(only_last_turn ? answers.back() : 0);
  std::vector<TextSpan> spans;
  for (const size_t message : answers) {
    if (only_last_turn && message != answers.back()) continue;
    spans.push_back(conversation.target(message));
    const bool overlaps = spans.size() > 1 && spans.back().begin < spans[spans.size() - 2].end;
    if (overlaps) conversation.fail(concat("messages[", message, "] begins in the one before"));
  }
  return spans;
}

}  // namespace

std::vector<ChatSegment> training_segments(const ChatTemplate& chat_template,
                                           const ChatInputs& inputs,
                                           std::span<const std::string> special_tokens,
                                           bool only_last_turn) {
  const std::vector<size_t> answers = assistant_messages(inputs.messages);
  if (answers.empty()) {
    throw ConfigError(
        "`messages` has none of the role assistant: there is nothing to learn from it");
  }
  const Conversation conversation(chat_template, inputs, special_tokens);
  const std::vector<TextSpan> targets =
      targets_of(conversation, chat_template.marks_generation(), answers, only_last_turn);
  std::vector<ChatSegment> segments;
  size_t done = 0;
  const auto append_until = [&](size_t end, bool is_target) {
    if (end > done) segments.push_back({conversation.text().substr(done, end - done), is_target});
    done = std::max(done, end);
  };
  for (const TextSpan& span : targets) {
    append_until(span.begin, false);
    append_until(span.end, true);
  }
  append_until(conversation.text().size(), false);
  const bool has_target = std::any_of(segments.begin(), segments.end(),
                                      [](const ChatSegment& segment) { return segment.is_target; });
  if (!has_target) conversation.fail("no text of it is the assistant's");
  return segments;
}

std::string chat_prompt(const ChatTemplate& chat_template, const ChatInputs& inputs) {
  ChatInputs prompted = inputs;
  prompted.add_generation_prompt = true;
  return chat_template.render(prompted).text;
}

}  // namespace argosy
