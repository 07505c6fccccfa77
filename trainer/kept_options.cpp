// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/kept_options.h"

#include <algorithm>
#include <boost/any.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "planner/spec/check.h"
#include "planner/spec/checkpoint_names.h"
#include "planner/spec/config_text.h"
#include "planner/spec/files.h"

namespace argosy {

namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

std::string text_of(const po::variables_map& values, const char* key) {
  return values.count(key) > 0 ? values[key].as<std::string>() : std::string();
}

boost::any value_of(const po::options_description& list, const ConfigOption& option,
                    const fs::path& run_cfg) {
  boost::any value;
  try {
    list.find(option.key, false).semantic()->parse(value, {option.value}, true);
  } catch (const po::error&) {
    throw ConfigError(concat(run_cfg.string(), ": ", option.key, ": ", option.value));
  }
  return value;
}

void keep_options(const po::options_description& list, const fs::path& run_cfg,
                  const std::vector<std::string>& keys, po::variables_map& values) {
  if (!fs::exists(run_cfg)) return;
  for (const ConfigOption& option : parse_config_text(read_text_file(run_cfg), run_cfg.string())) {
    const bool is_kept = std::find(keys.begin(), keys.end(), option.key) != keys.end();
    if (is_kept && values.count(option.key) == 0) {
      values.insert({option.key, po::variable_value(value_of(list, option, run_cfg), false)});
    }
  }
}

}  // namespace

void keep_options_of_run(const po::options_description& list, po::variables_map& values) {
  std::vector<std::string> keys = {"chat-template-kwargs"};
  std::vector<const char*> runs;  // the first that says something of a key decides
  if (values.count("generate") > 0) {
    runs = {"init-adapter", text_of(values, "init").empty() ? "run-dir" : "init"};
  } else if (text_of(values, "resume") != "none") {
    runs = {"run-dir"};
    keys.emplace_back("packing");
    if (values.count("eval-data") == 0) keys.emplace_back("eval-fraction");
  }
  for (const char* run : runs) {
    if (const std::string folder = text_of(values, run); !folder.empty()) {
      keep_options(list, run_of(folder) / "run.cfg", keys, values);
    }
  }
}

}  // namespace argosy
