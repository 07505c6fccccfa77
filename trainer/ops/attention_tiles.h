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
#include <vector>

#include "planner/spec/integers.h"
#include "trainer/ops/attention.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/simd_math.h"
#include "trainer/ops/tile_product.h"

namespace argosy::ops::detail {

// Queries and keys of a tile; three fp32 tiles of it fit the L1 cache.
inline constexpr int64_t kTile = 64;

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

// Consecutive rows of one span, `size` of them at most.
struct Tile {
  int64_t row = 0, position = 0, rows = 0;  // first row in the sequence; where it stands; number
};
inline std::vector<Tile> tiles_of(const std::vector<AttentionSpan>& spans, int64_t size = kTile) {
  std::vector<Tile> tiles;
  for (const AttentionSpan& span : spans) {
    for (int64_t i = 0; i < span.length; i += size) {
      tiles.push_back({span.row + i, span.position + i, std::min(size, span.length - i)});
    }
  }
  return tiles;
}

// Which head of which sequence, of tensors with so many heads: of queries or of keys.
struct HeadIndex {
  int64_t batch = 0, head = 0, num_heads = 0;
  int64_t size_in(const Tensor& x) const { return x.dim(1) / num_heads; }
  // Elements before it; s.batch > 0.
  int64_t offset_in(const Tensor& x, const AttentionShape& s) const {
    return batch * (x.dim(0) / s.batch) * x.dim(1) + head * size_in(x);
  }
};

// One head of one sequence inside of a tensor: row t, `size` elements, starts at data + t * stride.
template <typename T>
struct HeadView {
  T* data;
  int64_t stride;
  int64_t size;
};
template <typename T>
HeadView<T> head_of(const Tensor& x, const AttentionShape& s, const HeadIndex& index) {
  return {x.data<T>() + index.offset_in(x, s), x.dim(1), index.size_in(x)};
}

// packed (kTile, padded) = factor * the tile's rows of x; zeros beyond the tile and the head.
template <typename T, typename A>
void pack_rows(HeadView<T> x, const Tile& tile, A factor, int64_t padded, A* packed) {
  std::fill_n(packed, kTile * padded, A(0));
  for (int64_t r = 0; r < tile.rows; ++r) {
    const T* row = x.data + (tile.row + r) * x.stride;
    for (int64_t d = 0; d < x.size; ++d) packed[r * padded + d] = factor * A(row[d]);
  }
}

// packed (x.size, kTile): the same rows as columns.
template <typename T, typename A>
void pack_columns(HeadView<T> x, const Tile& tile, A* packed) {
  if (tile.rows < kTile) std::fill_n(packed, x.size * kTile, A(0));
  for (int64_t r = 0; r < tile.rows; ++r) {
    const T* row = x.data + (tile.row + r) * x.stride;
    for (int64_t d = 0; d < x.size; ++d) packed[d * kTile + r] = A(row[d]);
  }
}

// The tile's rows of x = or += factor * packed.
template <typename T, typename A>
void unpack_rows(const A* packed, int64_t padded, const Tile& tile, A factor, Merge merge,
                 HeadView<T> x) {
  for (int64_t r = 0; r < tile.rows; ++r) {
    T* row = x.data + (tile.row + r) * x.stride;
    const A* from = packed + r * padded;
    if (merge == Merge::accumulate) {
      for (int64_t d = 0; d < x.size; ++d) row[d] = T(A(row[d]) + factor * from[d]);
    } else {
      for (int64_t d = 0; d < x.size; ++d) row[d] = T(factor * from[d]);
    }
  }
}

// First keys of the documents of one sequence's rows; null without documents.
inline const int32_t* document_begins(const AttentionShape& s, int64_t batch) {
  if (!s.document_begin.defined()) return nullptr;
  return s.document_begin.data<int32_t>() + batch * s.seq_len;
}

// The oldest key that the query in `row` at `position` sees.
inline int64_t oldest_key(const AttentionShape& s, const int32_t* begins, int64_t row,
                          int64_t position) {
  const int64_t in_window = s.window == 0 ? 0 : position - s.window + 1;
  return begins == nullptr ? in_window : std::max<int64_t>(in_window, begins[row]);
}

// False if no query of the one tile sees a key of the other. What a query sees begins later the
// later it stands.
inline bool is_visible(const AttentionShape& s, const int32_t* begins, const Tile& query,
                       const Tile& key) {
  return key.position < query.position + query.rows &&
         key.position + key.rows > oldest_key(s, begins, query.row, query.position);
}

// Scores of keys that a query does not see become `masked`.
template <typename A>
void mask_scores(const AttentionShape& s, const int32_t* begins, const Tile& query, const Tile& key,
                 A masked, A* scores) {
  const bool past_only = key.rows == kTile && key.position + kTile - 1 <= query.position;
  const int64_t newest = query.rows - 1;
  if (past_only &&
      key.position >= oldest_key(s, begins, query.row + newest, query.position + newest))
    return;
  for (int64_t i = 0; i < query.rows; ++i) {
    // The oldest and the newest key of the row, counted inside of the tile.
    const int64_t position = query.position + i;
    const int64_t last = std::clamp<int64_t>(position - key.position, -1, key.rows - 1);
    const int64_t oldest = oldest_key(s, begins, query.row + i, position) - key.position;
    const int64_t first = std::clamp<int64_t>(oldest, 0, kTile);
    A* row = scores + i * kTile;
    std::fill(row, row + first, masked);
    std::fill(row + last + 1, row + kTile, masked);
  }
}

// Calls body.template operator()<T, O>() with the type of the operands and that of the results,
// which are in the same dtype or in the statistic dtype.
template <typename Body>
void dispatch_result(DType dtype, DType result, Body&& body) {
  dispatch_float(dtype, [&]<typename T>() {
    if (result == dtype) return body.template operator()<T, T>();
    body.template operator()<T, Accumulator<T>>();
  });
}

// Calls task(pass, batch, kv_head) for all key/value heads; each thread has its own pass, which
// make(memory) returns: its `elements` are those of the memory. work: elements that are read, where
// one thread may be enough.
template <typename A, typename Make, typename Task>
void for_each_kv_head(DeviceContext& ctx, const AttentionShape& s, DType accumulator,
                      const Make& make, const Task& task, int64_t work = kParallelElements) {
  const int64_t tasks = s.batch * s.num_kv_heads;
  if (tasks == 0 || s.seq_len == 0) return;
  const int64_t elements = round_up(make(nullptr).elements, 64 / static_cast<int64_t>(sizeof(A)));
  const int64_t most_threads = work < kParallelElements ? 1 : omp_get_max_threads();
  const int threads = static_cast<int>(std::min(tasks, most_threads));
  const Tensor memory = ctx.empty({threads, elements}, accumulator, MemoryCategory::workspace);
#pragma omp parallel num_threads(threads)
  {
    auto pass = make(memory.data<A>() + omp_get_thread_num() * elements);
#pragma omp for schedule(static)
    for (int64_t i = 0; i < tasks; ++i) task(pass, i / s.num_kv_heads, i % s.num_kv_heads);
  }
}

// The log-sum-exps of one head of one sequence.
template <typename A>
HeadView<A> lse_of(const Tensor& lse, const AttentionShape& s, const HeadIndex& index) {
  return head_of<A>(lse, s, index);
}

}  // namespace argosy::ops::detail
