// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run/step_line.h"

#include <gtest/gtest.h>

namespace argosy {
namespace {

constexpr double kGiB = 1073741824.0;

StepMetrics example() {
  StepMetrics metrics;
  metrics.step = 120;
  metrics.loss = 3.28412, metrics.grad_norm = 0.9123, metrics.lr = 3e-4;
  metrics.step_s = 0.8124, metrics.tokens_per_s = 80'640;
  metrics.mfu = 0.412;
  metrics.peak_bytes = static_cast<int64_t>(61.2 * kGiB);
  return metrics;
}

TEST(StepLine, AsTheDesignShowsIt) {
  StepMetrics metrics = example();
  metrics.bubble_fraction = 0.06, metrics.exposed_comm_s = 0.11 * metrics.step_s;
  const StepLineContext context{1000, 0.43, static_cast<int64_t>(80 * kGiB), 692.0};
  const std::string dense =
      "step 120/1000 | loss 3.2841 | norm 0.912 | lr 3.00e-04 | 812.4 ms | 80.6k tok/s | "
      "MFU 41.2% (plan 43.0%) | bubble 6% comm 11% | mem 61.2/80 GiB | eta 0:11:32";
  EXPECT_EQ(step_line(metrics, context), dense);
  metrics.aux_loss = 0.0102, metrics.moe_imbalance = 1.31, metrics.moe_dropped = 0;
  EXPECT_EQ(step_line(metrics, context), dense + " | aux 0.0102 imb 1.31 drop 0.0%");
  metrics.eval_loss = 3.30124;
  EXPECT_EQ(step_line(metrics, context), dense + " | aux 0.0102 imb 1.31 drop 0.0% | eval 3.3012");
  metrics.mtp_losses = {3.51234, 4};
  EXPECT_EQ(step_line(metrics, context),
            dense + " | aux 0.0102 imb 1.31 drop 0.0% | mtp 3.5123 4.0000 | eval 3.3012");
}

// A peak that was measured beside other programs is too low.
TEST(StepLine, MoreThanThePeakIsDoubted) {
  StepMetrics metrics = example();
  EXPECT_EQ(doubt_of_peak(metrics, 1e12), "");
  metrics.mfu = metrics.hfu = 1.0;
  EXPECT_EQ(doubt_of_peak(metrics, 1e12), "");
  metrics.hfu = 1.42;  // with all that is computed again
  EXPECT_EQ(doubt_of_peak(metrics, 87.3e9).substr(0, 56),
            "step 120 reached 142% of the peak of 87.3 GFLOP/s: that ");
}

TEST(StepLine, DoubtIsToldOnceAndStays) {
  bool in_doubt = false;
  StepMetrics before = example(), doubted = example(), after = example();
  doubted.hfu = 1.42;
  EXPECT_EQ(doubt_of_step(&before, 1e12, &in_doubt), "");
  EXPECT_TRUE(knows_mfu(before));
  EXPECT_EQ(doubt_of_step(&doubted, 1e12, &in_doubt).substr(0, 21), "step 120 reached 142%");
  EXPECT_FALSE(knows_mfu(doubted));
  EXPECT_EQ(doubt_of_step(&after, 1e12, &in_doubt), "");
  EXPECT_FALSE(knows_mfu(after));
}

TEST(StepLine, AnMfuThatIsNotKnownIsAQuestion) {
  StepMetrics metrics = example();
  metrics.mfu_palm = metrics.hfu = 1.2;
  forget_mfu(&metrics);
  EXPECT_EQ(step_line(metrics, {1000, 0.43, 0, std::nullopt}),
            "step 120/1000 | loss 3.2841 | norm 0.912 | lr 3.00e-04 | 812.4 ms | 80.6k tok/s | "
            "MFU ? (plan 43.0%) | mem 61.2 GiB");
  const std::string line = to_json_line(metrics);
  for (const char* key : {"\"mfu\":null", "\"mfu_palm\":null", "\"hfu\":null"})
    EXPECT_NE(line.find(key), std::string::npos) << key << " in " << line;
  EXPECT_FALSE(knows_mfu(parse_metrics(line, "test")));
  EXPECT_TRUE(knows_mfu(example()));
}

TEST(StepLine, UnknownFieldsAreAbsent) {
  EXPECT_EQ(step_line(example(), {1000, std::nullopt, 0, std::nullopt}),
            "step 120/1000 | loss 3.2841 | norm 0.912 | lr 3.00e-04 | 812.4 ms | 80.6k tok/s | "
            "MFU 41.2% | mem 61.2 GiB");
}

TEST(StepLine, NormsOfAnySize) {
  StepMetrics metrics = example();
  for (const auto& [norm, text] :
       std::initializer_list<std::pair<double, std::string>>{{0, "norm 0.000 "},
                                                             {2e-6, "norm 2.00e-06 "},
                                                             {314.1596, "norm 314.160 "},
                                                             {1.5e9, "norm 1.50e+09 "}}) {
    metrics.grad_norm = norm;
    EXPECT_NE(step_line(metrics, {}).find(text), std::string::npos) << text;
  }
}

TEST(StepLine, UnitsRoundInsideTheirRange) {
  EXPECT_EQ(format_rate(0), "0");
  EXPECT_EQ(format_rate(950.4), "950");
  EXPECT_EQ(format_rate(999.7), "1.0k");
  EXPECT_EQ(format_rate(999'960), "1.0M");
  EXPECT_EQ(format_rate(2.5e9), "2.5G");
  EXPECT_EQ(format_duration(0.4), "0:00:00");
  EXPECT_EQ(format_duration(3599.6), "1:00:00");
  EXPECT_EQ(format_duration(100 * 3600 + 61), "100:01:01");
  EXPECT_EQ(format_gib(int64_t{80} << 30), "80");
  EXPECT_EQ(format_gib(int64_t{51} << 20), "0.05");
}

TEST(EtaEstimator, LeavesTheFirstStepOut) {
  EtaEstimator eta;
  EXPECT_EQ(eta.remaining_s(10), 0);
  eta.add_step(5.0);
  EXPECT_DOUBLE_EQ(eta.remaining_s(10), 50);
  eta.add_step(1.0);
  EXPECT_DOUBLE_EQ(eta.remaining_s(10), 10);
  for (int i = 0; i < 50; ++i) eta.add_step(1.0);
  EXPECT_NEAR(eta.step_s(), 1.0, 1e-12);
  for (int i = 0; i < 100; ++i) eta.add_step(2.0);
  EXPECT_NEAR(eta.step_s(), 2.0, 0.01);
}

}  // namespace
}  // namespace argosy
