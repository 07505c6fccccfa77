// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Many tensors in one launch: each block has a chunk of one of them. A Part is a struct of pointers
// with `int64_t size`. The table of parts is the kernel's argument, so that nothing is uploaded and
// a captured launch keeps it; a list that is longer (hundreds of parts) takes another launch.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "trainer/ops/cuda_kernel.cuh"
#include "trainer/ops/cuda_launch.cuh"

namespace argosy::ops {

// Half of the 32,764 bytes that parameters of a kernel may have from CUDA 12.1 and compute
// capability 7.0 on (CUDA C++ Programming Guide, "__global__ function parameters").
inline constexpr size_t kPartTableBytes = 16000;

template <typename Part>
inline constexpr int kMostParts = static_cast<int>((kPartTableBytes - 2 * sizeof(int64_t)) /
                                                   (sizeof(Part) + sizeof(int64_t)));

template <typename Part>
struct PartTable {
  std::array<Part, static_cast<size_t>(kMostParts<Part>)> parts;
  std::array<int64_t, static_cast<size_t>(kMostParts<Part>)> first_chunk;  // the block of each
  int64_t num_chunks;
  int num_parts;
};

// Elements [begin, end) of a part.
struct PartChunk {
  size_t part;
  int64_t begin, end;
};

template <typename Part>
__device__ PartChunk chunk_of_block(const PartTable<Part>& table, int64_t chunk_size) {
  const int64_t block = blockIdx.x;
  int low = 0, high = table.num_parts - 1;  // the last part that begins at the block or before
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (table.first_chunk[static_cast<size_t>(middle)] <= block) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  const auto part = static_cast<size_t>(low);
  const int64_t begin = (block - table.first_chunk[part]) * chunk_size;
  return {part, begin, min(table.parts[part].size, begin + chunk_size)};
}

// Calls launch(table) for tables that have all parts with elements between them, in their order.
template <typename Part, typename Launch>
void for_part_tables(const std::vector<Part>& parts, int64_t chunk_size, const Launch& launch) {
  static_assert(sizeof(PartTable<Part>) <= kPartTableBytes);
  PartTable<Part> table{};
  const auto flush = [&] {
    if (table.num_parts > 0) launch(table);
    table = {};
  };
  for (const Part& part : parts) {
    if (part.size == 0) continue;
    if (table.num_parts == kMostParts<Part>) flush();
    const auto next = static_cast<size_t>(table.num_parts++);
    table.parts[next] = part;
    table.first_chunk[next] = table.num_chunks;
    table.num_chunks += ceil_div(part.size, chunk_size);
  }
  flush();
}

}  // namespace argosy::ops
