// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Names, types, defaults and help of argosy-train's options, and their values from the command line
// and --config files. What the values mean is options.h.
#pragma once

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/variables_map.hpp>
#include <string>
#include <vector>

#include "planner/spec/config_text.h"

namespace argosy {

boost::program_options::options_description option_list();

// What --help prints: the list, with how the program is called and what its exit codes say.
std::string help_text(const boost::program_options::options_description& list);

// The command line wins over the file that its --config names. Throws ConfigError naming the
// option, its value and what would be valid.
boost::program_options::variables_map parse_options(
    const boost::program_options::options_description& list, int argc, const char* const* argv);

// Those of the command line alone, in their order. Throws alike.
std::vector<ConfigOption> given_options(const boost::program_options::options_description& list,
                                        int argc, const char* const* argv);

// Every value, defaults included, as lines that --config reads back; but --config, --help and
// --check-options.
std::string resolved_lines(const boost::program_options::variables_map& values);

}  // namespace argosy
