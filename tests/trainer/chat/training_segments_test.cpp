// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Which text is learned, of templates of all kinds: targets stand in [[ ]].
#include "trainer/chat/training_segments.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/texts.h"

namespace argosy {
namespace {

const std::vector<std::string> kSpecialTokens = {"<s>",
                                                 "</s>",
                                                 "<|im_start|>",
                                                 "<|im_end|>",
                                                 "<|start_header_id|>",
                                                 "<|end_header_id|>",
                                                 "<|eot_id|>",
                                                 "<|eom_id|>",
                                                 "<start_of_turn>",
                                                 "<end_of_turn>",
                                                 "<|calls|>"};

std::string golden_template(const std::string& name) {
  std::ifstream file(std::string(ARGOSY_SOURCE_DIR) + "/tests/golden/chat/" + name + ".jinja");
  EXPECT_TRUE(file) << name;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

ChatInputs inputs_of(const std::string& messages) {
  ChatInputs inputs;
  inputs.messages = Json::parse(messages);
  inputs.tokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
  inputs.now = std::tm{};
  return inputs;
}

std::string learned(const std::string& source, const std::string& messages,
                    bool only_last = false) {
  const ChatTemplate chat(source, "t.jinja");
  const ChatInputs inputs = inputs_of(messages);
  std::string marked, plain;
  bool was_target = true;
  for (const ChatSegment& segment : training_segments(chat, inputs, kSpecialTokens, only_last)) {
    EXPECT_FALSE(segment.text.empty());
    EXPECT_TRUE(plain.empty() || segment.is_target != was_target) << segment.text;
    was_target = segment.is_target;
    plain += segment.text;
    marked += segment.is_target ? "[[" + segment.text + "]]" : segment.text;
  }
  EXPECT_EQ(plain, chat.render(inputs).text);
  return marked;
}

const char* const kTwoTurns =
    R"([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "A"},
  {"role": "user", "content": "B"}, {"role": "assistant", "content": "C"}])";

TEST(TrainingSegments, ChatmlLearnsTheAnswersAndTheirEnd) {
  const std::string source = golden_template("chatml");
  const std::string head =
      "<|im_start|>system\nAnswer in plain words.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n";
  EXPECT_EQ(learned(source, kTwoTurns),
            head +
                "<|im_start|>assistant\n[[A<|im_end|>]]\n<|im_start|>user\nB<|im_end|>\n"
                "<|im_start|>assistant\n[[C<|im_end|>]]\n");
  EXPECT_EQ(learned(source, kTwoTurns, true),
            head +
                "<|im_start|>assistant\nA<|im_end|>\n<|im_start|>user\nB<|im_end|>\n"
                "<|im_start|>assistant\n[[C<|im_end|>]]\n");
}

TEST(TrainingSegments, AHeaderThatIsAlwaysThereIsNotLearned) {
  const std::string header = "<|start_header_id|>assistant<|end_header_id|>\n\n";
  EXPECT_EQ(learned(golden_template("early_headers"), kTwoTurns),
            "<s><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>" + header +
                "[[A<|eot_id|>]]"
                "<|start_header_id|>user<|end_header_id|>\n\nB<|eot_id|>" +
                header + "[[C<|eot_id|>]]" + header);
}

TEST(TrainingSegments, ThinkingIsPartOfTheLastAnswerAndGoneFromEarlierOnes) {
  const std::string messages = R"([{"role": "user", "content": "Q"},
    {"role": "assistant", "content": "<think>\nx\n</think>\n\nA"}, {"role": "user", "content": "B"},
    {"role": "assistant", "content": "C"}])";
  EXPECT_EQ(learned(golden_template("thinking"), messages),
            "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n[[A<|im_end|>]]\n"
            "<|im_start|>user\nB<|im_end|>\n<|im_start|>assistant\n[[<think>\n\n</"
            "think>\n\nC<|im_end|>]]\n");
}

TEST(TrainingSegments, APromptThatOpensTheThoughtsLearnsWhatFollows) {
  const std::string source =
      "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ '<think>\n' if m.role == 'assistant' "
      "}}{{ m.content }}"
      "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% "
      "endif %}";
  EXPECT_EQ(
      learned(
          source,
          R"([{"role": "user", "content": "Q"}, {"role": "assistant", "content": "w</think>A"}])"),
      "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n<think>\n[[w</think>A<|im_end|>]]\n");
  const std::string dropping =
      "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content.split('</think>')[-1] }}"
      "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% "
      "endif %}";
  EXPECT_EQ(
      learned(
          dropping,
          R"([{"role": "user", "content": "Q"}, {"role": "assistant", "content": "w</think>A"}])"),
      "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n[[A<|im_end|>]]\n");
}

TEST(TrainingSegments, ASystemPromptInTheLastQuestionDoesNotMoveTargets) {
  const std::string messages =
      R"([{"role": "system", "content": "S"}, {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": " A "}, {"role": "user", "content": "B"}, {"role": "assistant", "content": "C"}])";
  EXPECT_EQ(learned(golden_template("alternating"), messages),
            "<s>[INST] Hi[/INST][[ A</s>]][INST] S\n\nB[/INST][[ C</s>]]");
}

const char* const kToolTurns = R"([{"role": "user", "content": "Q"},
  {"role": "assistant", "content": "", "tool_calls": [{"id": "123456789", "function": {"name": "f", "arguments": {"x": 1}}}]},
  {"role": "tool", "content": "T", "tool_call_id": "123456789"}, {"role": "assistant", "content": "D"}])";

TEST(TrainingSegments, CallsOfToolsAreLearnedAndTheirAnswersAreNot) {
  EXPECT_EQ(learned(golden_template("alternating"), kToolTurns),
            "<s>[INST] Q[/INST][[[TOOL_CALLS] [{\"name\": \"f\", \"arguments\": {\"x\": 1}, "
            "\"id\": \"123456789\"}]</s>]]"
            "[TOOL_RESULTS] {\"content\": T, \"call_id\": \"123456789\"}[/TOOL_RESULTS][[ D</s>]]");
  EXPECT_EQ(learned(golden_template("thinking"), kToolTurns),
            "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n[[<call>\n{\"name\": \"f\", "
            "\"arguments\": {\"x\": 1}}\n"
            "</call><|im_end|>]]\n<|im_start|>user\n<result>\nT\n</result><|im_end|>\n"
            "<|im_start|>assistant\n[[<think>\n\n</think>\n\nD<|im_end|>]]\n");
}

TEST(TrainingSegments, AnAnswerOfAToolThatNamesTheCallIsNotLearned) {
  const std::string source =
      "{% for m in messages %}{% if m.role == 'tool' %}<|eom_id|>{{ messages[loop.index0 - "
      "1].tool_calls[0].function.name }}"
      "={{ m.content }}|{% else %}{{ m.role[0] }}:{{ m.tool_calls[0].function.name if m.tool_calls "
      "else m.content }}"
      "{{ '<|eot_id|>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}a:{% endif %}";
  EXPECT_EQ(learned(source, kToolTurns),
            "u:Q<|eot_id|>a:[[f<|eot_id|>]]<|eom_id|>f=T|a:[[D<|eot_id|>]]");
}

TEST(TrainingSegments, ACallThatMustNotBeMissingIsFoundByItsName) {
  const std::string source =
      "{% for m in messages %}{% if m.role == 'tool' %}{% if not messages[loop.index0 - "
      "1].tool_calls %}"
      "{{ raise_exception('no call') }}{% endif %}t:{{ m.content }};{% elif m.tool_calls %}"
      "{{ 'thought ' if loop.last }}f={{ m.tool_calls[0].function.name }}<|eot_id|>"
      "{% else %}{{ m.role[0] }}:{{ m.content }}<|eot_id|>{% endif %}{% endfor %}";
  EXPECT_EQ(learned(source, kToolTurns), "u:Q<|eot_id|>[[f=f<|eot_id|>]]t:T;[[a:D<|eot_id|>]]");
}

TEST(TrainingSegments, WithoutASpecialTokenTheContentEndsIt) {
  const std::string source =
      "{% for m in messages %}<|{{ m.role }}|> {{ m.content | trim }}\n{% endfor %}{% if "
      "add_generation_prompt %}<|assistant|>{% endif %}";
  const std::vector<std::string> special = {"<|user|>", "<|assistant|>"};
  const ChatTemplate chat(source, "t");
  const std::vector<ChatSegment> expected = {{"<|user|> Hi\n<|assistant|>", false},
                                             {" A", true},
                                             {"\n<|user|> B\n<|assistant|>", false},
                                             {" C", true},
                                             {"\n", false}};
  EXPECT_EQ(training_segments(chat, inputs_of(kTwoTurns), special, false), expected);
}

TEST(TrainingSegments, EndsThatLookAlikeAreToldApart) {
  const std::string source =
      "{% for m in messages %}{{ m.role }}:{{ m.content }}{{ '<|eom_id|>' if m.tool_calls else "
      "'<|eot_id|>' }}{% endfor %}"
      "{% if add_generation_prompt %}assistant:{% endif %}";
  EXPECT_EQ(learned(source, kToolTurns),
            "user:Q<|eot_id|>assistant:[[<|eom_id|>]]tool:T<|eot_id|>assistant:[[D<|eot_id|>]]");
}

TEST(TrainingSegments, MarkedTextIsWhatIsLearned) {
  const std::string source = golden_template("marked");
  const std::string head = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
  const std::string tail =
      "\n<|im_start|>user\nB<|im_end|>\n<|im_start|>assistant\n[[C<|im_end|>]]\n";
  EXPECT_EQ(learned(source, kTwoTurns), head + "[[A<|im_end|>]]" + tail);
  EXPECT_EQ(learned(source, kTwoTurns, true), head + "A<|im_end|>" + tail);
}

TEST(TrainingSegments, MarkedTextSideBySideIsOneSegment) {
  const std::string source =
      "{% for m in messages %}{{ m.role }}:{% if m.role == 'assistant' %}{% generation %}{{ "
      "m.content }}{% endgeneration %}"
      "{% generation %};{% endgeneration %}{% else %}{{ m.content }};{% endif %}{% endfor %}";
  EXPECT_EQ(learned(source, kTwoTurns), "user:Hi;assistant:[[A;]]user:B;assistant:[[C;]]");
}

TEST(TrainingSegments, PartsAndCharactersOfSeveralBytes) {
  const std::string messages = R"([{"role": "user", "content": [{"type": "text", "text": "Q"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "\u00e9\u65e5"}]}, {"role": "user", "content": "\u65e5"},
    {"role": "assistant", "content": "\u65e5\u00e9"}])";
  EXPECT_EQ(learned(golden_template("two_roles"), messages),
            "<s><start_of_turn>user\nQ<end_of_turn>\n<start_of_turn>model\n[[\u00e9\u65e5<end_of_"
            "turn>]]\n"
            "<start_of_turn>user\n\u65e5<end_of_turn>\n<start_of_turn>model\n[[\u65e5\u00e9<end_of_"
            "turn>]]\n");
}

TEST(TrainingSegments, WhatHasNoAnswerIsRefused) {
  const ChatTemplate chat(golden_template("chatml"), "t.jinja");
  const auto error_of = [&](const std::string& messages) {
    return config_error_of(
        [&] { training_segments(chat, inputs_of(messages), kSpecialTokens, false); });
  };
  EXPECT_TRUE(contains(error_of(R"([{"role": "user", "content": "Hi"}])"),
                       "`messages` has none of the role assistant"));
  EXPECT_TRUE(contains(error_of("[]"), "`messages` has none of the role assistant"));
  const ChatTemplate lenient("{% for m in messages %}{{ m.content }}{% endfor %}", "lenient");
  const std::string odd =
      R"(["x", {"role": "assistant", "content": "A", "tool_calls": ["f"]}, {"content": "C"}])";
  EXPECT_EQ(training_segments(lenient, inputs_of(odd), kSpecialTokens, false),
            (std::vector<ChatSegment>{{"A", true}, {"C", false}}));
  const ChatTemplate silent(
      "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}", "silent.jinja");
  const std::string error = config_error_of(
      [&] { training_segments(silent, inputs_of(kTwoTurns), kSpecialTokens, false); });
  EXPECT_TRUE(contains(error, "silent.jinja: what is learned")) << error;
  EXPECT_TRUE(contains(error, "messages[1] does not show in it")) << error;
}

TEST(TrainingSegments, AConversationIsLearnedWithoutAPromptForMore) {
  const ChatTemplate chat(golden_template("chatml"), "t");
  ChatInputs inputs = inputs_of(kTwoTurns);
  const std::vector<ChatSegment> expected = training_segments(chat, inputs, kSpecialTokens, false);
  inputs.add_generation_prompt = true;
  EXPECT_EQ(training_segments(chat, inputs, kSpecialTokens, false), expected);
}

TEST(TrainingSegments, APromptEndsBeforeTheAnswer) {
  const ChatTemplate chat(golden_template("two_roles"), "t");
  EXPECT_EQ(chat_prompt(chat, inputs_of(R"([{"role": "user", "content": "Hi"}])")),
            "<s><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n");
}

}  // namespace
}  // namespace argosy
