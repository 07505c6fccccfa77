// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/kept_options.h"

#include <algorithm>
#include <boost/any.hpp>
#include <filesystem>
#include <string>
#include <vector>

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

}  // namespace

void keep_options_of_run(po::variables_map& values) {
  std::vector<std::string> keys;
  std::string from;
  if (values.count("generate") > 0) {
    from = text_of(values, "init");
    if (from.empty()) from = text_of(values, "run-dir");
    keys = {"chat-template-kwargs"};
  } else if (text_of(values, "resume") != "none") {
    from = text_of(values, "run-dir");
    keys = {"chat-template-kwargs", "packing"};
  }
  if (from.empty()) return;
  const fs::path path = run_of(from) / "run.cfg";
  if (!fs::exists(path)) return;
  for (const ConfigOption& option : parse_config_text(read_text_file(path), path.string())) {
    const bool is_kept = std::find(keys.begin(), keys.end(), option.key) != keys.end();
    if (is_kept && values.count(option.key) == 0) {
      values.insert({option.key, po::variable_value(boost::any(option.value), false)});
    }
  }
}

}  // namespace argosy
