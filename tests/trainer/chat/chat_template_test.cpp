// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What templates are refused for, and that nothing they say can overflow the stack.
#include "trainer/chat/chat_template.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/texts.h"

namespace argosy {
namespace {

std::string render(const std::string& source, const Json& messages = Json::array()) {
  ChatInputs inputs;
  inputs.messages = messages;
  return ChatTemplate(source, "t.jinja").render(inputs).text;
}

std::string error_of(const std::string& source, const Json& messages = Json::array()) {
  return config_error_of([&] { render(source, messages); });
}

std::string repeated(const std::string& text, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) result += text;
  return result;
}

void expect_error(const std::string& source, const std::vector<std::string>& parts) {
  const std::string error = error_of(source);
  for (const std::string& part : parts) {
    EXPECT_TRUE(contains(error, part)) << "'" << part << "' is not in: " << error;
  }
}

TEST(ChatTemplate, WhatIsNotKnownIsNamedWithItsLine) {
  expect_error("a\n{{ 1 |\n nosuch }}",
               {"t.jinja line 3: filter `nosuch` is not known; known: trim"});
  expect_error("\n{{ 1 is nosuch }}",
               {"t.jinja line 2: test `nosuch` is not known; known: defined"});
  expect_error("\n\n{% include 'a' %}", {"line 3: the tag `include` is not known; known: if, for"});
  expect_error("{% raw %}{{ %}{% endraw %}", {"line 1: the tag `raw` is not supported"});
  expect_error("{% call m() %}{% endcall %}", {"the tag `call` is not known"});
  expect_error("{{ f(**x) }}", {"arguments with ** are not supported"});
  expect_error("{% for x in y recursive %}{% endfor %}", {"recursive loops are not supported"});
  expect_error("{% macro m() %}{{ caller() }}{% endmacro %}",
               {"`caller` of a macro is not supported"});
  expect_error("{% for a, (b, c) in x %}{% endfor %}", {"targets in each other are not supported"});
  expect_error("{{ 0x10 }}", {"is no number that is supported"});
}

TEST(ChatTemplate, AnUnknownFilterIsFoundWhereNobodyComes) {
  expect_error("{% if false %}\n{{ 1 | nosuch }}{% endif %}", {"line 2: filter `nosuch`"});
}

TEST(ChatTemplate, WhatIsNotClosedNamesWhereItBegan) {
  expect_error("a\n{% if 1 %}\nb\n", {"line 2: the block that begins here has no `{% endif %}`"});
  expect_error("\n{% for x in [] %}", {"line 2", "{% endfor %}"});
  expect_error("\n{% generation %}", {"line 2", "{% endgeneration %}"});
  expect_error("\n{# a\nb", {"line 2: the comment that begins here has no end #}"});
  expect_error("\n{{ a\n\n", {"line 2: what begins here has no end }}"});
  expect_error("\n{{ 'a }}", {"line 2: the string that begins here has no end"});
  expect_error("{% endif %}", {"the tag `endif` ends nothing"});
  expect_error("{{ (1] }}", {"unexpected `]`, expected `)`"});
}

TEST(ChatTemplate, FaultsWhileRenderingNameTheLine) {
  expect_error("\n{{ raise_exception('no ' ~ 1) }}",
               {"t.jinja line 2: the template refuses", ": no 1"});
  expect_error("\n{{ 1 +\n nothing }}", {"line 2: 'nothing' is undefined"});
  expect_error("\n{{ nothing.more }}", {"line 2: 'nothing' is undefined"});
  expect_error("\n{{ {}.a.b }}", {"line 2: there is no attribute 'a'"});
  expect_error("\n{{ 'a'.zfill(3) }}", {"line 2: method `zfill` is not supported"});
  expect_error("\n{{ 'a'.nosuch() }}", {"line 2: there is no attribute 'nosuch'"});
  expect_error("\n{{ 'a'.format(1) }}", {"line 2: method `format` is not supported"});
  expect_error("{% set x = [] %}\n{{ x.append(1) }}", {"line 2: method `append` is not allowed"});
  expect_error("{{ {}.update({}) }}", {"method `update` is not allowed"});
  expect_error("{{ range(3) }}", {"a range has no text of its own"});
  expect_error("{{ [1] | map('nosuch') | list }}", {"filter `list` filter `nosuch` is not known"});
  expect_error("{{ 'a' | trim(1, 2) }}", {"filter `trim` takes at most 1 arguments, 2 are given"});
  expect_error("{{ 'a' | replace('a') }}", {"filter `replace` needs the argument `new`"});
  expect_error("{{ 'a' | trim(charz='b') }}", {"filter `trim` has no parameter `charz`"});
  expect_error("{{ 9223372036854775807 + 1 }}", {"a whole number is beyond 64 bits"});
  expect_error("{{ 9223372036854775808 }}", {"is beyond the numbers that are supported"});
  expect_error("{% macro m() %}{% generation %}{% endgeneration %}{% endmacro %}{{ m() }}",
               {"{% generation %} in a macro"});
}

TEST(ChatTemplate, NothingOverflowsTheStack) {
  const auto nested = [](const std::string& open, const std::string& inner,
                         const std::string& close) {
    return "{{ " + repeated(open, 100000) + inner + repeated(close, 100000) + " }}";
  };
  expect_error(nested("(", "1", ")"),
               {"line 1: expressions or blocks stand in each other more than 100"});
  expect_error(nested("[", "1", "]"), {"more than 100 deep"});
  expect_error(nested("{1: ", "1", "}"), {"more than 100 deep"});
  expect_error(nested("a[", "1", "]"), {"more than 100 deep"});
  expect_error(nested("a(", "1", ")"), {"more than 100 deep"});
  expect_error(nested("not ", "1", ""), {"more than 100 deep"});
  expect_error(nested("-", "1", ""), {"more than 100 deep"});
  expect_error(nested("1 if 1 else ", "1", ""), {"more than 100 deep"});
  expect_error(repeated("{% if 1 %}", 100000), {"more than 100 deep"});
  expect_error(nested("", "1", " + 1"), {"line 1: an expression of more than 300 parts"});
  expect_error(nested("", "1", " | abs"), {"more than 300 parts"});
  expect_error(nested("", "a", ".b"), {"more than 300 parts"});
  expect_error(nested("", "1", " is odd"), {"more than 300 parts"});
  expect_error(nested("", "1", " and 1"), {"more than 300 parts"});
  expect_error("{{ [1] | map(" + repeated("'map', ", 100000) + "'abs') }}",
               {"more than 200 arguments"});
  expect_error("{% macro m() %}\n{{ m() }}{% endmacro %}{{ m() }}",
               {"line 2: macros call each other too deeply"});
  expect_error(
      "{% set ns = namespace(x=[]) %}\n{% for i in range(1000) %}{% set ns.x = [ns.x] %}{% endfor "
      "%}",
      {"line 2: lists and dicts stand in each other more than 300 deep"});
}

TEST(ChatTemplate, DeepMessagesAreRefused) {
  Json deep = "x";
  for (int i = 0; i < 400; ++i) deep = Json::array({deep});
  EXPECT_TRUE(contains(error_of("", Json::array({Json{{"content", deep}}})),
                       "messages, tools or variables: lists"));
  EXPECT_TRUE(contains(error_of("", Json::array({18446744073709551615u})), "is beyond 64 bits"));
  EXPECT_TRUE(contains(error_of("", "text"), "messages: is string, must be a list"));
}

TEST(ChatTemplate, LongChainsOfOtherwiseFlatTemplatesRender) {
  EXPECT_EQ(render("{{ " + repeated("'a' ~ ", 250) + "'a' }}"), repeated("a", 251));
  EXPECT_EQ(render("{% if 0 %}" + repeated("{% elif 0 %}a", 5000) + "{% else %}b{% endif %}"), "b");
  EXPECT_EQ(render(repeated("{{ 1 }}", 20000)).size(), 20000u);
}

TEST(ChatTemplate, AMacroIsNotCalledBehindItsLoop) {
  expect_error(
      "{% set ns = namespace() %}{% for x in [1, 2] %}{% macro m() %}{{ x }}{% endmacro %}"
      "{% set ns.m = m %}{% endfor %}\n{% for x in [3, 4] %}{{ ns.m() }}{% endfor %}",
      {"line 2: macro `m` is called behind the block it is of"});
}

TEST(ChatTemplate, VariablesAreThoseOfTransformers) {
  EXPECT_EQ(render("{{ tools is none }}{{ documents is none }}{{ add_generation_prompt }}{{ "
                   "bos_token is defined }}"),
            "TrueTrueFalseFalse");
}

TEST(ChatTemplate, RenderingTwiceGivesTheSame) {
  const ChatTemplate chat(
      "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}"
      "{% generation %}{{ m }}{% endgeneration %}{% endfor %}{{ ns.n }}",
      "t");
  ChatInputs inputs;
  inputs.messages = Json::array({"a", "bc"});
  const RenderedChat once = chat.render(inputs), twice = chat.render(inputs);
  EXPECT_EQ(once.text, "abc2");
  EXPECT_EQ(once.text, twice.text);
  EXPECT_EQ(once.generation, (std::vector<TextSpan>{{0, 1}, {1, 3}}));
  EXPECT_EQ(once.generation, twice.generation);
  EXPECT_TRUE(chat.marks_generation());
  EXPECT_FALSE(ChatTemplate("a", "t").marks_generation());
}

}  // namespace
}  // namespace argosy
