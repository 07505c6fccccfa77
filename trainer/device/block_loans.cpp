// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/device/block_loans.h"

#include <iterator>

namespace argosy {

void BlockLoans::note_shortage(int64_t size_bytes) {
  for (const auto& [block, lent] : lent_) {
    if (lent.size_bytes == size_bytes) wanted_back_.insert(size_bytes);
  }
}

void* BlockLoans::take(int64_t piece_bytes) {
  for (auto& [block, lent] : lent_) {
    const auto again = lent.free_pieces.find(piece_bytes);
    void* piece = nullptr;
    if (again != lent.free_pieces.end() && !again->second.empty()) {
      piece = again->second.back();
      again->second.pop_back();
    } else if (lent.cut_bytes + piece_bytes <= lent.size_bytes) {
      piece = block + lent.cut_bytes;
      lent.cut_bytes += piece_bytes;
    } else {
      continue;
    }
    ++lent.num_pieces;
    return piece;
  }
  return nullptr;
}

bool BlockLoans::give_back(void* piece, int64_t piece_bytes, Returned* returned) {
  auto at = lent_.upper_bound(static_cast<char*>(piece));
  if (at == lent_.begin()) return false;
  at = std::prev(at);
  auto& [block, lent] = *at;
  if (static_cast<char*>(piece) >= block + lent.size_bytes) return false;
  if (--lent.num_pieces > 0) {
    lent.free_pieces[piece_bytes].push_back(piece);
    return true;
  }
  *returned = {block, lent.size_bytes};
  lent_.erase(at);
  return true;
}

}  // namespace argosy
