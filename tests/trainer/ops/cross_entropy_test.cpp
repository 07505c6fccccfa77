// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/cross_entropy.h"

#include <algorithm>

#include "tests/trainer/ops/op_fixture.h"

namespace argosy::ops {
namespace {

struct LossAndGradient {
  Values loss, gradient;
};

class CrossEntropy : public OpTest {
 protected:
  // Runs the three phases over a vocabulary cut at `cuts` (first 0, last V), reducing between them
  // as ranks would.
  LossAndGradient run(const Values& logits, int64_t vocab, const Values& targets, DType dtype,
                      const std::vector<int64_t>& cuts) {
    const int64_t rows = static_cast<int64_t>(targets.size());
    const DType statistic = dtype == DType::fp64 ? DType::fp64 : DType::fp32;
    const Tensor target = ids({rows}, targets);
    const size_t n = static_cast<size_t>(rows);
    std::vector<Tensor> parts, part_maxima, part_sums;
    Values maximum(n, -std::numeric_limits<double>::infinity()), sums(2 * n, 0.0);
    for (size_t p = 0; p + 1 < cuts.size(); ++p) {
      parts.push_back(columns(logits, rows, vocab, cuts[p], cuts[p + 1], dtype));
      part_maxima.push_back(poisoned({rows}, statistic));
      part_sums.push_back(poisoned({2, rows}, statistic));
      cross_entropy_sums(ctx, parts[p], target, {cuts[p]}, part_maxima[p], part_sums[p]);
      const Values part_maximum = values_of(part_maxima[p]);
      for (size_t i = 0; i < n; ++i) maximum[i] = std::max(maximum[i], part_maximum[i]);
    }
    const Tensor all_maximum = make({rows}, statistic, maximum);
    for (size_t p = 0; p < parts.size(); ++p) {
      cross_entropy_rescale(ctx, parts[p], target, {cuts[p]}, part_maxima[p], all_maximum,
                            part_sums[p]);
      for (size_t i = 0; i < 2 * n; ++i) sums[i] += values_of(part_sums[p])[i];
    }
    const Tensor all_sums = make({2, rows}, statistic, sums);
    LossAndGradient result{{}, Values(logits.size())};
    for (size_t p = 0; p < parts.size(); ++p) {
      const Tensor loss = poisoned({rows}, statistic);
      cross_entropy_finish(ctx, parts[p], target, {cuts[p]}, all_maximum, all_sums, loss, true);
      result.loss = values_of(loss);
      const Values part = values_of(parts[p]);
      const int64_t width = cuts[p + 1] - cuts[p];
      for (int64_t i = 0; i < rows * width; ++i) {
        result.gradient[static_cast<size_t>(i / width * vocab + cuts[p] + i % width)] =
            part[static_cast<size_t>(i)];
      }
    }
    return result;
  }

 private:
  Tensor columns(const Values& logits, int64_t rows, int64_t vocab, int64_t begin, int64_t end,
                 DType dtype) {
    Values part;
    for (int64_t r = 0; r < rows; ++r) {
      part.insert(part.end(), logits.begin() + r * vocab + begin, logits.begin() + r * vocab + end);
    }
    return make({rows, end - begin}, dtype, part);
  }
};

// Textbook formula in long double.
LossAndGradient reference(const Values& logits, int64_t vocab, const Values& targets) {
  LossAndGradient result{Values(targets.size(), 0.0), Values(logits.size(), 0.0)};
  const size_t width = static_cast<size_t>(vocab);
  for (size_t row = 0; row < targets.size(); ++row) {
    if (targets[row] < 0) continue;
    const double* x = logits.data() + row * width;
    const long double top = *std::max_element(x, x + width);
    long double sum = 0;
    for (size_t v = 0; v < width; ++v) sum += std::exp(static_cast<long double>(x[v]) - top);
    const size_t target = static_cast<size_t>(targets[row]);
    result.loss[row] =
        static_cast<double>(std::log(sum) + top - static_cast<long double>(x[target]));
    for (size_t v = 0; v < width; ++v) {
      const long double p = std::exp(static_cast<long double>(x[v]) - top) / sum;
      result.gradient[row * width + v] = static_cast<double>(p - (v == target ? 1 : 0));
    }
  }
  return result;
}

Values random_logits(int64_t size, double scale) {
  Values logits(static_cast<size_t>(size));
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = scale * standard_normal(1, 2, i);
  return logits;
}

TEST_F(CrossEntropy, EqualsTheFormulaForEverySplitOfTheVocabulary) {
  const Values logits = random_logits(4 * 13, 3), targets = {12, 0, -100, 5};
  const LossAndGradient expected = reference(logits, 13, targets);
  const std::vector<std::vector<int64_t>> splits = {
      {0, 13}, {0, 6, 13}, {0, 5, 9, 13}, {0, 0, 13}, {0, 13, 13}};
  for (const auto& cuts : splits) {
    const LossAndGradient fp64 = run(logits, 13, targets, DType::fp64, cuts);
    expect_near(fp64.loss, expected.loss, 1e-14);
    expect_near(fp64.gradient, expected.gradient, 1e-14);
    const LossAndGradient fp32 = run(logits, 13, targets, DType::fp32, cuts);
    expect_near(fp32.loss, expected.loss, 2e-6);
    expect_near(fp32.gradient, expected.gradient, 2e-6);
  }
}

// Every row's gradient is written over logits of rows before it.
TEST_F(CrossEntropy, GradientInBf16TakesTheMemoryOfTheLogits) {
  const int64_t vocab = 1031;
  for (const int64_t num_rows : {0, 1, 2, 3, 4, 5, 33}) {
    Values targets(static_cast<size_t>(num_rows));
    for (size_t i = 0; i < targets.size(); ++i)
      targets[i] = i % 5 == 3 ? -100 : static_cast<double>(i * 7);
    const Values values = random_logits(num_rows * vocab, 3);
    const LossAndGradient expected = reference(values, vocab, targets);
    expect_same_on_any_threads([&] {
      const Tensor logits = make({num_rows, vocab}, DType::fp32, values);
      const Tensor ids = make({num_rows}, DType::int32, targets);
      const Tensor maximum = poisoned({num_rows}, DType::fp32),
                   sums = poisoned({2, num_rows}, DType::fp32),
                   loss = poisoned({num_rows}, DType::fp32);
      cross_entropy_sums(ctx, logits, ids, {0}, maximum, sums);
      const Tensor gradient =
          cross_entropy_finish_in_bf16(ctx, logits, ids, {0}, maximum, sums, loss);
      EXPECT_EQ(gradient.raw(), logits.raw());
      expect_near(values_of(loss), expected.loss, 2e-6);
      const Values got = values_of(gradient);
      for (size_t i = 0; i < got.size(); ++i)
        EXPECT_NEAR(got[i], expected.gradient[i], 0x1p-8 * std::abs(expected.gradient[i]) + 1e-9);
      return got;
    });
  }
}

TEST_F(CrossEntropy, GradientMatchesFiniteDifferences) {
  const Values logits = random_logits(3 * 7, 1), targets = {6, -1, 2};
  const LossAndGradient got = run(logits, 7, targets, DType::fp64, {0, 3, 7});
  const Tensor x = make({3, 7}, DType::fp64, logits);
  expect_gradient(x, got.gradient, [&] {
    double sum = 0;
    for (double loss : run(values_of(x), 7, targets, DType::fp64, {0, 7}).loss) sum += loss;
    return sum;
  });
}

TEST_F(CrossEntropy, LargeAndInfiniteLogitsAreSafe) {
  const double inf = std::numeric_limits<double>::infinity();
  const Values logits = {1e4, -1e4, 0, -inf, -1e4, -1e4, -1e4, -1e4, -inf, 1e4, -inf, 1e4};
  const Values targets = {0, 2, 3};
  for (DType dtype : {DType::fp64, DType::fp32}) {
    const LossAndGradient got = run(logits, 4, targets, dtype, {0, 2, 4});
    expect_near(got.loss, {0, std::log(4.0), std::log(2.0)}, 1e-6);
    expect_near(got.gradient, {0, 0, 0, 0, .25, .25, -.75, .25, 0, .5, 0, -.5}, 1e-6);
  }
}

TEST_F(CrossEntropy, Bf16LogitsKeepFp32Statistics) {
  Values logits = random_logits(2 * 1000, 2);
  for (double& x : logits) x = static_cast<double>(static_cast<float>(bfloat16(x)));
  const Values targets = {999, 1};
  const LossAndGradient got = run(logits, 1000, targets, DType::bf16, {0, 400, 1000});
  const LossAndGradient expected = reference(logits, 1000, targets);
  expect_near(got.loss, expected.loss, 1e-5);
  for (size_t i = 0; i < logits.size(); ++i) {  // bf16 has 8 bits: half a unit is 2^-9
    EXPECT_NEAR(got.gradient[i], expected.gradient[i], std::abs(expected.gradient[i]) / 256);
  }
}

TEST_F(CrossEntropy, AllMaskedGivesZeros) {
  const LossAndGradient got = run(random_logits(10, 5), 5, {-1, -100}, DType::fp32, {0, 5});
  EXPECT_EQ(got.loss, Values(2, 0.0));
  EXPECT_EQ(got.gradient, Values(10, 0.0));
}

TEST_F(CrossEntropy, WithoutGradientLogitsStay) {
  const Tensor x = random({2, 3}, DType::fp32, 1), target = ids({2}, {1, 2});
  const Values before = values_of(x);
  const Tensor maximum = poisoned({2}, DType::fp32), sums = poisoned({2, 2}, DType::fp32);
  const Tensor loss = poisoned({2}, DType::fp32);
  cross_entropy_sums(ctx, x, target, {0}, maximum, sums);
  cross_entropy_finish(ctx, x, target, {0}, maximum, sums, loss, false);
  EXPECT_EQ(values_of(x), before);
  EXPECT_GT(values_of(loss)[0], 0.0);
}

TEST_F(CrossEntropy, RankWithoutVocabularyAndNoRowsAreFine) {
  const Tensor none = poisoned({2, 0}, DType::fp32), maximum = poisoned({2}, DType::fp32);
  const Tensor sums = poisoned({2, 2}, DType::fp32), target = ids({2}, {0, 1});
  cross_entropy_sums(ctx, none, target, {5}, maximum, sums);
  EXPECT_EQ(values_of(maximum), Values(2, -std::numeric_limits<double>::infinity()));
  EXPECT_EQ(values_of(sums), Values(4, 0.0));
  cross_entropy_rescale(ctx, none, target, {5}, maximum, make({2}, DType::fp32, {1, 2}), sums);
  EXPECT_EQ(values_of(sums), Values(4, 0.0));
  const LossAndGradient empty = run({}, 3, {}, DType::fp32, {0, 3});
  EXPECT_TRUE(empty.loss.empty());
}

TEST_F(CrossEntropy, DoesNotDependOnThreads) {
  const Values logits = random_logits(70 * 600, 2), targets(70, 599.0);
  expect_same_on_any_threads([&] {
    return run(logits, 600, targets, DType::fp32, {0, 600}).gradient;
  });
}

}  // namespace
}  // namespace argosy::ops
