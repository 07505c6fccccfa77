// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a run reads, training and held-out data alike: tokens, where documents end, how rows become
// samples, and their order.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "planner/spec/plan.h"
#include "trainer/data/dataset.h"
#include "trainer/data/packed_rows.h"
#include "trainer/options.h"
#include "trainer/tokenizer/tokenizer_folder.h"

namespace argosy {

// Tokens and the order in which they are read.
struct DataStream {
  std::shared_ptr<TokenSource> source;  // held-out samples may be some of the training's data
  std::unique_ptr<SampleOrder> order;
  const PackedRows* packed = nullptr;  // the source, where rows stay whole

  const TokenSource& file() const { return packed != nullptr ? packed->rows() : *source; }
};

// What streams are opened with; it must outlive the calls alone.
struct StreamOpener {
  const TrainOptions& options;
  const Plan& plan;
  const std::filesystem::path& tokenizer_folder;  // empty: bytes
  const TokenizerFolder& tokenizer;               // read where there is text
  // Of files of tokens, once they are known: for them a tokenizer may have to be read.
  std::optional<std::vector<int32_t>> ends_of_tokens = {};

  // Throws ConfigError naming the option, the file and what would be valid.
  DataStream open(const char* option, const std::filesystem::path& path, uint64_t seed);

  // Takes this part of the stream's samples, at least one of them, into a stream of their own.
  // Throws ConfigError where there are none left to train on.
  DataStream hold_out(double fraction, DataStream* stream) const;

  // Each of these tokens ends a document of `source`, where it does not know its documents: of
  // --end-of-text, else of the tokenizer that reads the text, else of the model's eos_token_id. Of
  // several of the model's, the tokenizer's own eos_token where a tokenizer lies with the weights
  // and has one. Empty: nobody says.
  std::vector<int32_t> document_ends(const TokenSource& source);
};

// "data     train.jsonl, 1,234,567 tokens, 34% of them learned; tokenizer llama, 128,256 tokens".
// Where rows stay whole, it is their samples that say what is learned.
std::string describe_data(const std::filesystem::path& path, const DataStream& stream,
                          const TokenizerFolder& tokenizer);

// "samples  160 rows in 42 of 256 tokens, 97.3% full, 3 rows cut into 7 pieces, 5,120 tokens
// learned"; "" where there are no rows.
std::string describe_samples(const DataStream& stream, int64_t seq_len);

// What a user may not have meant: much memory for tokens on a host of so many ranks, each of which
// holds them. "" if there is nothing to say.
std::string memory_warning(const DataStream& data, const DataStream& evaluation, int local_ranks);

}  // namespace argosy
