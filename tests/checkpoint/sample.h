// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A small checkpoint of known content, cut in several ways, for the tests of this room.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"

namespace argosy::sample {

struct LogicalTensor {
  std::string name, kind;
  int64_t rows = 0, cols = 1;
  DType dtype = DType::fp32;
};

// Every dtype and kind; odd sizes; one row that is longer than a bucket of the reader.
std::vector<LogicalTensor> tensors();

// How the tensors are dealt out to the ranks.
enum class Cut { whole, rows, cols, grid, flat };
inline constexpr Cut kCuts[] = {Cut::whole, Cut::rows, Cut::cols, Cut::grid, Cut::flat};
const char* to_string(Cut cut);

// The pieces of one rank and their memory.
struct Pieces {
  std::vector<TensorPiece> pieces;
  std::vector<std::vector<unsigned char>> memory;
};

// Pieces with zeros in them: to be loaded into.
Pieces empty_pieces(Cut cut, int rank, int num_ranks);

// Pieces with random bits that depend on (generation, tensor, global index) alone.
Pieces filled_pieces(Cut cut, int rank, int num_ranks, uint64_t generation);

// Saves step `step` with content `generation` from `num_ranks` threads.
void save(const std::filesystem::path& checkpoints_dir, int64_t step, Cut cut, int num_ranks,
          uint64_t generation);

// Loads into `cut` on `num_ranks` threads and compares every bit with `generation`: "" or what
// differs.
std::string load_and_compare(const std::filesystem::path& checkpoint_dir, Cut cut, int num_ranks,
                             uint64_t generation);

// An empty folder that is removed at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// XORs one byte of a file.
void flip_byte(const std::filesystem::path& file, int64_t offset);

// The message of what `action` throws; "" when it throws nothing.
template <typename Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}

}  // namespace argosy::sample
