// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// TOML as job configurations use it: values, tables, and errors with their line.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "planner/exchange/toml.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

using Json = nlohmann::ordered_json;

Json tree(const std::string& text) {
  return Json::parse(json_of_toml(text, "x.toml"));
}

TEST(Toml, ReadsTablesAndValues) {
  const Json found = tree(
      "# a job\r\n"
      "top = 1 # of no table\n"
      "[training]\n"
      "seq_len = 8_192\nlr = 3e-4\nless = -1\nplus = +2.5\n"
      "name = \"a \\\"b\\\" # c\\n\"\npath = 'C:\\dir' \n"
      "  on = true\n\toff=false\n"
      "[quantize.linear.float8]\n"
      "filter_fqns = [\n  \"output\", # the head\n  'router.gate',\n]\n"
      "\n[ parallelism ]\n\"quoted key\" = []\nnested = [[1, 2], [3]]\nrope.theta = 5.0\n"
      "[training.dataloader]\nnum_workers = 0");
  const Json expected = {
      {"top", 1},
      {"training",
       {{"seq_len", 8192},
        {"lr", 3e-4},
        {"less", -1},
        {"plus", 2.5},
        {"name", "a \"b\" # c\n"},
        {"path", "C:\\dir"},
        {"on", true},
        {"off", false},
        {"dataloader", {{"num_workers", 0}}}}},
      {"quantize",
       {{"linear", {{"float8", {{"filter_fqns", Json::array({"output", "router.gate"})}}}}}}},
      {"parallelism",
       {{"quoted key", Json::array()},
        {"nested", Json::array({Json::array({1, 2}), Json::array({3})})},
        {"rope", {{"theta", 5.0}}}}}};
  EXPECT_EQ(found, expected) << found.dump(1);
  EXPECT_TRUE(found["training"]["seq_len"].is_number_integer());
  EXPECT_TRUE(found["parallelism"]["rope"]["theta"].is_number_float());
  EXPECT_TRUE(tree("").empty());
  EXPECT_TRUE(tree("  # nothing").empty());
}

TEST(Toml, ErrorsNameTheLine) {
  const auto expect = [](const std::string& text, const std::string& message) {
    try {
      json_of_toml(text, "job.toml");
      ADD_FAILURE() << "no error: " << text;
    } catch (const ConfigError& error) {
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos)
          << text << "\n-> " << error.what();
    }
  };
  expect("a = 1\nb =\n", "job.toml:2: '' is no value");
  expect("a = 1\nb = 8k", "job.toml:2: '8k' is no value");
  expect("a = 1_\n", "job.toml:1: '1_' is no value");
  expect("a = 007\n", "job.toml:1: '007' is no value");
  expect("a = 1.\n", "job.toml:1: '1.' is no value");
  expect("a = True\n", "job.toml:1: 'True' is no value; valid: \"text\", a number, true, false");
  expect("a = 2026-01-01\n", "job.toml:1: '2026-01-01' is no value");
  expect("a = 99999999999999999999x\n", "is no value");
  expect("\n\n[training\nb = 1", "job.toml:3: expected ']', found 'the end of the line'");
  expect("[training] x", "job.toml:1: expected the end of the line, found 'x'");
  expect("a = \"open\nb = 1", "job.toml:1: a string is not closed");
  expect("a = \"\\u0041\"", "job.toml:1: an escape that is not supported");
  expect("a = \"\"\"x\"\"\"", "job.toml:1: strings of several lines");
  expect("a = [1,\n2\n3]", "job.toml:3: expected ',' or ']', found '3'");
  expect("a = [1,\n", "no value");
  expect("a = {b = 1}", "job.toml:1: inline tables");
  expect("[[a]]", "job.toml:1: arrays of tables");
  expect("= 1", "job.toml:1: expected a key, found '='");
  expect("seq len = 1", "job.toml:1: expected '=', found 'l'");
  expect("a = 1\na = 2", "job.toml:2: key 'a' appears twice");
  expect("[a]\n[b]\n[a]", "job.toml:3: table [a] appears twice");
  expect("a = 1\n[a]", "job.toml:2: 'a' is a value, not a table");
  expect("a = 1\na.b = 2", "job.toml:2: 'a' is a value, not a table");
  expect("a = " + std::string(100000, '['), "too many levels");
  std::string deep = "a";
  for (int i = 0; i < 100000; ++i) deep += ".a";
  expect(deep + " = 1", "too many parts");
  expect("model: llama", "job.toml:1: expected '=', found ':'");
}

TEST(Toml, StringsAreBytes) {
  EXPECT_EQ(tree("a = \"\xff\"")["a"], "\xef\xbf\xbd");  // not UTF-8: the replacement character
  EXPECT_EQ(tree("a = \"\"\nb = ''"), Json({{"a", ""}, {"b", ""}}));
}

}  // namespace
}  // namespace argosy
