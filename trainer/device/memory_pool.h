// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Blocks of one device, kept when they are freed, and the bytes in use by category.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "planner/spec/types.h"
#include "trainer/device/block_loans.h"
#include "trainer/device/device_backend.h"

namespace argosy {

// Bytes as requested, by category. Freed blocks are kept and reused by size, so that a steady step
// maps no memory.
struct MemoryUse {
  std::array<int64_t, kNumMemoryCategories> current{}, peak{};
  int64_t total_current = 0, total_peak = 0;
};

// Who blocks are kept for. Those that a captured step uses are its own (device_graph.h): whoever
// else got one would be written over whenever it is launched.
enum class BlockList { others, steps };

class MemoryPool {
 public:
  explicit MemoryPool(std::unique_ptr<DeviceBackend> backend) : backend_(std::move(backend)) {}
  ~MemoryPool();
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;

  // A block for `bytes`, counted under `category`. Where the device has none left, blocks that
  // nobody uses are given back first; then it throws Error naming category, wanted, free, in use,
  // and what would help.
  void* take(int64_t bytes, MemoryCategory category);
  // list: that of when it was taken.
  void give_back(void* block, int64_t bytes, MemoryCategory category,
                 BlockList list = BlockList::others);
  void recategorize(int64_t bytes, MemoryCategory from, MemoryCategory to);

  BlockList list() const { return list_; }  // from which blocks are taken now
  void set_list(BlockList list) { list_ = list; }
  // Whether those kept for steps stay, even where memory ends.
  void reserve_step_blocks(bool reserved) { steps_are_reserved_ = reserved; }

  const MemoryUse& use() const { return use_; }
  void reset_peaks();
  // Blocks that nobody uses go back to the device, once the ops that were begun are done. False:
  // there were none.
  bool release_unused();
  // Of blocks that nobody uses, as allocated.
  int64_t kept_bytes() const {
    return kept(BlockList::others).total_bytes + kept(BlockList::steps).total_bytes;
  }
  DeviceBackend& backend() const { return *backend_; }

 private:
  struct Kept {
    std::map<int64_t, std::vector<void*>> blocks;  // by block size in bytes
    int64_t total_bytes = 0;
  };
  const Kept& kept(BlockList list) const { return kept_[static_cast<size_t>(list)]; }
  Kept& kept(BlockList list) { return kept_[static_cast<size_t>(list)]; }
  void* take_kept(int64_t size_bytes);  // of the list from which blocks are taken now
  void keep(void* block, int64_t size_bytes, BlockList list);
  void* borrow(int64_t size_bytes);
  void* allocate(int64_t size_bytes);
  void release(Kept& kept);

  std::unique_ptr<DeviceBackend> backend_;
  MemoryUse use_;
  std::array<Kept, 2> kept_;  // [BlockList]
  BlockList list_ = BlockList::others;
  bool steps_are_reserved_ = false;
  BlockLoans loans_;
};

// The size that a block is allocated with, so that ragged requests (tokens of an expert) find
// blocks to reuse: eight classes between two powers of two, in the backend's steps.
int64_t block_size_bytes(const DeviceBackend& backend, int64_t requested_bytes);

}  // namespace argosy
