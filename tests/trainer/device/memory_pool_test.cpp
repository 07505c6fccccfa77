// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/device/memory_pool.h"

#include <gtest/gtest.h>

#include "planner/spec/check.h"
#include "tests/trainer/device/fake_backend.h"
#include "trainer/device/device_context.h"

namespace argosy {
namespace {

using Calls = std::vector<std::string>;
constexpr int64_t kMib = 1 << 20;

TEST(MemoryPool, AsksTheDeviceOnceForASteadyStep) {
  FakeBackend::Log log;
  MemoryPool pool(std::make_unique<FakeBackend>(64 * kMib, log));
  for (int step = 0; step < 3; ++step) {
    void* a = pool.take(5 * kMib, MemoryCategory::activations);
    void* b = pool.take(5 * kMib, MemoryCategory::workspace);
    EXPECT_NE(a, b);
    pool.give_back(b, 5 * kMib, MemoryCategory::workspace);
    pool.give_back(a, 5 * kMib, MemoryCategory::activations);
  }
  EXPECT_EQ(log.calls, (Calls{"allocate 6291456", "allocate 6291456"}));  // whole pages of 2 MiB
  EXPECT_EQ(pool.kept_bytes(), 12 * kMib);
  EXPECT_EQ(pool.use().total_current, 0);
  EXPECT_EQ(pool.use().total_peak, 10 * kMib);
}

// Memory is full of blocks of another size: they go before the error does, and not before the
// ops that may still use them.
TEST(MemoryPool, GivesUnusedBlocksBackBeforeItFails) {
  FakeBackend::Log log;
  MemoryPool pool(std::make_unique<FakeBackend>(16 * kMib, log));
  void* kept = pool.take(4 * kMib, MemoryCategory::parameters);
  pool.give_back(pool.take(8 * kMib, MemoryCategory::buffers), 8 * kMib, MemoryCategory::buffers);
  void* large = pool.take(12 * kMib, MemoryCategory::activations);
  EXPECT_EQ(log.calls, (Calls{"allocate 4194304", "allocate 8388608", "allocate 12582912",
                              "synchronize", "release 8388608", "allocate 12582912"}));
  EXPECT_EQ(pool.kept_bytes(), 0);
  pool.give_back(large, 12 * kMib, MemoryCategory::activations);
  pool.give_back(kept, 4 * kMib, MemoryCategory::parameters);
}

// A block goes back to the list that it is from; those of captured steps stay where memory ends,
// and the error says so.
TEST(MemoryPool, KeepsBlocksOfStepsApart) {
  FakeBackend::Log log;
  DeviceContext ctx(Device::cpu, std::make_unique<FakeBackend>(16 * kMib, log));
  MemoryPool& pool = ctx.pool();
  const auto make = [&](int64_t size_mib) {
    return ctx.empty({size_mib * kMib / 2}, DType::int16, MemoryCategory::buffers);
  };
  const void* of_steps = nullptr;
  {
    Tensor made;
    {
      const BlocksFrom steps(ctx, BlockList::steps);
      made = make(8);
      of_steps = made.raw();
    }
    EXPECT_EQ(pool.list(), BlockList::others);
  }
  pool.reserve_step_blocks(true);
  EXPECT_NE(make(6).raw(), of_steps);
  EXPECT_NE(make(8).raw(), of_steps);  // the other one goes first
  try {
    (void)make(12);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("kept for CUDA graphs 8 MiB (--cuda-graphs off"),
              std::string::npos)
        << error.what();
  }
  {
    const BlocksFrom steps(ctx, BlockList::steps);
    EXPECT_EQ(make(8).raw(), of_steps);
  }
  pool.reserve_step_blocks(false);
  EXPECT_NE(make(12).raw(), nullptr);
}

TEST(MemoryPool, OutOfMemoryNamesCategoryWantedFreeUseAndRemedy) {
  FakeBackend::Log log;
  MemoryPool pool(std::make_unique<FakeBackend>(16 * kMib, log));
  void* weights = pool.take(6 * kMib, MemoryCategory::parameters);
  try {
    pool.take(12 * kMib, MemoryCategory::activations);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "out of device memory: activations wants 12582912 bytes (12 MiB), 10 MiB of 16 "
                 "MiB are free; in use here: parameters 6 MiB; what would help: a plan with "
                 "recompute=selective or full, a smaller micro_batch, more cp, or "
                 "sequence_parallel=1");
  }
  EXPECT_THROW(pool.take(12 * kMib, MemoryCategory::optimizer), Error);
  EXPECT_EQ(pool.use().total_current, 6 * kMib);  // what failed does not count
  EXPECT_EQ(pool.use().total_peak, 6 * kMib);
  pool.give_back(weights, 6 * kMib, MemoryCategory::parameters);
}

TEST(MemoryPool, EndsWithoutBlocks) {
  FakeBackend::Log log;
  {
    DeviceContext ctx(Device::cpu, std::make_unique<FakeBackend>(64 * kMib, log));
    for (const int64_t elements : {1, 1000, 1 << 20})
      ctx.zeros({elements}, DType::fp32, MemoryCategory::buffers);
    EXPECT_EQ(log.blocks.size(), 3u);
  }
  EXPECT_TRUE(log.blocks.empty());
}

// A step whose largest block is dead when the scratch of its second half comes.
TEST(MemoryPool, LendsLargeBlocksToWorkspaces) {
  FakeBackend::Log log;
  MemoryPool pool(std::make_unique<FakeBackend>(256 * kMib, log));
  constexpr auto kScratch = MemoryCategory::workspace;
  for (int step = 0; step < 3; ++step) {
    void* logits = pool.take(40 * kMib, kScratch);
    pool.give_back(logits, 40 * kMib, kScratch);
    void *a = pool.take(12 * kMib, kScratch), *b = pool.take(12 * kMib, kScratch);
    EXPECT_EQ(a, logits);
    EXPECT_EQ(static_cast<char*>(b) - static_cast<char*>(a), 12 * kMib);
    pool.give_back(a, 12 * kMib, kScratch);
    EXPECT_EQ(pool.take(12 * kMib, kScratch), a);  // the piece, not a third one
    pool.give_back(b, 12 * kMib, kScratch);
    pool.give_back(a, 12 * kMib, kScratch);
  }
  EXPECT_EQ(log.calls, Calls{"allocate 41943040"});
  EXPECT_EQ(pool.kept_bytes(), 40 * kMib);
  // What lives longer gets a block of its own, and so does what is small.
  void* kept = pool.take(12 * kMib, MemoryCategory::activations);
  void* small = pool.take(1000, kScratch);
  EXPECT_EQ(log.calls.size(), 3u);
  pool.give_back(small, 1000, kScratch);
  pool.give_back(kept, 12 * kMib, MemoryCategory::activations);
}

// Pieces that live until the large block is asked for again: once, and it is never lent again.
TEST(MemoryPool, LendsNoBlockThatIsWantedBackEarly) {
  FakeBackend::Log log;
  MemoryPool pool(std::make_unique<FakeBackend>(256 * kMib, log));
  constexpr auto kScratch = MemoryCategory::workspace;
  const auto take_and_give = [&](int64_t bytes) {
    pool.give_back(pool.take(bytes, kScratch), bytes, kScratch);
  };
  take_and_give(40 * kMib);
  void* piece = pool.take(10 * kMib, kScratch);
  take_and_give(40 * kMib);
  pool.give_back(piece, 10 * kMib, kScratch);
  EXPECT_EQ(log.calls, (Calls{"allocate 41943040", "allocate 41943040"}));
  EXPECT_EQ(pool.kept_bytes(), 80 * kMib);
  piece = pool.take(10 * kMib, kScratch);
  take_and_give(40 * kMib);
  pool.give_back(piece, 10 * kMib, kScratch);
  EXPECT_EQ(log.calls.back(), "allocate 10485760");
  EXPECT_EQ(log.calls.size(), 3u);
}

TEST(MemoryPool, ReleasesWhatNobodyUses) {
  FakeBackend::Log log;
  MemoryPool pool(std::make_unique<FakeBackend>(64 * kMib, log));
  pool.release_unused();
  void* used = pool.take(2 * kMib, MemoryCategory::parameters);
  pool.give_back(pool.take(4 * kMib, MemoryCategory::workspace), 4 * kMib,
                 MemoryCategory::workspace);
  pool.release_unused();
  EXPECT_EQ(log.calls,
            (Calls{"allocate 2097152", "allocate 4194304", "synchronize", "release 4194304"}));
  EXPECT_EQ(pool.kept_bytes(), 0);
  pool.give_back(used, 2 * kMib, MemoryCategory::parameters);
}

// The CPU's blocks of some MiB lie side by side: each is its own, whatever was released between.
TEST(MemoryPool, BlocksOfTheCpuDoNotOverlap) {
  constexpr int64_t kSize = 3 * kMib, kBlocks = 50;  // more than two slabs
  const std::unique_ptr<DeviceBackend> cpu = make_cpu_backend();
  EXPECT_EQ(block_size_bytes(*cpu, kSize), kSize);
  std::vector<char*> blocks;
  const auto add = [&] {
    blocks.push_back(static_cast<char*>(cpu->allocate(kSize)));
    ASSERT_NE(blocks.back(), nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(blocks.back()) % kLineBytes, 0u);
    *blocks.back() = *(blocks.back() + kSize - 1) = static_cast<char>(blocks.size());
  };
  for (int64_t i = 0; i < kBlocks; ++i) add();
  for (int64_t i = 0; i < kBlocks; i += 2) {
    cpu->release(blocks[static_cast<size_t>(i)]);
    blocks[static_cast<size_t>(i)] = nullptr;
  }
  for (int64_t i = 0; i < kBlocks; ++i) add();
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i] == nullptr) continue;
    const char expected = static_cast<char>(i + 1);
    EXPECT_EQ(*blocks[i], expected);
    EXPECT_EQ(*(blocks[i] + kSize - 1), expected);
    cpu->release(blocks[i]);
  }
  void* small = cpu->allocate(64);
  void* large = cpu->allocate(40 * kMib);
  cpu->release(large);
  cpu->release(small);
}

}  // namespace
}  // namespace argosy
