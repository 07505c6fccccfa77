// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Options that a run keeps: whoever goes on with it need not say them again.
#pragma once

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/variables_map.hpp>

namespace argosy {

// What is not among `values` gets the value that run.cfg has: of the run that --resume goes on
// with, how rows become samples, which of them are held out, and what the chat template gets; of
// the run whose adapter, else weights, --generate takes, the last of these. `list`: all options,
// whose types tell how values are read. Throws ConfigError naming the file where it, or a value,
// cannot be read.
void keep_options_of_run(const boost::program_options::options_description& list,
                         boost::program_options::variables_map& values);

}  // namespace argosy
