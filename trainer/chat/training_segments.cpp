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
    const TurnEnd end = end_of_turn(message);
    const size_t said = std::max(begin, end.words);  // of nothing, where a blank stands for it too
    for (size_t at = said; at < end.limit; ++at) {
      const size_t token_end = special_token_end(at, said);
      if (token_end > 0) return {begin, token_end <= end.limit ? token_end : said};
    }
    return {begin, said};
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw ConfigError(concat(template_.where(),
                             ": what is learned of a conversation cannot be told ",
                             "from its rendering: ", what));
  }

 private:
  struct Marked {
    std::string text;
    int attempt;  // of saying_marker()
  };
  struct End {
    size_t place;
    int attempt;  // of saying_marker(), that found it
  };

  // A text that the rendering does not have, between two of a character that it does not have:
  // DEL, because JSON and HTML leave it as it is, or a control character.
  static std::string unused_text(const std::string& rendering) {
    char c = '\x7f';
    for (char next = '\x01'; next < '\x08' && rendering.find(c) != std::string::npos; ++next)
      c = next;
    std::string words = "what is said";
    while (rendering.find(words) != std::string::npos) words += " here";
    return c + words + c;
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

  // The message saying the marker: it alone, beside all else that the message has, or in its calls
  // of tools. The first is best, because nothing else is left; a template may refuse it, and some
  // show no content beside calls.
  Json saying_marker(const Json& message, int attempt) const {
    Json changed = message;
    if (attempt == 0) changed = Json{{"role", message.at("role")}};
    if (attempt < 2) changed["content"] = marker_;
    if (attempt < 2 && message.contains("content") && message["content"].is_array()) {
      changed["content"] = Json::array({Json{{"type", "text"}, {"text", marker_}}});
    }
    if (attempt < 2 || !message.contains("tool_calls")) return changed;
    for (Json& call : changed["tool_calls"]) {
      Json& function = call.contains("function") ? call["function"] : call;
      function["name"] = marker_;
      function["arguments"] = Json{{marker_, marker_}};
    }
    return changed;
  }

  Marked with_marker(const Json& messages, size_t message, int first_attempt = 0) const {
    const std::string words = marker_.substr(1, marker_.size() - 2);
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

  // Where a prompt for the message ends in the whole. Templates that write the beginning anew with
  // each turn (a system prompt in the last question) have none that the whole begins with: then
  // what a prompt has behind the message before counts.
  size_t begin_of(size_t message) const {
    const std::string_view whole = whole_.text;
    const auto prompt = try_render(first_messages(message), true);
    if (prompt && whole.compare(0, prompt->text.size(), prompt->text) == 0) {
      return prompt->text.size();
    }
    if (prompt && message > 0) {
      const size_t before = end_of_words(inputs_.messages, message - 1, whole_.text).place;
      const auto plain = try_render(first_messages(message));
      if (plain) {
        const size_t said = end_of_words(first_messages(message), message - 1, plain->text).place;
        const std::string_view head = std::string_view(prompt->text).substr(0, said);
        const std::string_view rest = std::string_view(prompt->text).substr(said);
        if (head == plain->text.substr(0, said) && whole.compare(before, rest.size(), rest) == 0) {
          return before + rest.size();
        }
      }
    }
    return common_prefix(whole, with_marker(inputs_.messages, message).text);
  }

  // Where `text`, the rendering of `messages`, no longer depends on what the message says.
  End end_of_words(const Json& messages, size_t message, const std::string& text,
                   int first_attempt = 0) const {
    const Marked marked = with_marker(messages, message, first_attempt);
    return {text.size() - common_suffix(text, marked.text), marked.attempt};
  }

  // Where what a message says ends in the whole, and up to where the turn may go on: what follows
  // is the turn's as far as it also follows when the message is the last.
  struct TurnEnd {
    size_t words, limit;
  };
  TurnEnd end_of_turn(size_t message) const {
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
    if (end <= done) return;
    const bool goes_on = !segments.empty() && segments.back().is_target == is_target;
    if (!goes_on) segments.push_back({"", is_target});
    segments.back().text += conversation.text().substr(done, end - done);
    done = end;
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
