// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <gtest/gtest.h>

#include <algorithm>

#include <set>

#include "planner/spec/check.h"
#include "trainer/data/dataset.h"

namespace argosy {
namespace {

// Token i is i; every third is not a target.
class CountingSource : public TokenSource {
 public:
  explicit CountingSource(int64_t num_tokens) : num_tokens_(num_tokens) {}
  int64_t num_tokens() const override { return num_tokens_; }
  int32_t token(int64_t index) const override { return static_cast<int32_t>(index); }
  bool is_target(int64_t index) const override { return index % 3 != 0; }
  int32_t max_token() const override { return static_cast<int32_t>(num_tokens_ - 1); }

 private:
  int64_t num_tokens_;
};

constexpr uint64_t kSeed = 1234;

// First tokens of one epoch, read with one sample a step.
std::vector<int64_t> epoch_of(const SampleOrder& order, int64_t epoch) {
  std::vector<int64_t> first_tokens;
  for (int64_t i = 0; i < order.num_samples(); ++i) {
    first_tokens.push_back(order.first_token(epoch * order.num_samples() + i + 1, 0, 1));
  }
  return first_tokens;
}

TEST(SampleOrder, EveryEpochIsAPermutation) {
  for (int64_t size = 1; size <= 300; ++size) {
    constexpr int64_t kSeqLen = 7;
    const SampleOrder order(size * kSeqLen + 1, kSeqLen, kSeed, "test");
    ASSERT_EQ(order.num_samples(), size);
    for (int64_t epoch = 0; epoch < 3; ++epoch) {
      const std::vector<int64_t> first_tokens = epoch_of(order, epoch);
      const std::set<int64_t> unique(first_tokens.begin(), first_tokens.end());
      ASSERT_EQ(static_cast<int64_t>(unique.size()), size) << "epoch " << epoch;
      ASSERT_EQ(*unique.begin(), 0);
      ASSERT_EQ(*unique.rbegin(), (size - 1) * kSeqLen);
      for (const int64_t first : unique) ASSERT_EQ(first % kSeqLen, 0);
    }
  }
}

TEST(SampleOrder, PowersOfTwoAndTheirNeighbours) {
  for (const int64_t power : {1024, 4096, 65536}) {
    for (const int64_t size : {power - 1, power, power + 1}) {
      const std::vector<int64_t> order = epoch_of(SampleOrder(size + 1, 1, kSeed, "test"), 1);
      EXPECT_EQ(std::set<int64_t>(order.begin(), order.end()).size(), order.size());
    }
  }
}

TEST(SampleOrder, HugeCorporaNeedNoMemory) {
  constexpr int64_t kTokens = int64_t{13'000'000'000'000};
  const SampleOrder order(kTokens, 8192, kSeed, "test");
  std::set<int64_t> seen;
  for (int64_t step = 1; step <= 1000; ++step) seen.insert(order.first_token(step, 5, 6));
  EXPECT_EQ(seen.size(), 1000u);
  EXPECT_GE(*seen.begin(), 0);
  EXPECT_LE(*seen.rbegin() + 8192, kTokens - 1);
}

TEST(SampleOrder, EpochsAndSeedsDiffer) {
  const SampleOrder order(1001, 1, kSeed, "test"), other(1001, 1, kSeed + 1, "test");
  EXPECT_NE(epoch_of(order, 0), epoch_of(order, 1));
  EXPECT_NE(epoch_of(order, 0), epoch_of(other, 0));
  EXPECT_EQ(epoch_of(order, 2), epoch_of(SampleOrder(1001, 1, kSeed, "test"), 2));
}

// A shuffle must move samples: few fixed points (1 expected) and no drift of the mean position.
TEST(SampleOrder, LooksRandom) {
  const std::vector<int64_t> order = epoch_of(SampleOrder(10001, 1, kSeed, "test"), 0);
  int64_t fixed_points = 0, ascents = 0;
  double mean_of_first_half = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    fixed_points += order[i] == static_cast<int64_t>(i);
    ascents += i > 0 && order[i] > order[i - 1];
    if (i < 5000) mean_of_first_half += static_cast<double>(order[i]) / 5000;
  }
  EXPECT_LE(fixed_points, 8);
  EXPECT_NEAR(static_cast<double>(ascents), 5000, 150);  // standard deviation is 29
  EXPECT_NEAR(mean_of_first_half, 5000, 150);            // standard deviation is 29
}

// Sample number = (step - 1) * global_batch + slot: a larger batch reads the same samples in fewer
// steps.
TEST(SampleOrder, BatchSizeCutsOneSequence) {
  const SampleOrder order(1001, 1, kSeed, "test");
  for (int64_t number = 0; number < 2500; ++number) {
    ASSERT_EQ(order.first_token(number + 1, 0, 1),
              order.first_token(number / 12 + 1, number % 12, 12));
  }
}

// Every sample is in one of the parts, each of which is a permutation in every epoch.
TEST(SampleOrder, HeldOutSamplesAreNeverTrainedOn) {
  for (const int64_t size : {2, 3, 20, 257}) {
    const SampleOrder all(size * 7 + 1, 7, kSeed, "test");
    for (const int64_t num_held_out : {int64_t{1}, size / 2, size - 1}) {
      const SampleOrder::Split split = all.hold_out(num_held_out);
      ASSERT_EQ(split.held_out.num_samples(), num_held_out);
      ASSERT_EQ(split.training.num_samples(), size - num_held_out);
      for (int64_t epoch = 0; epoch < 3; ++epoch) {
        std::set<int64_t> seen;
        for (const SampleOrder& part : {split.training, split.held_out}) {
          for (const int64_t first : epoch_of(part, epoch)) ASSERT_TRUE(seen.insert(first).second);
        }
        ASSERT_EQ(static_cast<int64_t>(seen.size()), size);
        ASSERT_EQ(*seen.rbegin(), (size - 1) * 7);
      }
    }
  }
}

// Held out are samples from everywhere, and others with another seed.
TEST(SampleOrder, HeldOutSamplesAreDrawnBySeed) {
  const auto held_out = [](uint64_t seed) {
    std::vector<int64_t> samples =
        epoch_of(SampleOrder(10001, 1, seed, "test").hold_out(100).held_out, 0);
    std::sort(samples.begin(), samples.end());
    return samples;
  };
  const std::vector<int64_t> drawn = held_out(kSeed);
  EXPECT_EQ(drawn, held_out(kSeed));
  EXPECT_NE(drawn, held_out(kSeed + 1));
  EXPECT_LT(drawn.front(), 1000);
  EXPECT_GT(drawn.back(), 9000);
  EXPECT_NEAR(static_cast<double>(drawn[50]), 5000, 1500);
}

TEST(SampleOrder, TooShortNamesBothLengths) {
  EXPECT_EQ(SampleOrder(9, 8, kSeed, "data file").num_samples(), 1);
  try {
    SampleOrder(8, 8, kSeed, "data file x.txt");
    FAIL() << "no ConfigError";
  } catch (const ConfigError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("data file x.txt: holds 8 tokens, one sample needs 9"),
              std::string::npos)
        << message;
  }
}

TEST(ReadBatch, TargetsAreTheNextTokensAndMasksAreMinusOne) {
  const CountingSource source(100);
  const SampleOrder order(100, 10, kSeed, "test");
  const Batch batch = read_batch(source, order, 3, 1, 2, 10, 4);
  ASSERT_EQ(batch.inputs.size(), 20u);
  ASSERT_EQ(batch.targets.size(), 20u);
  for (int64_t row = 0; row < 2; ++row) {
    const int64_t first = order.first_token(3, 1 + row, 4);
    for (int64_t column = 0; column < 10; ++column) {
      const auto at = static_cast<size_t>(row * 10 + column);
      const int64_t next = first + column + 1;
      EXPECT_EQ(batch.inputs[at], first + column);
      EXPECT_EQ(batch.targets[at], next % 3 == 0 ? -1 : next);
    }
  }
}

// What a step reads does not depend on how ranks and micro-batches share it out.
TEST(ReadBatch, IndependentOfDataParallelismAndMicroBatch) {
  const CountingSource source(5000);
  const SampleOrder order(5000, 16, kSeed, "test");
  for (int64_t step : {1, 13, 40}) {  // 312 samples an epoch, 12 a step: step 40 is in the second
    const Batch whole = read_batch(source, order, step, 0, 12, 16, 12);
    for (const int64_t count : {1, 2, 3, 4, 6}) {
      Batch joined;
      for (int64_t slot = 0; slot < 12; slot += count) {
        const Batch part = read_batch(source, order, step, slot, count, 16, 12);
        joined.inputs.insert(joined.inputs.end(), part.inputs.begin(), part.inputs.end());
        joined.targets.insert(joined.targets.end(), part.targets.begin(), part.targets.end());
      }
      EXPECT_EQ(joined.inputs, whole.inputs);
      EXPECT_EQ(joined.targets, whole.targets);
    }
  }
}

// 9 samples in batches of 4: each of them once, in whichever slot, then nothing.
TEST(ReadBatch, CountsTheFirstEpochAlone) {
  const CountingSource source(91);
  const SampleOrder order(91, 10, kSeed, "test");
  std::vector<int> seen(9, 0);
  for (int64_t step = 1; step <= 4; ++step) {
    const Batch batch = read_batch(source, order, step, 0, 4, 10, 4, Epochs::first);
    for (int64_t slot = 0; slot < 4; ++slot) {
      const auto row = batch.targets.begin() + static_cast<std::ptrdiff_t>(slot * 10);
      const bool counts = std::any_of(row, row + 10, [](int32_t target) { return target >= 0; });
      EXPECT_EQ(counts, (step - 1) * 4 + slot < 9);
      if (counts) ++seen[static_cast<size_t>(order.first_token(step, slot, 4) / 10)];
    }
  }
  EXPECT_EQ(seen, std::vector<int>(9, 1));
}

}  // namespace
}  // namespace argosy
