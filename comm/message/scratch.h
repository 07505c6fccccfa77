// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Memory that reductions receive into. A step makes hundreds of calls: fresh memory each time would
// be zeroed and paged in each time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace argosy {

// Blocks of one rank, handed out and taken back; not thread-safe.
class ScratchPool {
 public:
  // Uninitialised memory of at least `bytes`. Give it back when done.
  struct Block {
    std::unique_ptr<std::byte[]> data;
    int64_t bytes = 0;
  };
  Block take(int64_t bytes);
  void give_back(Block block);

 private:
  std::vector<Block> free_;
};

// A block for as long as this lives.
class Scratch {
 public:
  Scratch() = default;
  Scratch(std::shared_ptr<ScratchPool> pool, int64_t bytes)
      : pool_(std::move(pool)), block_(pool_->take(bytes)) {}
  ~Scratch() {
    if (pool_) pool_->give_back(std::move(block_));
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::byte* data() const { return block_.data.get(); }

 private:
  std::shared_ptr<ScratchPool> pool_;
  ScratchPool::Block block_;
};

}  // namespace argosy
