// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Files of options: whatever is written is read back, and a bad line is named.
#include "planner/spec/config_text.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "planner/spec/check.h"
#include "planner/spec/near_name.h"
#include "planner/spec/number_text.h"

namespace argosy {
namespace {

TEST(ConfigText, ReadsOptionsAndLeavesOutComments) {
  const auto options = parse_config_text(
      "# a file\n\n lr = 3e-4  # highest\r\nfix=tp=2,pp=2\nnote =\n\tdata = \"run #7\" # quoted\n",
      "run.cfg");
  ASSERT_EQ(options.size(), 4u);
  const char* const expected[][2] = {
      {"lr", "3e-4"}, {"fix", "tp=2,pp=2"}, {"note", ""}, {"data", "run #7"}};
  for (size_t i = 0; i < options.size(); ++i) {
    EXPECT_EQ(options[i].key, expected[i][0]);
    EXPECT_EQ(options[i].value, expected[i][1]);
  }
}

TEST(ConfigText, WhatIsWrittenIsReadBack) {
  for (const std::string value :
       {"plain", "", "two words", "run #7/text.txt", "#", " edges ", "a\nb", "\"quoted\"", "\"",
        "back\\slash", "C:\\n #\\", "equals = here", "say \"hi\" # now", "tab\tin", "\t"}) {
    const std::string line = config_line("data", value);
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
    const auto options = parse_config_text(line + "next = 1\n", "run.cfg");
    ASSERT_EQ(options.size(), 2u) << line;
    EXPECT_EQ(options[0].key, "data");
    EXPECT_EQ(options[0].value, value) << line;
  }
  EXPECT_EQ(config_line("lr", "3e-4"), "lr = 3e-4\n");  // as anybody would write it
}

TEST(ConfigText, MistakesNameFileAndLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"lr = 1\nwarmup 3\n", "run.cfg, line 2: 'warmup 3' is not an option"},
      {"[section]\n", "line 1: '[section]' is not an option"},
      {" = 3", "names no option"},
      {"warmup # = 3", "is not an option"},
      {"data = \"open", "no closing quote"},
      {"data = \"open\\\"", "no closing quote"},
      {"data = \"a\\tb\"", "has a \\"},
      {"data = \"a\" b", "goes on behind the value"}};
  for (const auto& [text, expected] : cases) {
    try {
      parse_config_text(text, "run.cfg");
      ADD_FAILURE() << text << " was accepted";
    } catch (const ConfigError& error) {
      EXPECT_NE(std::string(error.what()).find(expected), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("valid: option = value"), std::string::npos);
    }
  }
}

TEST(NumberText, IsTheWholeText) {
  EXPECT_EQ(number_in<int64_t>("42"), 42);
  EXPECT_EQ(number_in<int64_t>("-7"), -7);
  EXPECT_EQ(number_in<double>("1e-3"), 1e-3);
  for (const char* text : {"", "4x", " 4", "4 ", "2.5", "two", "99999999999999999999"}) {
    EXPECT_EQ(number_in<int64_t>(text), std::nullopt) << text;
  }
  for (const char* text : {"", "1e", "1.5GB", "nil"}) {
    EXPECT_EQ(number_in<double>(text), std::nullopt) << text;
  }
}

TEST(NearName, TakesTheNearestOfThoseInReach) {
  const std::vector<std::string> names = {"llama-3.1-8b", "llama-3.1-70b", "gpt2-124m", "lr"};
  EXPECT_EQ(nearest_name("Llama3-8B", names), "llama-3.1-8b");
  EXPECT_EQ(nearest_name("llama3_70b", names), "llama-3.1-70b");
  EXPECT_EQ(nearest_name("lt", names), "lr");
  EXPECT_EQ(nearest_name("xyz", names), "");  // three letters: one may differ
  EXPECT_EQ(nearest_name("mixtral", names), "");
}

TEST(NearName, WhatBeginsSoComesFirst) {
  const std::vector<std::string> clusters = {"h100-8", "h800-sxm5-80gb", "h800-pcie"};
  EXPECT_EQ(nearest_name("h800", clusters), "h800-pcie");
  EXPECT_EQ(nearest_name("H800_SXM", clusters), "h800-sxm5-80gb");
  EXPECT_EQ(nearest_name("h100", {"h100-24k-pods", "h100-8", "h100-8192"}), "h100-8");
  EXPECT_EQ(nearest_name("h8", {"h800-pcie"}), "");  // too little to tell
}

}  // namespace
}  // namespace argosy
