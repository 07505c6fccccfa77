// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Our renderings against Jinja's (tests/golden/chat_templates.json).
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "planner/spec/check.h"
#include "trainer/chat/chat_template.h"

namespace argosy {
namespace {

std::string file_text(const std::string& path) {
  std::ifstream file(std::string(ARGOSY_SOURCE_DIR) + "/tests/golden/" + path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// What make_chat_golden.py has as NOW: 2026-02-03 14:05:09, a Tuesday.
std::tm golden_now() {
  std::tm now{};
  now.tm_year = 126, now.tm_mon = 1, now.tm_mday = 3, now.tm_wday = 2, now.tm_yday = 33;
  now.tm_hour = 14, now.tm_min = 5, now.tm_sec = 9;
  return now;
}

class ChatGolden : public testing::Test {
 protected:
  // Nothing where it is a ConfigError.
  static std::optional<RenderedChat> rendered(const std::string& source, const ChatInputs& inputs,
                                              std::string& error) {
    try {
      return ChatTemplate(source, "golden").render(inputs);
    } catch (const ConfigError& problem) {
      error = problem.what();
      return std::nullopt;
    }
  }

  ChatInputs inputs(const Json& conversation) const {
    ChatInputs inputs;
    inputs.messages = conversation["messages"];
    if (conversation.contains("tools")) inputs.tools = conversation["tools"];
    inputs.tokens = golden_["tokens"].get<std::map<std::string, std::string>>();
    inputs.now = golden_now();
    return inputs;
  }

  const Json golden_ = Json::parse(file_text("chat_templates.json"));
};

TEST_F(ChatGolden, TemplatesRenderConversationsAsJinjaDoes) {
  int num_texts = 0, num_errors = 0;
  for (const auto& [name, cases] : golden_["templates"].items()) {
    const std::string source = file_text("chat/" + name + ".jinja");
    for (const Json& expected : cases) {
      const std::string conversation = expected["conversation"];
      ChatInputs given = inputs(golden_["conversations"][conversation]);
      given.add_generation_prompt = expected["add_generation_prompt"];
      std::string error;
      const auto found = rendered(source, given, error);
      const std::string what = concat(name, " of '", conversation, "'");
      ASSERT_EQ(found.has_value(), expected.contains("text")) << what << ": " << error;
      if (!found) {
        ++num_errors;
        continue;
      }
      ++num_texts;
      EXPECT_EQ(found->text, expected["text"].get<std::string>()) << what;
      Json spans = Json::array();
      for (const TextSpan& span : found->generation) spans.push_back({span.begin, span.end});
      EXPECT_EQ(spans, expected["generation"]) << what;
    }
  }
  EXPECT_GT(num_texts, 200);
  EXPECT_GT(num_errors, 15);
}

TEST_F(ChatGolden, SnippetsRenderAsInJinjaAndFailWhereItFails) {
  const Json& snippets = golden_["snippets"];
  const Json nobody = Json{{"messages", Json::array()}};
  for (const Json& snippet : snippets) {
    const std::string source = snippet[0];
    ChatInputs given = inputs(nobody);
    given.tokens.clear();
    std::string error;
    const auto found = rendered(source, given, error);
    if (snippet[1].is_null()) {
      EXPECT_FALSE(found) << source << "\nrenders as " << (found ? found->text : "")
                          << "\nand Jinja refuses it";
      if (found) continue;
      EXPECT_EQ(error.compare(0, 12, "golden line "), 0) << source << ": " << error;
    } else {
      ASSERT_TRUE(found) << source << "\n" << error;
      EXPECT_EQ(found->text, snippet[1].get<std::string>()) << source;
    }
  }
  EXPECT_GT(snippets.size(), 250u);
}

}  // namespace
}  // namespace argosy
