// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The AMX kernel with its tile instructions replaced by plain C++ (Intel SDM vol. 2, TDPBF16PS and
// the like), so that its addresses, tails and order are tested on CPUs that have AVX-512 alone.
#include "tests/trainer/ops/amx_emulation.h"

#include <immintrin.h>

#include <bit>
#include <cstring>

#include "planner/spec/check.h"

namespace argosy {
namespace {

constexpr int kTiles = 8, kTileRows = 16, kTileWords = 16;
thread_local uint32_t tiles[kTiles][kTileRows][kTileWords];
thread_local bool configured = false;

void emulate_load(int tile, const void* base, size_t stride_bytes) {
  CHECK(configured, "a tile is loaded before the tiles are configured");
  for (int row = 0; row < kTileRows; ++row) {
    std::memcpy(tiles[tile][row],
                static_cast<const char*>(base) + static_cast<size_t>(row) * stride_bytes,
                sizeof tiles[tile][row]);
  }
}

void emulate_store(int tile, void* base, size_t stride_bytes) {
  for (int row = 0; row < kTileRows; ++row) {
    std::memcpy(static_cast<char*>(base) + static_cast<size_t>(row) * stride_bytes,
                tiles[tile][row], sizeof tiles[tile][row]);
  }
}

float half_of(uint32_t word, bool high) {
  return std::bit_cast<float>(high ? word & 0xffff0000u : word << 16);
}

void emulate_product(int sums, int a, int b) {
  for (int row = 0; row < kTileRows; ++row) {
    for (int word = 0; word < kTileWords; ++word) {
      for (int column = 0; column < kTileWords; ++column) {
        float sum = std::bit_cast<float>(tiles[sums][row][column]);
        for (const bool high : {false, true})
          sum += half_of(tiles[a][row][word], high) * half_of(tiles[b][word][column], high);
        tiles[sums][row][column] = std::bit_cast<uint32_t>(sum);
      }
    }
  }
}

void emulate_configure(const void* config) {
  const auto* bytes = static_cast<const unsigned char*>(config);
  CHECK(bytes[0] == 1 && bytes[1] == 0, "palette ", int{bytes[0]}, ", start row ", int{bytes[1]});
  for (int tile = 0; tile < kTiles; ++tile) {
    CHECK(bytes[16 + 2 * tile] == 64 && bytes[17 + 2 * tile] == 0 && bytes[48 + tile] == 16,
          "tile ", tile, " is not 16 rows of 64 bytes");
  }
  configured = true;
}

void emulate_zero(int tile) {
  std::memset(tiles[tile], 0, sizeof tiles[tile]);
}

void emulate_release() {
  configured = false;
}

}  // namespace
}  // namespace argosy

#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbf16ps
#define _tile_loadd emulate_load
#define _tile_stored emulate_store
#define _tile_zero emulate_zero
#define _tile_dpbf16ps emulate_product
#define _tile_loadconfig emulate_configure
#define _tile_release emulate_release
#define amx_bf16_kernel emulated_amx_kernel
#include "trainer/ops/cpu_kernels_amx.cpp"
