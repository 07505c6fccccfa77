// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/master_memory.h"

#include <gtest/gtest.h>

#include <vector>

#include "planner/spec/split_float.h"
#include "trainer/device/host_copy.h"

namespace argosy {
namespace {

constexpr int64_t kFloat = sizeof(float);

// A (4, 5) tensor; a checkpoint writes columns [1, 3) of rows [1, 4), and reads it in two parts.
TEST(MasterMemory, RowsWithinATensorAreWrittenAndReadWhole) {
  DeviceContext ctx(Device::cpu);
  const Tensor rounded = ctx.zeros({20}, DType::bf16, MemoryCategory::parameters);
  const Tensor rest = ctx.zeros({20}, DType::int16, MemoryCategory::optimizer);
  MasterMemory memory(rounded, rest);
  char* base = static_cast<char*>(memory.address());
  // Just below and above where rounding turns, and numbers with all of their bits.
  const std::vector<float> written = {1.00390613f, 1.00390637f, -3.14159274f, 1e-30f, 7.0f, -0.1f};
  memory.write(written.data(), base + (1 * 5 + 1) * kFloat, 2 * kFloat, 3, 5 * kFloat);
  std::vector<float> read(20);
  memory.read(base, read.data(), 7 * kFloat);
  memory.read(base + 7 * kFloat, read.data() + 7, 13 * kFloat);
  for (size_t row = 0; row < 4; ++row) {
    for (size_t column = 0; column < 5; ++column) {
      const bool inside = row >= 1 && column >= 1 && column < 3;
      const float expected = inside ? written[(row - 1) * 2 + column - 1] : 0.0f;
      EXPECT_EQ(read[row * 5 + column], expected) << row << ", " << column;
      EXPECT_EQ(copy_to_host<bfloat16>(rounded)[row * 5 + column].bits, bfloat16(expected).bits);
    }
  }
}

}  // namespace
}  // namespace argosy
