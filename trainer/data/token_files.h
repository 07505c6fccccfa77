// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// llm.c's files of tokens, written; reading is behind open_tokens (dataset.h).
#pragma once

#include <cstdint>
#include <filesystem>

#include "trainer/data/dataset.h"

namespace argosy {

// A tokenizer of so many tokens fits into 16 bits a token.
inline constexpr int64_t kMost16BitIds = 1 << 16;

// Writes all tokens of `source`, of a tokenizer with `num_ids` tokens, whole or not at all. Throws
// ConfigError for more tokens than the format can count (2^31 - 1), Error naming the file.
void write_bin(const std::filesystem::path& path, const TokenSource& source, int64_t num_ids);

}  // namespace argosy
