// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/command_line.h"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include "planner/spec/check.h"
#include "planner/spec/config_text.h"
#include "planner/spec/files.h"

namespace argosy {

namespace {

namespace po = boost::program_options;

constexpr const char* kStrayWord = "word without an option";

// Insertions, removals and exchanges of letters that make one word of the other.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, diagonal + 1, changed});
    }
  }
  return row.back();
}

// "; meant --model?" where an option is that near, else nothing.
std::string nearest_option(const std::string& given, const po::options_description& options) {
  constexpr size_t kFarthest = 2;
  const std::string name = given.substr(std::min(given.find_first_not_of('-'), given.size()));
  size_t nearest = kFarthest + 1;
  std::string found;
  for (const auto& option : options.options()) {
    const size_t distance = edit_distance(name, option->long_name());
    if (distance < nearest) nearest = distance, found = option->long_name();
  }
  return found.empty() ? "" : concat(", meant --", found, "?");
}

}  // namespace

std::string explain(const po::error& error, const po::options_description& options) {
  if (const auto* unknown = dynamic_cast<const po::unknown_option*>(&error)) {
    return concat(unknown->what(), nearest_option(unknown->get_option_name(), options),
                  "; valid options: argosy-plan --help");
  }
  if (const auto* invalid = dynamic_cast<const po::validation_error*>(&error)) {
    return concat(invalid->what(), "; valid: a number");
  }
  return concat(error.what(), "; valid options: argosy-plan --help");
}

void read_config_file(const std::string& path, const po::options_description& options,
                      po::variables_map& values) {
  po::parsed_options parsed(&options);
  for (const ConfigOption& option :
       parse_config_text(read_text_file(path), concat("--config: ", path))) {
    po::option& parsed_option = parsed.options.emplace_back();
    parsed_option.string_key = option.key;
    parsed_option.value = {option.value};
    parsed_option.original_tokens = {option.key};  // for messages
  }
  try {
    po::store(parsed, values);
  } catch (const po::error& error) {
    throw ConfigError(concat("--config: ", path, ": ", explain(error, options)));
  }
}

void store_command_line(const po::options_description& options, int argc, const char* const* argv,
                        po::variables_map& values) {
  po::options_description with_stray = options;
  with_stray.add_options()(kStrayWord, po::value<std::vector<std::string>>());
  po::positional_options_description positions;
  positions.add(kStrayWord, -1);
  // Abbreviations would change their meaning when options are added.
  const int style = po::command_line_style::default_style ^ po::command_line_style::allow_guessing;
  po::store(po::command_line_parser(argc, argv)
                .options(with_stray)
                .style(style)
                .positional(positions)
                .run(),
            values);
  if (values.count(kStrayWord) == 0) return;
  const std::string& word = values[kStrayWord].as<std::vector<std::string>>().front();
  throw ConfigError(concat("'", word,
                           "' belongs to no option; valid: --option value, and lists "
                           "without blanks or in quotes"));
}

}  // namespace argosy
