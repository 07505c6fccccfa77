// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Which tokenizer reads the text of a run.
#pragma once

#include <filesystem>
#include <string>

#include "trainer/data/dataset.h"
#include "trainer/options.h"
#include "trainer/tokenizer/tokenizer_folder.h"

namespace argosy {

// --tokenizer; else what lies with the weights of --init, or in the run folder that goes on. Empty:
// bytes.
// Throws ConfigError where --tokenizer names none.
std::filesystem::path find_tokenizer(const TrainOptions& options);

// What find_tokenizer has found; --end-of-text, if given, is what ends a text, and
// --chat-template-kwargs what the chat template gets. Throws ConfigError naming the file, or the
// variable that is none of the template's.
TokenizerFolder read_found_tokenizer(const TrainOptions& options,
                                     const std::filesystem::path& folder);

// The run folder gets its files, where find_tokenizer looks; none for bytes. Another tokenizer that
// is there is set aside, as tokenizer.1. Throws Error naming the file.
void keep_tokenizer(const std::filesystem::path& folder, const std::filesystem::path& run_dir);

// What a user may not have meant: text read as bytes by a model with many more tokens. "" if there
// is nothing to say.
std::string data_warning(const TokenSource& source, const TokenizerFolder& tokenizer,
                         int64_t vocab_size);

}  // namespace argosy
