// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// One function a file format, behind open_tokens (dataset.h). All throw ConfigError naming the
// file.
#pragma once

#include <filesystem>
#include <memory>

#include "trainer/data/dataset.h"

namespace argosy {

// Raw text, as one text without an end.
std::unique_ptr<TokenSource> open_text(const std::filesystem::path& path,
                                       const TokenizerFolder& tokenizer);

// llm.c's .bin, 16 or 32 bits a token; the file's size must be what its header counts.
std::unique_ptr<TokenSource> open_bin(const std::filesystem::path& path);
bool has_bin_magic(const std::filesystem::path& path);

// Megatron-LM's PREFIX.bin and PREFIX.idx; `path` is either of them. Sequences follow each other as
// they lie in the .bin, which the index must cover.
std::unique_ptr<TokenSource> open_indexed(const std::filesystem::path& path);
// Whether a readable index stands beside it (or is it).
bool has_index(const std::filesystem::path& path);

// JSON objects (rows.h), one a line, or in one list; errors name the row.
std::unique_ptr<TokenSource> open_rows(const std::filesystem::path& path,
                                       const TokenizerFolder& tokenizer);

}  // namespace argosy
