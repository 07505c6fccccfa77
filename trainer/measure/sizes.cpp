// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/measure/sizes.h"

namespace argosy {
namespace {

constexpr int64_t kKiB = int64_t{1} << 10, kMiB = int64_t{1} << 20, kGiB = int64_t{1} << 30;

// A core's share of the last cache is 2 to 32 MiB.
MeasureSizes sizes_of_a_core() {
  return {.product_dtypes = {DType::fp32, DType::bf16, DType::fp64},
          .products = {8, 16, 32, 64, 128, 256, 512, 1024},
          .attention_dtype = DType::fp32,
          .head_dims = {32, 64},
          .attention_width = 256,
          .attention = {{1, 16}, {1, 64}, {1, 256}, {4, 256}, {16, 256}},
          .memory_bytes = {4 * kKiB, 64 * kKiB, kMiB, 4 * kMiB, 16 * kMiB},
          .stream_bytes = 48 * kMiB,
          .cold_bytes = 48 * kMiB,
          .arena_bytes = 104 * kMiB,
          .payload_bytes = {kKiB, 32 * kKiB, kMiB, 16 * kMiB}};
}

// The level-2 cache of a GPU has 40 (A100) to 126 MB (B200): cold operands are several times that.
// fp64 is refused there.
MeasureSizes sizes_of_a_gpu() {
  return {.product_dtypes = {DType::fp32, DType::bf16},
          .products = {64, 128, 256, 512, 1024, 2048, 4096, 8192},
          .attention_dtype = DType::bf16,
          .head_dims = {64, 128},
          .attention_width = 2048,
          .attention = {{1, 256}, {1, 1024}, {1, 4096}, {4, 4096}, {8, 4096}},
          .memory_bytes = {64 * kKiB, kMiB, 16 * kMiB, 64 * kMiB, 256 * kMiB},
          .stream_bytes = kGiB,
          .cold_bytes = 512 * kMiB,
          .arena_bytes = 6 * kGiB,
          .payload_bytes = {kKiB, 32 * kKiB, kMiB, 16 * kMiB, 256 * kMiB}};
}

}  // namespace

MeasureSizes measure_sizes(Device device) {
  return device == Device::cpu ? sizes_of_a_core() : sizes_of_a_gpu();
}

}  // namespace argosy
