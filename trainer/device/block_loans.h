// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Large blocks that nobody uses, lent in pieces to what lives shortly: the logits of the head's
// last chunk are dead when the backward pass asks for its scratch.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

namespace argosy {

class BlockLoans {
 public:
  // Blocks smaller than this are not lent, nor pieces smaller than that.
  static constexpr int64_t kSmallestBlock = int64_t{32} << 20, kSmallestPiece = int64_t{1} << 20;

  // Whether blocks of this size may be lent: none whose owner ever came back too early.
  bool may_lend(int64_t size_bytes) const {
    return size_bytes >= kSmallestBlock && !wanted_back_.contains(size_bytes);
  }
  void lend(void* block, int64_t size_bytes) {
    lent_[static_cast<char*>(block)] = {.size_bytes = size_bytes};
  }
  // Nobody has a block of this size and a new one must be made. If one is lent that is the last
  // time: its pieces live longer than was thought.
  void note_shortage(int64_t size_bytes);

  // A piece of a block that is lent already, or null. Sizes are multiples of a cache line.
  void* take(int64_t piece_bytes);
  // False: no piece of any block. `*returned` is the block whose last piece it was, or null.
  struct Returned {
    void* block = nullptr;
    int64_t size_bytes = 0;
  };
  bool give_back(void* piece, int64_t piece_bytes, Returned* returned);

 private:
  struct Lent {
    int64_t size_bytes = 0, cut_bytes = 0, num_pieces = 0;   // pieces: in use
    std::map<int64_t, std::vector<void*>> free_pieces = {};  // cut and given back, by size
  };
  std::map<char*, Lent> lent_;  // by first byte
  std::set<int64_t> wanted_back_;
};

}  // namespace argosy
