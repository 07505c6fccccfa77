// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// 32 x 32 sums in four tiles, two tiles of A and two of B: each loaded tile serves two products, so
// that loads (one of 1 KiB in 8 cycles) keep up with TDPBF16PS (16 cycles).
#include <immintrin.h>

#include <cstring>

#include "trainer/ops/cpu_attention_avx512.h"
#include "trainer/ops/cpu_kernel_list.h"
#include "trainer/ops/cpu_pack_avx512.h"
#include "trainer/ops/cpu_write_avx512.h"

namespace argosy::ops::detail {
namespace {

constexpr int64_t kTileSize = 16;          // rows of a tile, words of a row
constexpr int64_t kRows = 2 * kTileSize;   // of a panel of A
constexpr int kTileStrideBytes = 64;       // of A: a chunk
constexpr int kPanelStrideBytes = 32 * 4;  // of B: kPanelColumns words
static_assert(kRows == kMostPanelRows && kPanelColumns == 2 * kTileSize);

// Palette 1 of the architecture (Intel SDM vol. 1, ch. 18): 8 tiles of 16 rows of 64 bytes.
struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);

void begin() {
  const TileConfig config;
  // gcc 12 declares only 8 bytes of the operand: without this it drops the stores to the others.
  asm volatile("" : : "m"(config) : "memory");
  _tile_loadconfig(&config);
}

void end() {
  _tile_release();
}

// gcc's tile loads do not say that they read memory: stores to it must not move behind them.
inline void finish_stores() {
  asm volatile("" : : : "memory");
}

// Tiles 0 to 3: sums; 4, 5: A; 6, 7: B. The second half of the rows only with kBoth.
template <bool kBoth>
void multiply_tiles(int64_t words, const void* a, const void* b, float* c, int64_t c_stride,
                    bool accumulate) {
  const auto stride_bytes = static_cast<size_t>(c_stride) * sizeof(float);
  float* lower = c + kTileSize * c_stride;
  finish_stores();
  if (accumulate) {
    _tile_loadd(0, c, stride_bytes);
    _tile_loadd(1, c + kTileSize, stride_bytes);
    if constexpr (kBoth) {
      _tile_loadd(2, lower, stride_bytes);
      _tile_loadd(3, lower + kTileSize, stride_bytes);
    }
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  const auto* a_at = static_cast<const char*>(a);
  const auto* b_at = static_cast<const char*>(b);
  for (; words > 0; words -= kChunkWords) {
    _tile_loadd(6, b_at, kPanelStrideBytes);
    _tile_loadd(7, b_at + 64, kPanelStrideBytes);
    _tile_loadd(4, a_at, kTileStrideBytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    if constexpr (kBoth) {
      _tile_loadd(5, a_at + kTileSize * kTileStrideBytes, kTileStrideBytes);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
    a_at += kRows * kTileStrideBytes;
    b_at += kTileSize * kPanelStrideBytes;
  }
  _tile_stored(0, c, stride_bytes);
  _tile_stored(1, c + kTileSize, stride_bytes);
  if constexpr (kBoth) {
    _tile_stored(2, lower, stride_bytes);
    _tile_stored(3, lower + kTileSize, stride_bytes);
  }
}

void copy_rows(int64_t rows, const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  for (int64_t r = 0; r < rows; ++r) {
    std::memcpy(to + r * to_stride, from + r * from_stride, kPanelColumns * sizeof(float));
  }
}

// Whole tiles are stored: fewer rows go by way of a buffer.
void multiply(int64_t rows, int64_t words, const void* a, const void* b, float* c, int64_t c_stride,
              bool accumulate) {
  if (rows == kRows) return multiply_tiles<true>(words, a, b, c, c_stride, accumulate);
  if (rows == kTileSize) return multiply_tiles<false>(words, a, b, c, c_stride, accumulate);
  alignas(64) float buffer[kRows * kPanelColumns];
  if (accumulate) copy_rows(rows, c, c_stride, buffer, kPanelColumns);
  const auto tiles = rows < kTileSize ? multiply_tiles<false> : multiply_tiles<true>;
  tiles(words, a, b, buffer, kPanelColumns, accumulate);
  copy_rows(rows, buffer, kPanelColumns, c, c_stride);
}

}  // namespace

const CpuKernel& amx_bf16_kernel() {
  static constexpr CpuKernel kKernel = {"AMX",
                                        DType::bf16,
                                        kRows,
                                        multiply,
                                        pack_rows_of<Words::bf16_pairs, kRows>,
                                        pack_columns_of<Words::bf16_pairs>,
                                        write_tile,
                                        softmax_tile<Words::bf16_pairs>,
                                        gradient_tile<Words::bf16_pairs>,
                                        begin,
                                        end};
  return kKernel;
}

}  // namespace argosy::ops::detail
