// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Tokens on disk and which of them a step reads. The sample in slot i of step t is a pure function
// of (seed, step, slot): it does not depend on data parallelism, micro-batch size or where a run
// was resumed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "trainer/tokenizer/tokenizer_folder.h"

namespace argosy {

// A corpus as one stream of tokens, memory-mapped where the format allows.
class TokenSource {
 public:
  virtual ~TokenSource() = default;
  virtual int64_t num_tokens() const = 0;
  virtual int32_t token(int64_t index) const = 0;
  // True if the token at `index` is to be predicted (prompt tokens are not).
  virtual bool is_target(int64_t) const { return true; }
  virtual int64_t num_targets() const { return num_tokens(); }
  virtual int32_t max_token() const = 0;  // largest id there is
  // Whether it is known where documents begin, other than by a token that ends them: rows are
  // documents.
  virtual bool knows_documents() const { return false; }
  virtual bool begins_document(int64_t) const { return false; }
  // Whether the file says where its rows, or the sequences of its index, begin; their first tokens.
  virtual bool has_rows() const { return false; }
  virtual std::vector<int64_t> row_begins() const { return {}; }
  // True if it was text, that a tokenizer has read.
  virtual bool is_text() const { return false; }
  // Memory of this process, beside the pages of the file, which the ranks of a host share.
  virtual int64_t held_bytes() const { return 0; }
};

// By its name: a file of text, or of rows that may hold text.
bool may_hold_text(const std::filesystem::path& path);

// By the file's content and name: llm.c .bin (magic 20240520 u16, 20240801 u32), Megatron-LM's .bin
// beside its .idx (either may be named, or what both begin with); and text, which `tokenizer`
// reads: .txt, .jsonl or .json with rows (rows.h). Throws ConfigError: missing or empty file,
// unknown format, a token >= vocab_size (naming both).
std::unique_ptr<TokenSource> open_tokens(const std::filesystem::path& path, int64_t vocab_size,
                                         const TokenizerFolder& tokenizer = {});

// Cuts a source into samples of seq_len tokens plus the next one as the last target; throws
// ConfigError when there is not one.
class SampleOrder {
 public:
  SampleOrder(int64_t num_tokens, int64_t seq_len, uint64_t seed, const std::string& where);
  int64_t num_samples() const { return num_samples_; }
  // First token of the sample in `slot` (0..global_batch-1) of `step` (first is 1): a fresh
  // permutation every epoch.
  int64_t first_token(int64_t step, int64_t slot, int64_t global_batch) const;
  // 0 until every sample has been read once.
  int64_t epoch(int64_t step, int64_t slot, int64_t global_batch) const;

  // Orders of two parts of the samples, drawn by the seed and not by their place in the file:
  // training, and as many as `num_held_out`, of which there is at least one in either.
  struct Split;
  Split hold_out(int64_t num_held_out) const;

 private:
  int64_t num_samples_ = 0, seq_len_ = 0;
  uint64_t seed_ = 0;
  // Of a part: its first place in the draw of all samples, of which there are so many. 0: it is
  // all.
  int64_t first_place_ = 0, num_drawn_ = 0;
};
struct SampleOrder::Split {
  SampleOrder training, held_out;
};

// What counts: every slot, epoch after epoch (training), or each sample once (evaluation): slots
// beyond the first epoch are masked.
enum class Epochs { all, first };

// inputs and targets of `count` consecutive slots: row-major (count, seq_len); target -1 where
// masked.
struct Batch {
  std::vector<int32_t> inputs, targets;
  std::vector<bool> begins_document = {};  // of each input; empty where the source does not know
  std::vector<bool> ends_document = {};    // the same of the token behind each input
};
Batch read_batch(const TokenSource& source, const SampleOrder& order, int64_t step,
                 int64_t first_slot, int64_t count, int64_t seq_len, int64_t global_batch,
                 Epochs epochs = Epochs::all);

}  // namespace argosy
