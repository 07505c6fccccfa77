// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Text as a file of tokens, once for all ranks and runs: argosy-train --tokenize OUT.bin --data
// TEXT --tokenizer FOLDER.
#pragma once

#include <iosfwd>

#include "comm/communicator.h"
#include "trainer/options.h"

namespace argosy {

// Writes llm.c's format and says how much to `out`. Throws ConfigError on more than one rank, where
// the file exists, where nothing reads the text, or where parts of it are not to be learned: such a
// file has no marks.
int run_tokenize(const TrainOptions& options, Communicator& world, std::ostream& out);

}  // namespace argosy
