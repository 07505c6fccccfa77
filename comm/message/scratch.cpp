// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/message/scratch.h"

#include <algorithm>
#include <utility>

namespace argosy {

// The smallest block that is large enough, unless it is far too large.
ScratchPool::Block ScratchPool::take(int64_t bytes) {
  constexpr int64_t kMaxWaste = 8;  // times the size asked for
  auto best = free_.end();
  for (auto block = free_.begin(); block != free_.end(); ++block) {
    const bool fits = block->bytes >= bytes && block->bytes <= kMaxWaste * bytes;
    if (fits && (best == free_.end() || block->bytes < best->bytes)) best = block;
  }
  if (best == free_.end()) {
    return {std::make_unique_for_overwrite<std::byte[]>(static_cast<size_t>(bytes)), bytes};
  }
  Block block = std::move(*best);
  free_.erase(best);
  return block;
}

void ScratchPool::give_back(Block block) {
  constexpr size_t kMaxFree = 8;  // more are never under way in a training step
  if (free_.size() == kMaxFree) free_.erase(free_.begin());  // the one that waited longest
  free_.push_back(std::move(block));
}

}  // namespace argosy
