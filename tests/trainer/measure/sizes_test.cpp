// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/measure/sizes.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "trainer/measure/meter.h"

namespace argosy {
namespace {

// What each job asks the arena for; 1% is lost to alignment at most.
TEST(MeasureSizes, EveryJobFitsIntoTheArena) {
  for (const Device device : {Device::cpu, Device::cuda}) {
    const MeasureSizes sizes = measure_sizes(device);
    const int64_t room = sizes.arena_bytes / 100 * 99;
    for (const int64_t n : sizes.products) {
      // A cube (3 n^2), an odd product (2 + 1/2 + 1) n^2 and a tall one (2 + 2 + 1/4) n^2.
      const auto widest =
          std::max_element(sizes.product_dtypes.begin(), sizes.product_dtypes.end(),
                           [](DType a, DType b) { return size_in_bytes(a) < size_in_bytes(b); });
      const int64_t trio = 11 * n * n * size_in_bytes(*widest);
      EXPECT_LE(std::max(trio, sizes.cold_bytes), room) << n;
    }
    for (const auto& [batch, length] : sizes.attention) {
      const int64_t tensors =
          8 * batch * length * sizes.attention_width * size_in_bytes(sizes.attention_dtype);
      EXPECT_LE(static_cast<int64_t>(sizes.head_dims.size()) * tensors, room) << length;
    }
    for (const int64_t bytes : sizes.memory_bytes) EXPECT_LE(5 * bytes, room);
    EXPECT_LE(2 * sizes.stream_bytes, room);
    EXPECT_EQ(sizes.head_dims.size(), 2U);  // what attention_rates() divides by
  }
}

TEST(MeasureSizes, AGpuMultipliesNoDoubles) {
  for (const DType dtype : measure_sizes(Device::cuda).product_dtypes)
    EXPECT_NE(dtype, DType::fp64);
}

TEST(MeasureSizes, SamplesAreLongAgainstLookingAtTheClock) {
  EXPECT_EQ(repeats_of_sample(Device::cpu, 1e-6), 200);
  EXPECT_EQ(repeats_of_sample(Device::cuda, 1e-6), 2000);
  EXPECT_EQ(repeats_of_sample(Device::cuda, 1), 1);
}

}  // namespace
}  // namespace argosy
