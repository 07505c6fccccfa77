// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Options as a user gives them to one of the programs, with messages that name the word, what may
// be meant and what is valid.
#pragma once

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/variables_map.hpp>
#include <string>
#include <vector>

#include "planner/spec/config_text.h"

namespace argosy {

// Values of `options`: the words of the command line, which win, then the lines of the file that an
// option `config` names, where there is one, then defaults; notified. `program` stands in messages.
// Throws ConfigError naming the option, its value and what would be valid, or the word that belongs
// to no option.
boost::program_options::variables_map read_options(
    const boost::program_options::options_description& options,
    const std::vector<std::string>& words, const std::string& program);

// The options among `words`, in their order, as lines of a file would have them; of an option that
// takes no value the value is "". Throws as read_options.
std::vector<ConfigOption> options_in_words(
    const boost::program_options::options_description& options,
    const std::vector<std::string>& words, const std::string& program);

// The list that --help prints, without the blanks that Boost leaves at the ends of lines.
std::string help_of(const boost::program_options::options_description& options);

}  // namespace argosy
