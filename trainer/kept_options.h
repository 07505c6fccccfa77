// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Options that a run keeps: whoever goes on with it need not say them again.
#pragma once

#include <boost/program_options/variables_map.hpp>

namespace argosy {

// What is not among `values` gets the value that run.cfg has: of the run that --resume goes on
// with, how rows become samples and what the chat template gets; of the run whose adapter, else
// weights, --generate takes, the latter. Throws ConfigError naming the file where it cannot be
// read.
void keep_options_of_run(boost::program_options::variables_map& values);

}  // namespace argosy
