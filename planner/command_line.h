// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Options as given, with messages that name the word, what may be meant and what is valid.
#pragma once

#include <boost/program_options.hpp>
#include <string>

namespace argosy {

// Boost's words for a value of the wrong type name neither the option's form nor what is valid, and
// an unknown option not its neighbour.
std::string explain(const boost::program_options::error& error,
                    const boost::program_options::options_description& options);

// Throws boost's errors; ConfigError for a word that belongs to no option.
void store_command_line(const boost::program_options::options_description& options, int argc,
                        const char* const* argv, boost::program_options::variables_map& values);

// --config FILE. Throws ConfigError.
void read_config_file(const std::string& path,
                      const boost::program_options::options_description& options,
                      boost::program_options::variables_map& values);

}  // namespace argosy
