// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/import_setup.h"

#include <filesystem>
#include <system_error>

#include "planner/exchange/deepspeed_launch.h"
#include "planner/exchange/shell_script.h"
#include "planner/exchange/torchtitan_words.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"

namespace argosy {

namespace {

PeerLaunch launch_of(const ImportSetup& setup) {
  const bool is_script = setup.format == PeerFormat::megatron ||
                         (setup.format == PeerFormat::torchtitan &&
                          is_torchtitan_command(setup.text) && !setup.where.ends_with(".toml")) ||
                         (setup.format == PeerFormat::deepspeed &&
                          is_deepspeed_command(setup.text) && !setup.where.ends_with(".json"));
  if (!is_script) return {};
  return launch_of(read_shell_command(setup.text, setup.where + ": "), setup.text);
}

}  // namespace

bool has_import(const PlanOptions& options) {
  return !options.import_from.empty() || !options.import_megatron.empty();
}

ImportSetup read_import_setup(const PlanOptions& options) {
  if (!options.import_from.empty() && !options.import_megatron.empty()) {
    throw ConfigError("--import: with --import-megatron; valid: one of them");
  }
  ImportSetup setup;
  const bool is_named = options.import_from.empty();
  setup.option = is_named ? "--import-megatron" : "--import";
  const std::string& given = is_named ? options.import_megatron : options.import_from;
  std::error_code error;
  const bool is_file = std::filesystem::exists(given, error);
  const bool is_text = !is_file && given.find("--") != std::string::npos;
  if (!is_file && !is_text) {
    throw ConfigError(concat(setup.option, ": there is no file '", given,
                             "'; valid: a file, or flags as --num-layers 32"));
  }
  setup.text = is_text ? given : read_text_file(given);
  setup.where = is_text ? setup.option : concat(setup.option, ": ", given);
  if (!is_named) setup.format = peer_format(setup.text, setup.where);
  setup.launch = launch_of(setup);
  return setup;
}

}  // namespace argosy
