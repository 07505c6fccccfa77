// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/chat/training_segments.h"

#include <algorithm>

#include "planner/spec/check.h"
#include "trainer/chat/rendered_conversation.h"

namespace argosy {

namespace {

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

std::vector<TextSpan> targets_of(const RenderedConversation& conversation, bool has_marks,
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
  const RenderedConversation conversation(chat_template, inputs, special_tokens);
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
