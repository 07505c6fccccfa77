// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/command_line.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <sstream>
#include <string_view>
#include <typeinfo>
#include <utility>

#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/near_name.h"

namespace argosy {

namespace {

namespace po = boost::program_options;

constexpr const char* kStrayWord = "word without an option";

// ", meant --model?" where an option is that near, else nothing.
std::string nearest_option(const std::string& given, const po::options_description& options) {
  std::vector<std::string> names;
  for (const auto& option : options.options()) names.push_back(option->long_name());
  const std::string found = nearest_name(given, names);
  return found.empty() ? "" : concat(", meant --", found, "?");
}

// What an option takes, by the type of its value.
std::string valid_values(std::string name, const po::options_description& options) {
  name.erase(0, name.find_first_not_of('-'));
  const po::option_description* option = options.find_nothrow(name, /*approx=*/false);
  const auto* typed = option == nullptr
                          ? nullptr
                          : dynamic_cast<const po::typed_value_base*>(option->semantic().get());
  const auto is = [typed](const std::type_info& type) {
    return typed != nullptr && typed->value_type() == type;
  };
  if (is(typeid(bool))) return "true or false";
  const bool is_whole = is(typeid(int)) || is(typeid(int64_t)) || is(typeid(uint64_t));
  return is_whole ? "a whole number" : "a number";
}

// Boost's own words name option and value; what would be valid comes from us.
std::string explain(const po::error& error, const po::options_description& options,
                    const std::string& program) {
  if (const auto* invalid = dynamic_cast<const po::validation_error*>(&error)) {
    return concat(invalid->what(), "; valid: ", valid_values(invalid->get_option_name(), options));
  }
  const auto* unknown = dynamic_cast<const po::unknown_option*>(&error);
  const std::string near =
      unknown == nullptr ? "" : nearest_option(unknown->get_option_name(), options);
  return concat(error.what(), near, "; valid options: ", program, " --help");
}

// Of the words that belong to no option the first is told.
po::parsed_options parse_words(const po::options_description& options,
                               const std::vector<std::string>& words) {
  po::options_description with_stray = options;
  with_stray.add_options()(kStrayWord, po::value<std::vector<std::string>>());
  po::positional_options_description positions;
  positions.add(kStrayWord, -1);
  // Abbreviations would change their meaning when options are added.
  const int style = po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
  po::parsed_options parsed =
      po::command_line_parser(words).options(with_stray).style(style).positional(positions).run();
  for (const po::option& option : parsed.options) {
    if (option.string_key != kStrayWord) continue;
    throw ConfigError(concat("'", option.value.front(),
                             "' belongs to no option; valid: --option value, and lists "
                             "without blanks or in quotes"));
  }
  parsed.description = &options;  // knows them all, and lives on
  return parsed;
}

void store_config_file(const po::options_description& options, const std::string& path,
                       const std::string& program, po::variables_map& values) {
  std::string text;
  try {
    text = read_text_file(path);
  } catch (const ConfigError& error) {
    throw ConfigError(concat("--config: ", error.what(), "; valid: a file of lines ",
                             "'option = value', as run.cfg of a run folder"));
  }
  po::parsed_options parsed(&options);
  for (const ConfigOption& option : parse_config_text(text, concat("--config ", path))) {
    po::option& parsed_option = parsed.options.emplace_back();
    parsed_option.string_key = option.key;
    parsed_option.value = {option.value};
    parsed_option.original_tokens = {option.key};  // for messages
  }
  try {
    po::store(parsed, values);
  } catch (const po::error& error) {
    throw ConfigError(concat("--config ", path, ": ", explain(error, options, program)));
  }
}

}  // namespace

std::string help_of(const po::options_description& options) {
  std::istringstream lines(concat(options));
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::vector<ConfigOption> options_in_words(const po::options_description& options,
                                           const std::vector<std::string>& words,
                                           const std::string& program) {
  std::vector<ConfigOption> given;
  try {
    for (const po::option& option : parse_words(options, words).options) {
      given.push_back({option.string_key, option.value.empty() ? "" : option.value.front()});
    }
  } catch (const po::error& error) {
    throw ConfigError(explain(error, options, program));
  }
  return given;
}

po::variables_map read_options(const po::options_description& options,
                               const std::vector<std::string>& words, const std::string& program) {
  po::variables_map values;
  try {
    po::store(parse_words(options, words), values);
    if (values.count("config") > 0) {
      store_config_file(options, values["config"].as<std::string>(), program, values);
    }
    po::notify(values);
  } catch (const po::error& error) {
    throw ConfigError(explain(error, options, program));
  }
  return values;
}

}  // namespace argosy
