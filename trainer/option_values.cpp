// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// From words to values: the command line, --config files, and run.cfg, which is one.
#include <array>
#include <boost/program_options.hpp>
#include <charconv>

#include "planner/spec/command_line.h"
#include "trainer/option_list.h"

namespace argosy {

namespace {

namespace po = boost::program_options;

// As an option's value is written: of a number the fewest digits that read back exactly.
std::string text_of(const boost::any& value) {
  if (const auto* word = boost::any_cast<std::string>(&value)) return *word;
  if (const auto* integer = boost::any_cast<int64_t>(&value)) return std::to_string(*integer);
  if (const auto* flag = boost::any_cast<bool>(&value)) return *flag ? "true" : "false";
  std::array<char, 32> digits{};  // the longest double takes 24
  const auto end = std::to_chars(digits.begin(), digits.end(), boost::any_cast<double>(value),
                                 std::chars_format::general)
                       .ptr;
  return {digits.begin(), end};
}

}  // namespace

po::variables_map parse_options(const po::options_description& list, int argc,
                                const char* const* argv) {
  return read_options(list, {argv + 1, argv + argc}, "argosy-train");
}

std::vector<ConfigOption> given_options(const po::options_description& list, int argc,
                                        const char* const* argv) {
  return options_in_words(list, {argv + 1, argv + argc}, "argosy-train");
}

std::string resolved_lines(const po::variables_map& values) {
  std::string lines;
  for (const auto& [key, value] : values) {
    const bool is_of_run = key != "config" && key != "check-options" && key != "help";
    if (is_of_run) lines += config_line(key, text_of(value.value()));
  }
  return lines;
}

}  // namespace argosy
