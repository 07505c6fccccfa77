// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/device/memory_pool.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <exception>

#include "planner/spec/check.h"

namespace argosy {
namespace {

void add_bytes(MemoryUse& use, MemoryCategory category, int64_t bytes) {
  const auto c = static_cast<size_t>(category);
  use.current[c] += bytes;
  use.peak[c] = std::max(use.peak[c], use.current[c]);
  use.total_current += bytes;
  use.total_peak = std::max(use.total_peak, use.total_current);
}

// What takes fewer bytes of a host, all of whose ranks keep their state there.
constexpr const char* kHostRemedy =
    "a plan whose ranks share the optimizer's state (zero=1 or more with more dp, or more tp or "
    "pp), fewer ranks on a node, --task lora, or offload=none";

// What takes fewer bytes of this kind, in the words of the planner and the plan.
const char* remedy(MemoryCategory category) {
  switch (category) {
    case MemoryCategory::parameters:
    case MemoryCategory::gradients:
    case MemoryCategory::optimizer:
      return "a plan with more tp or pp, a higher zero stage, or --task lora";
    case MemoryCategory::activations:
      return "a plan with recompute=selective or full, a smaller micro_batch, more cp, or "
             "sequence_parallel=1";
    case MemoryCategory::buffers:
    case MemoryCategory::workspace:
      break;
  }
  return "a plan with a smaller micro_batch or more tp";
}

std::string in_mib(int64_t bytes) {
  return concat((bytes + (1 << 19)) >> 20, " MiB");
}

std::string in_use(const MemoryUse& use) {
  std::string text;
  for (size_t c = 0; c < use.current.size(); ++c) {
    if (use.current[c] == 0) continue;
    if (!text.empty()) text += ", ";
    text += concat(to_string(static_cast<MemoryCategory>(c)), " ", in_mib(use.current[c]));
  }
  return text.empty() ? "nothing" : text;
}

}  // namespace

int64_t block_size_bytes(const DeviceBackend& backend, int64_t requested_bytes) {
  const int64_t bytes = std::max<int64_t>(requested_bytes, kLineBytes);
  const auto power = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(bytes)));
  const int64_t step = std::max(power / 8, backend.size_step_bytes(bytes));
  return (bytes + step - 1) / step * step;
}

MemoryPool::~MemoryPool() {
  for (Kept& one : kept_) release(one);
}

void MemoryPool::release(Kept& kept) {
  for (auto& [size_bytes, blocks] : kept.blocks) {
    for (void* block : blocks) backend_->release(block);
  }
  kept = {};
}

bool MemoryPool::release_unused() {
  const int64_t reserved_bytes = steps_are_reserved_ ? kept(BlockList::steps).total_bytes : 0;
  if (kept_bytes() == reserved_bytes) return false;
  backend_->synchronize();  // ops that were begun may still use the blocks
  release(kept(BlockList::others));
  if (!steps_are_reserved_) release(kept(BlockList::steps));
  return true;
}

void* MemoryPool::take_kept(int64_t size_bytes) {
  Kept& mine = kept(list_);
  const auto found = mine.blocks.find(size_bytes);
  if (found == mine.blocks.end() || found->second.empty()) return nullptr;
  void* block = found->second.back();  // the block freed last: likely still in the cache
  found->second.pop_back();
  mine.total_bytes -= size_bytes;
  return block;
}

void MemoryPool::keep(void* block, int64_t size_bytes, BlockList list) {
  kept(list).blocks[size_bytes].push_back(block);
  kept(list).total_bytes += size_bytes;
}

// A piece of a large block that nobody uses. Of the host's memory alone: a GPU's blocks are aligned
// to more than a cache line, and its libraries choose by that.
void* MemoryPool::borrow(int64_t size_bytes) {
  if (size_bytes < BlockLoans::kSmallestPiece || !backend_->is_host_memory()) return nullptr;
  if (void* piece = loans_.take(size_bytes)) return piece;
  const auto& blocks = kept(list_).blocks;
  for (auto it = blocks.rbegin(); it != blocks.rend() && it->first > size_bytes; ++it) {
    if (it->second.empty() || !loans_.may_lend(it->first)) continue;
    loans_.lend(take_kept(it->first), it->first);
    return loans_.take(size_bytes);
  }
  return nullptr;
}

void* MemoryPool::allocate(int64_t size_bytes) {
  loans_.note_shortage(size_bytes);
  if (void* block = backend_->allocate(size_bytes)) return block;
  return release_unused() ? backend_->allocate(size_bytes) : nullptr;
}

void* MemoryPool::take(int64_t bytes, MemoryCategory category) {
  const int64_t size_bytes = block_size_bytes(*backend_, bytes);
  void* block = take_kept(size_bytes);
  if (block == nullptr && category == MemoryCategory::workspace) block = borrow(size_bytes);
  if (block == nullptr) block = allocate(size_bytes);
  if (block == nullptr) {
    const bool is_beside = backend_->is_beside_device();
    throw Error(
        concat("out of ", is_beside ? "host" : "device", " memory: ", to_string(category),
               " wants ", bytes, " bytes (", in_mib(bytes), "), ", in_mib(backend_->free_bytes()),
               " of ", in_mib(backend_->total_bytes()), " are free; in use here: ", in_use(use_),
               steps_are_reserved_
                   ? concat(", kept for CUDA graphs ", in_mib(kept(BlockList::steps).total_bytes),
                            " (--cuda-graphs off keeps none)")
                   : "",
               "; what would help: ", is_beside ? kHostRemedy : remedy(category)));
  }
  add_bytes(use_, category, bytes);
  return block;
}

void MemoryPool::give_back(void* block, int64_t bytes, MemoryCategory category, BlockList list) {
  add_bytes(use_, category, -bytes);
  const int64_t size_bytes = block_size_bytes(*backend_, bytes);
  backend_->forget(block, size_bytes);
  BlockLoans::Returned returned;
  if (!loans_.give_back(block, size_bytes, &returned)) {
    keep(block, size_bytes, list);
  } else if (returned.block != nullptr) {
    keep(returned.block, returned.size_bytes, list);
  }
}

void MemoryPool::recategorize(int64_t bytes, MemoryCategory from, MemoryCategory to) {
  add_bytes(use_, from, -bytes);
  add_bytes(use_, to, bytes);
}

void MemoryPool::reset_peaks() {
  use_.peak = use_.current;
  use_.total_peak = use_.total_current;
}

}  // namespace argosy
