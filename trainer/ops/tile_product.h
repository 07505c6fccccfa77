// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The inner loop of our own CPU products (attention's tiles, the fp64 matmul): a small product of
// packed operands that keeps its sums in vector registers. Included by *_cpu.cpp files only.
#pragma once

#include <cstdint>
#include <cstring>

namespace argosy::ops {

// 16 sums in registers of 64 bytes (of 32 there are 8 x 32) leave room for the operands.
#ifdef __AVX512F__
inline constexpr int64_t kVectorBytes = 64, kTileRows = 8;
#else
inline constexpr int64_t kVectorBytes = 32, kTileRows = 4;
#endif

template <typename A>
struct VectorOf {
  typedef A type __attribute__((vector_size(kVectorBytes)));
};
template <typename A>
inline constexpr int64_t kTileCols = 2 * kVectorBytes / static_cast<int64_t>(sizeof(A));

// c (kTileRows, kTileCols) += a (kTileRows, k) b (k, kTileCols), sums in the order of k. a's
// element (r, kk) is a[r * a_row + kk * a_col], so that a may be a transposed matrix.
template <typename A>
void add_tile_product(int64_t k, const A* a, int64_t a_row, int64_t a_col, const A* b,
                      int64_t b_row, A* c, int64_t c_row) {
  using Vector = typename VectorOf<A>::type;
  constexpr int64_t kLanes = kTileCols<A> / 2;
  Vector sums[kTileRows][2];
#pragma GCC unroll 8
  for (int64_t r = 0; r < kTileRows; ++r) std::memcpy(sums[r], c + r * c_row, sizeof sums[r]);
  for (int64_t kk = 0; kk < k; ++kk) {
    Vector b0, b1;
    std::memcpy(&b0, b + kk * b_row, sizeof b0);
    std::memcpy(&b1, b + kk * b_row + kLanes, sizeof b1);
#pragma GCC unroll 8
    for (int64_t r = 0; r < kTileRows; ++r) {
      const A x = a[r * a_row + kk * a_col];
      sums[r][0] += x * b0;
      sums[r][1] += x * b1;
    }
  }
#pragma GCC unroll 8
  for (int64_t r = 0; r < kTileRows; ++r) std::memcpy(c + r * c_row, sums[r], sizeof sums[r]);
}

// The same for m and n that are multiples of kTileRows and kTileCols.
template <typename A>
void add_product(int64_t m, int64_t n, int64_t k, const A* a, int64_t a_row, int64_t a_col,
                 const A* b, int64_t b_row, A* c, int64_t c_row) {
  for (int64_t j = 0; j < n; j += kTileCols<A>) {
    for (int64_t i = 0; i < m; i += kTileRows) {
      add_tile_product(k, a + i * a_row, a_row, a_col, b + j, b_row, c + i * c_row + j, c_row);
    }
  }
}

}  // namespace argosy::ops
