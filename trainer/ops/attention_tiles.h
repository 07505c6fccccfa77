// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the two passes of attention share. One task is one key/value head of one sequence: its keys
// and values are packed once (converted to the accumulator type, padded to whole vectors) and serve
// all of its query heads. A task is one thread's, so dk and dv are summed in a fixed order whatever
// the number of threads. Included by attention_*_cpu.cpp only.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include "trainer/ops/attention.h"
#include "trainer/ops/simd_math.h"
#include "trainer/ops/tile_product.h"

namespace argosy::ops::detail {

// Queries and keys of a tile; three fp32 tiles of it fit the L1 cache.
inline constexpr int64_t kTile = 64;

inline int64_t round_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Hands out parts of a thread's workspace; without memory it only counts.
template <typename A>
struct Arena {
  A* memory;
  int64_t used = 0;
  A* take(int64_t elements) {
    A* part = memory == nullptr ? nullptr : memory + used;
    used += round_up(elements, 64 / static_cast<int64_t>(sizeof(A)));  // whole cache lines
    return part;
  }
};

// One head of one sequence inside of a tensor: row t starts at data + t * stride.
template <typename T>
struct HeadView {
  T* data;
  int64_t stride;
};
template <typename T>
HeadView<T> head_of(const Tensor& x, const AttentionShape& s, int64_t batch, int64_t head) {
  return {x.data<T>() + batch * s.seq_len * x.dim(1) + head * s.head_dim, x.dim(1)};
}

// tile (kTile, padded) = factor * rows [begin, begin + kTile) of x; zeros beyond the sequence and
// the head.
template <typename T, typename A>
void pack_rows(const AttentionShape& s, HeadView<T> x, int64_t begin, A factor, int64_t padded,
               A* tile) {
  const int64_t rows = std::clamp<int64_t>(s.seq_len - begin, 0, kTile);
  std::fill_n(tile, kTile * padded, A(0));
  for (int64_t r = 0; r < rows; ++r) {
    const T* row = x.data + (begin + r) * x.stride;
    for (int64_t d = 0; d < s.head_dim; ++d) tile[r * padded + d] = factor * A(row[d]);
  }
}

// tile (head_dim, kTile): the same rows as columns.
template <typename T, typename A>
void pack_columns(const AttentionShape& s, HeadView<T> x, int64_t begin, A* tile) {
  const int64_t rows = std::clamp<int64_t>(s.seq_len - begin, 0, kTile);
  if (rows < kTile) std::fill_n(tile, s.head_dim * kTile, A(0));
  for (int64_t r = 0; r < rows; ++r) {
    const T* row = x.data + (begin + r) * x.stride;
    for (int64_t d = 0; d < s.head_dim; ++d) tile[d * kTile + r] = A(row[d]);
  }
}

// Rows [begin, ...) of x = factor * tile, as far as the sequence goes.
template <typename T, typename A>
void unpack_rows(const AttentionShape& s, const A* tile, int64_t padded, int64_t begin, A factor,
                 HeadView<T> x) {
  const int64_t rows = std::min(kTile, s.seq_len - begin);
  for (int64_t r = 0; r < rows; ++r) {
    T* row = x.data + (begin + r) * x.stride;
    for (int64_t d = 0; d < s.head_dim; ++d) row[d] = T(factor * tile[r * padded + d]);
  }
}

// The keys that queries [begin, begin + kTile) see lie in tiles first..last.
struct KeyTiles {
  int64_t first, last;
};
inline KeyTiles key_tiles(const AttentionShape& s, int64_t begin) {
  const int64_t first_key = s.window == 0 ? 0 : std::max<int64_t>(0, begin - s.window + 1);
  return {first_key / kTile, (std::min(begin + kTile, s.seq_len) - 1) / kTile};
}

// Scores of keys that a query does not see become `masked`.
template <typename A>
void mask_scores(const AttentionShape& s, int64_t query, int64_t key, A masked, A* scores) {
  const bool past_only = key + kTile - 1 <= query;
  const bool in_window = s.window == 0 || key > query + kTile - 1 - s.window;
  if (past_only && in_window) return;
  for (int64_t i = 0; i < kTile; ++i) {
    // The oldest and the newest key of the row, counted inside of the tile.
    const int64_t last = std::clamp<int64_t>(query + i - key, -1, kTile - 1);
    const int64_t oldest = s.window == 0 ? 0 : query + i - key - s.window + 1;
    const int64_t first = std::clamp<int64_t>(oldest, 0, kTile);
    A* row = scores + i * kTile;
    std::fill(row, row + first, masked);
    std::fill(row + last + 1, row + kTile, masked);
  }
}

// Calls task(pass, batch, kv_head) for all key/value heads; each thread has its own Pass.
template <typename Pass, typename A, typename Task>
void for_each_kv_head(DeviceContext& ctx, const AttentionShape& s, DType accumulator, Task&& task) {
  const int64_t tasks = s.batch * s.num_kv_heads;
  if (tasks == 0 || s.seq_len == 0) return;
  const int64_t elements = Pass(s, nullptr).elements;
  const int threads = static_cast<int>(std::min<int64_t>(tasks, omp_get_max_threads()));
  const Tensor memory = ctx.empty({threads, elements}, accumulator, MemoryCategory::workspace);
#pragma omp parallel num_threads(threads)
  {
    Pass pass(s, memory.data<A>() + omp_get_thread_num() * elements);
#pragma omp for schedule(static)
    for (int64_t i = 0; i < tasks; ++i) task(pass, i / s.num_kv_heads, i % s.num_kv_heads);
  }
}

// The log-sum-exps of one head of one sequence.
template <typename A>
HeadView<A> lse_of(const Tensor& lse, const AttentionShape& s, int64_t batch, int64_t head) {
  return {lse.data<A>() + batch * s.seq_len * s.num_heads + head, s.num_heads};
}

}  // namespace argosy::ops::detail
