// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/device/device_context.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace argosy {
namespace {

int64_t current(const DeviceContext& ctx, MemoryCategory category) {
  return ctx.memory().current[static_cast<size_t>(category)];
}
int64_t peak(const DeviceContext& ctx, MemoryCategory category) {
  return ctx.memory().peak[static_cast<size_t>(category)];
}

TEST(DeviceContext, CountsRequestedBytesByCategory) {
  DeviceContext ctx(Device::cpu);
  Tensor a = ctx.empty({3, 7}, DType::fp32, MemoryCategory::activations);
  {
    const Tensor b = ctx.empty({5}, DType::bf16, MemoryCategory::workspace);
    const Tensor view = a.rows(0, 1);
    EXPECT_EQ(current(ctx, MemoryCategory::activations), 84);
    EXPECT_EQ(current(ctx, MemoryCategory::workspace), 10);
    EXPECT_EQ(ctx.memory().total_current, 94);
  }
  EXPECT_EQ(current(ctx, MemoryCategory::workspace), 0);
  EXPECT_EQ(peak(ctx, MemoryCategory::workspace), 10);
  EXPECT_EQ(ctx.memory().total_peak, 94);
  ctx.reset_peaks();
  EXPECT_EQ(peak(ctx, MemoryCategory::workspace), 0);
  EXPECT_EQ(ctx.memory().total_peak, 84);
  const Tensor view = a.rows(1, 2);
  a.reset();
  EXPECT_EQ(ctx.memory().total_current, 84);  // the view holds the memory
}

TEST(DeviceContext, RecategorizeMovesTheWholeStorage) {
  DeviceContext ctx(Device::cpu);
  const Tensor a = ctx.empty({4, 4}, DType::fp64, MemoryCategory::workspace);
  ctx.recategorize(a.rows(0, 1), MemoryCategory::activations);
  EXPECT_EQ(current(ctx, MemoryCategory::workspace), 0);
  EXPECT_EQ(current(ctx, MemoryCategory::activations), 128);
  EXPECT_EQ(ctx.memory().total_peak, 128);
  EXPECT_THROW(ctx.recategorize(Tensor(), MemoryCategory::buffers), std::logic_error);
}

TEST(DeviceContext, ReusesFreedBlocks) {
  DeviceContext ctx(Device::cpu);
  for (const int64_t elements : {10, 1000, 1 << 20}) {
    Tensor a = ctx.empty({elements}, DType::fp32, MemoryCategory::buffers);
    void* block = a.raw();
    a.reset();
    a = ctx.empty({elements - 1}, DType::fp32, MemoryCategory::buffers);  // same size class
    EXPECT_EQ(a.raw(), block) << elements;
  }
}

TEST(DeviceContext, AlignsBlocks) {
  DeviceContext ctx(Device::cpu);
  for (const int64_t bytes : {1, 63, 65, 4097, 100'003, 2 << 20, (5 << 20) + 1, (16 << 20) + 1}) {
    const Tensor a = ctx.empty({bytes / 2 + 1}, DType::bf16, MemoryCategory::buffers);
    const uintptr_t alignment = bytes > (16 << 20) ? 2u << 20 : 64u;  // smaller ones share slabs
    EXPECT_EQ(reinterpret_cast<uintptr_t>(a.raw()) % alignment, 0u) << bytes;
  }
}

TEST(DeviceContext, ZerosAreZeroAfterReuse) {
  DeviceContext ctx(Device::cpu);
  Tensor a = ctx.empty({33}, DType::fp32, MemoryCategory::buffers);
  for (int i = 0; i < 33; ++i) a.data<float>()[i] = 1.0f;
  a.reset();
  a = ctx.zeros({33}, DType::fp32, MemoryCategory::buffers);
  for (int i = 0; i < 33; ++i) EXPECT_EQ(a.data<float>()[i], 0.0f);
}

TEST(DeviceContext, RefusesWhatItCannotDo) {
  DeviceContext ctx(Device::cpu);
  EXPECT_THROW(ctx.empty({-1, 2}, DType::fp32, MemoryCategory::buffers), std::logic_error);
  try {
    DeviceContext cuda(Device::cuda);
    GTEST_SKIP() << "here is a CUDA device";
  } catch (const Error& error) {
    // Of a build without CUDA, or of one with it on a machine without a GPU.
    const std::string text = error.what();
    EXPECT_TRUE(text == "this build has no cuda device: build with the cuda preset" ||
                text.starts_with("no CUDA device found: "))
        << text;
  }
}

}  // namespace
}  // namespace argosy
