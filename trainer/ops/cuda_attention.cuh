// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the passes of the plain attention kernel share. A block has a tile of queries or of keys; a
// quarter-warp's worth of threads have a row, and a thread has every sixteenth column: products of
// tiles in shared memory, in fp32.
#pragma once

#include "trainer/ops/attention.h"
#include "trainer/ops/cuda_kernel.cuh"
#include "trainer/ops/cuda_launch.cuh"

namespace argosy::ops::detail {

inline constexpr int kAttentionThreads = 256;
inline constexpr int kRowGroups = 16, kColGroups = 16;  // threads of a block, as a square
// Queries of a tile, 4 or 2 a thread: shared memory holds two such tiles, 163 KiB on an A100.
template <int kHeadDim>
inline constexpr int kTileRows = kHeadDim <= 128 ? 64 : 32;
inline constexpr int kTileCols = 32;  // keys of a tile, 2 a thread
template <int kHeadDim>
inline constexpr int kOwnRows = kTileRows<kHeadDim> / kRowGroups;
inline constexpr int kOwnCols = kTileCols / kColGroups;
inline constexpr int kMostSpans = 64;  // kernel arguments end at 4 KiB
inline constexpr int kMostHeadDim = 256;

// Spans of one side, by value for a kernel.
struct Spans {
  struct Span {
    int32_t row, position, length;
  };
  int count = 0;
  Span spans[kMostSpans] = {};

  // Where row `row` of a sequence stands.
  __device__ int position(int64_t row) const {
    int s = 0;
    while (s + 1 < count && row >= spans[s + 1].row) ++s;
    return spans[s].position + static_cast<int>(row) - spans[s].row;
  }
};
Spans spans_of(const std::vector<AttentionSpan>& spans);

// One head of one sequence: row t starts at data + t * stride.
template <typename T>
struct Rows {
  T* data;
  int64_t stride;
  __device__ T* at(int64_t row) const { return data + row * stride; }
};
template <typename T>
__device__ Rows<T> head_rows(T* x, int64_t sequence, int64_t seq_len, int64_t head,
                             int64_t num_heads, int64_t head_dim) {
  const int64_t stride = num_heads * head_dim;
  return {x + sequence * seq_len * stride + head * head_dim, stride};
}

struct AttentionSizes {
  int64_t seq_len, num_heads, num_kv_heads, head_dim, value_dim, window;
  int64_t num_keys;  // of a sequence; backward: seq_len
  float scale;
  const int32_t* document_begin;  // (N), or null
};
inline AttentionSizes sizes_of(const AttentionShape& s) {
  return {s.seq_len,
          s.num_heads,
          s.num_kv_heads,
          s.head_dim,
          s.value_dim,
          s.window,
          num_keys(s),
          static_cast<float>(s.scale),
          s.document_begin.defined() ? s.document_begin.data<int32_t>() : nullptr};
}

// First position that the query in `row` of `sequence` at `position` sees.
__device__ inline int oldest_key(const AttentionSizes& s, int64_t sequence, int64_t row,
                                 int position) {
  const int in_window = s.window == 0 ? 0 : max(0, position - static_cast<int>(s.window) + 1);
  if (s.document_begin == nullptr) return in_window;
  return max(in_window, s.document_begin[sequence * s.seq_len + row]);
}

__device__ inline int row_group() {
  return static_cast<int>(threadIdx.x) / kColGroups;
}
__device__ inline int col_group() {
  return static_cast<int>(threadIdx.x) % kColGroups;
}

// Over the threads of a row: sixteen neighbouring lanes.
__device__ inline float row_sum(float value) {
  return lanes_sum<kColGroups>(value);
}
__device__ inline float row_max(float value) {
  return lanes_max<kColGroups>(value);
}

// Elements from one row of a tile to the next: odd, so that a column lies in all banks.
template <int kHeadDim>
inline constexpr int kTileStride = kHeadDim + 1;

// tile (rows, kHeadDim) = factor * rows [first, first + rows) of x; zeros beyond `end` and beyond
// the head.
template <int kHeadDim, typename T>
__device__ void load_tile(const Rows<const T>& x, int64_t first, int rows, int64_t end,
                          int64_t head_dim, float factor, float* tile) {
  for (int i = static_cast<int>(threadIdx.x); i < rows * kHeadDim; i += kAttentionThreads) {
    const int r = i / kHeadDim, d = i % kHeadDim;
    const bool exists = first + r < end && d < head_dim;
    tile[r * kTileStride<kHeadDim> + d] = exists ? factor * to_float(x.at(first + r)[d]) : 0.0f;
  }
}

// products[i][j] = the product of rows row_group() + i*kRowGroups of a and col_group() +
// j*kColGroups of b.
template <int kHeadDim, int kRows, int kCols>
__device__ void multiply_rows(const float* a, const float* b, float (&products)[kRows][kCols]) {
  constexpr int kStride = kTileStride<kHeadDim>;
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
#pragma unroll
    for (int j = 0; j < kCols; ++j) products[i][j] = 0;
  }
#pragma unroll 4
  for (int d = 0; d < kHeadDim; ++d) {
    float left[kRows], right[kCols];
#pragma unroll
    for (int i = 0; i < kRows; ++i) left[i] = a[(row_group() + i * kRowGroups) * kStride + d];
#pragma unroll
    for (int j = 0; j < kCols; ++j) right[j] = b[(col_group() + j * kColGroups) * kStride + d];
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
#pragma unroll
      for (int j = 0; j < kCols; ++j) products[i][j] += left[i] * right[j];
    }
  }
}

// sums[i][d] += over the kInner columns c of `weights` (rows, kInner + 1): weights[row][c] *
// b[c][column], for rows row_group() + i*kRowGroups and columns col_group() + d*kColGroups.
template <int kHeadDim, int kInner, int kRows>
__device__ void add_weighted_rows(const float* weights, const float* b,
                                  float (&sums)[kRows][kHeadDim / kColGroups]) {
#pragma unroll 4
  for (int c = 0; c < kInner; ++c) {
    float left[kRows];
#pragma unroll
    for (int i = 0; i < kRows; ++i)
      left[i] = weights[(row_group() + i * kRowGroups) * (kInner + 1) + c];
#pragma unroll
    for (int d = 0; d < kHeadDim / kColGroups; ++d) {
      const float right = b[c * kTileStride<kHeadDim> + col_group() + d * kColGroups];
#pragma unroll
      for (int i = 0; i < kRows; ++i) sums[i][d] += left[i] * right;
    }
  }
}

// Calls body.template operator()<kHeadDim>() with the head's columns, rounded up.
template <typename Body>
void dispatch_head_dim(int64_t head_dim, const Body& body) {
  if (head_dim <= 64) return body.template operator()<64>();
  if (head_dim <= 128) return body.template operator()<128>();
  if (head_dim <= kMostHeadDim) return body.template operator()<kMostHeadDim>();
  throw ConfigError(
      concat("heads of ", head_dim, " columns: --device cuda takes up to ", kMostHeadDim));
}

// Calls body.template operator()<T, O>() with the type of the operands and that of the results.
template <typename Body>
void dispatch_cuda_result(DType dtype, DType result, const Body& body) {
  dispatch_cuda(dtype, [&]<typename T>() {
    if (result == dtype) return body.template operator()<T, T>();
    body.template operator()<T, float>();
  });
}

template <int kHeadDim>
inline constexpr int64_t kQueryTileBytes =
    kTileRows<kHeadDim>* kTileStride<kHeadDim>* static_cast<int64_t>(sizeof(float));
template <int kHeadDim>
inline constexpr int64_t kKeyTileBytes =
    kTileCols* kTileStride<kHeadDim>* static_cast<int64_t>(sizeof(float));
template <int kHeadDim>
inline constexpr int64_t kScoreTileBytes = kTileRows<kHeadDim>*(kTileCols + 1) *
                                           static_cast<int64_t>(sizeof(float));

}  // namespace argosy::ops::detail
