// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// Loops of the CPU kernels: who computes which rows or columns. No result depends on the number of
// threads: every sum has one owner, or a fixed block of its own.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "planner/spec/integers.h"
#include "planner/spec/mesh.h"
#include "trainer/device/device_backend.h"
#include "trainer/ops/simd_math.h"
#include "trainer/ops/vector_rows.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// The type in which two types meet: double if either is, else float.
template <typename A, typename B>
using Wider =
    std::conditional_t<std::is_same_v<A, double> || std::is_same_v<B, double>, double, float>;

// Columns of one owner in a sum over rows: at least 256 bytes of fp32, four cache lines; at most
// what stays in a level-1 cache.
inline constexpr int64_t kColumnBlock = 64, kMostColumns = 4096;

// body(row) for each row; rows are independent. `row_elements` sizes the work of one.
template <typename Body>
void for_rows(int64_t num_rows, int64_t row_elements, const Body& body) {
  const bool parallel = num_rows * row_elements >= kParallelElements;
#pragma omp parallel for schedule(static) if (parallel)
  for (int64_t row = 0; row < num_rows; ++row) body(row);
}

// body(begin, end) for blocks of [0, size): element by element work and sums with an owner a block.
template <typename Body>
void for_blocks(int64_t size, int64_t block, int64_t work_per_element, const Body& body) {
  const int64_t num_blocks = (size + block - 1) / block;
  const bool parallel = size * work_per_element >= kParallelElements && num_blocks > 1;
#pragma omp parallel for schedule(static) if (parallel)
  for (int64_t i = 0; i < num_blocks; ++i) body(i * block, std::min(size, (i + 1) * block));
}

// Elements of one block of element by element work: 16 kB of fp32, half of a level-1 cache.
inline constexpr int64_t kElementBlock = 4096;

template <typename Body>
void for_elements(int64_t size, const Body& body) {
  for_blocks(size, kElementBlock, 1, body);
}

// Rows of a block that has sums of its own, in a sum over rows: a thread reads whole rows, one
// behind the other, and the number of threads changes no bit. A multiple of `least`, and so many
// that there are at most 128 blocks: their sums are written, and read once more.
inline int64_t rows_of_block(int64_t num_rows, int64_t least) {
  constexpr int64_t kMostBlocks = 128;
  return least * std::max<int64_t>(1, ceil_div(num_rows, kMostBlocks * least));
}

// body(begin, end) for blocks of columns of a (num_rows, num_cols) matrix; body walks all rows. A
// thread takes as many neighbouring columns as it can: it reads rows in long pieces. A column's sum
// does not depend on the block that it is in.
template <typename Body>
void for_columns(int64_t num_rows, int64_t num_cols, const Body& body) {
  const int64_t threads = num_rows * num_cols >= kParallelElements ? omp_get_max_threads() : 1;
  const int64_t share = std::max<int64_t>(1, (num_cols + threads - 1) / threads);
  const int64_t blocks_of_share = (share + kColumnBlock - 1) / kColumnBlock;
  for_blocks(num_cols, std::min(blocks_of_share * kColumnBlock, kMostColumns), num_rows, body);
}

// sums (C) += the rows of partials (blocks,C), in their order; both of A.
template <typename A>
void add_partials(const Tensor& partials, const Tensor& sums) {
  const int64_t blocks = partials.dim(0), cols = partials.dim(1);
  const A* from = partials.data<A>();
  A* to = sums.data<A>();
  for_columns(blocks, cols, [=](int64_t begin, int64_t end) {
    for (int64_t b = 0; b < blocks; ++b) {
#pragma omp simd
      for (int64_t c = begin; c < end; ++c) to[c] += from[b * cols + c];
    }
  });
}

// The pointer to elements of T, which is bfloat16 wherever VectorRows are used.
template <typename T>
auto* bf16(T* pointer) {
  using Element = std::conditional_t<std::is_const_v<T>, const bfloat16, bfloat16>;
  return reinterpret_cast<Element*>(pointer);
}

// The CPU's vector loops for rows of T, or null: T is not bf16, or there are none.
template <typename T>
const detail::VectorRows* vector_rows_of() {
  return std::is_same_v<T, bfloat16> ? detail::vector_rows() : nullptr;
}

// body(rows, begin, size) for blocks of [0, size), if there are vector loops for T; else false.
template <typename T, typename Body>
bool for_vectors(int64_t size, const Body& body) {
  const detail::VectorRows* rows = vector_rows_of<T>();
  if (rows == nullptr) return false;
  for_elements(size, [&](int64_t begin, int64_t end) { body(*rows, begin, end - begin); });
  return true;
}

// Asks for bytes `part` of a row that is read or written soon, where no hardware can guess it: rows
// that indices choose, or that arithmetic keeps memory from running ahead to. Into the level-2
// cache, which waits for more lines at once than level 1: a Zen 4 copied rows of 3 KiB from random
// places at 21 GB/s so and at 15 GB/s into level 1, whose two dozen lines are all taken then.
inline void prefetch_row(const void* row, Range part) {
  constexpr int kIntoLevel2 = 2;
  for (int64_t at = part.begin; at < part.end; at += kLineBytes)
    __builtin_prefetch(static_cast<const char*>(row) + at, 0, kIntoLevel2);
}

// Rows that indices choose are asked for so many ahead, a piece while a piece of this row is worked
// on: whoever asks for more lines at once than are on their way waits. Measured on a Zen 4, one
// thread, share of a plain loop: tokens to experts 80 to 84% in fp32 and 102% in bf16 so, 74 and
// 97% 6 KiB ahead, 69% in both 12 KiB ahead.
inline constexpr int64_t kPieceBytes = 256;
inline int64_t rows_ahead(int64_t row_bytes) {
  constexpr int64_t kAheadBytes = 4096;
  return std::clamp<int64_t>(kAheadBytes / std::max<int64_t>(row_bytes, 1), 1, 16);
}

// body(piece) for pieces of [0, row_bytes), each a Range of bytes. The size of all but the last is
// known to the compiler: what copies them is a few vector moves, not a call.
template <typename Body>
inline void for_pieces(int64_t row_bytes, const Body& body) {
  int64_t begin = 0;
  for (; begin + kPieceBytes <= row_bytes; begin += kPieceBytes)
    body(Range{begin, begin + kPieceBytes});
  if (begin < row_bytes) body(Range{begin, row_bytes});
}

// A piece of a row to another.
inline void copy_piece(const void* from, void* to, Range part) {
  std::memcpy(static_cast<char*>(to) + part.begin, static_cast<const char*>(from) + part.begin,
              static_cast<size_t>(part.size()));
}

// The positions (N) int32, each known to be a row of a table of num_positions.
inline const int32_t* checked_positions(const Tensor& positions, int64_t num_positions) {
  const int32_t* position = positions.data<int32_t>();
  for (int64_t i = 0; i < positions.size(); ++i) {
    CHECK(position[i] >= 0 && position[i] < num_positions, "position ", position[i], " of row ", i,
          ", a table of ", num_positions, " positions");
  }
  return position;
}

}  // namespace argosy::ops
