// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// From words to values: the command line, --config files, and run.cfg, which is one.
#include <boost/program_options.hpp>
#include <sstream>

#include "planner/spec/check.h"
#include "planner/spec/config_text.h"
#include "planner/spec/files.h"
#include "trainer/option_list.h"

namespace argosy {

namespace {

namespace po = boost::program_options;

// Boost's own words name option and value; what would be valid comes from us.
std::string explain(const po::error& error, const po::options_description& list) {
  if (const auto* invalid = dynamic_cast<const po::validation_error*>(&error)) {
    std::string name = invalid->get_option_name();
    name.erase(0, name.find_first_not_of('-'));
    const po::option_description* option = list.find_nothrow(name, /*approx=*/false);
    const auto* typed = option == nullptr
                            ? nullptr
                            : dynamic_cast<const po::typed_value_base*>(option->semantic().get());
    const auto is = [&](const std::type_info& type) {
      return typed != nullptr && typed->value_type() == type;
    };
    return concat(error.what(), "; valid: ",
                  is(typeid(int64_t)) ? "a whole number"
                  : is(typeid(bool))  ? "true or false"
                                      : "a number");
  }
  return concat(error.what(), "; argosy-train --help lists the options");
}

constexpr const char* kStrayWord = "word without an option";

void store_command_line(const po::options_description& list, int argc, const char* const* argv,
                        po::variables_map* values) {
  po::options_description with_stray = list;
  with_stray.add_options()(kStrayWord, po::value<std::vector<std::string>>());
  po::positional_options_description positions;
  positions.add(kStrayWord, -1);
  po::store(po::command_line_parser(argc, argv)
                .options(with_stray)
                .style(po::command_line_style::unix_style & ~po::command_line_style::allow_guessing)
                .positional(positions)
                .run(),
            *values);
  if (values->count(kStrayWord) == 0) return;
  const std::string& word = (*values)[kStrayWord].as<std::vector<std::string>>()[0];
  throw ConfigError(concat("'", word, "' belongs to no option; valid: --option value"));
}

void store_config_file(const po::options_description& list, const std::string& path,
                       po::variables_map* values) {
  std::string text;
  try {
    text = read_text_file(path);
  } catch (const ConfigError& error) {
    throw ConfigError(concat("--config: ", error.what(), "; valid: a file of lines ",
                             "'option = value', as run.cfg of a run folder"));
  }
  po::parsed_options parsed(&list);
  for (const ConfigOption& option : parse_config_text(text, concat("--config ", path))) {
    po::option& parsed_option = parsed.options.emplace_back();
    parsed_option.string_key = option.key;
    parsed_option.value = {option.value};
    parsed_option.original_tokens = {option.key};  // for messages
  }
  try {
    po::store(parsed, *values);
  } catch (const po::error& error) {
    throw ConfigError(concat("--config ", path, ": ", explain(error, list)));
  }
}

// As an option's value is written, with all digits of a number.
std::string text_of(const boost::any& value) {
  if (const auto* word = boost::any_cast<std::string>(&value)) return *word;
  if (const auto* integer = boost::any_cast<int64_t>(&value)) return std::to_string(*integer);
  if (const auto* flag = boost::any_cast<bool>(&value)) return *flag ? "true" : "false";
  std::ostringstream digits;
  digits.precision(17);
  digits << boost::any_cast<double>(value);
  return digits.str();
}

}  // namespace

po::variables_map parse_options(const po::options_description& list, int argc,
                                const char* const* argv) {
  po::variables_map values;
  try {
    store_command_line(list, argc, argv, &values);
    if (values.count("config") > 0) {
      store_config_file(list, values["config"].as<std::string>(), &values);
    }
    po::notify(values);
  } catch (const po::error& error) {
    throw ConfigError(explain(error, list));
  }
  return values;
}

std::string resolved_lines(const po::variables_map& values) {
  std::string lines;
  for (const auto& [key, value] : values) {
    if (key != "config" && key != "help") lines += config_line(key, text_of(value.value()));
  }
  return lines;
}

}  // namespace argosy
