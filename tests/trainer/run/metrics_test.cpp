// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "planner/spec/check.h"
#include "planner/spec/json.h"
#include "planner/spec/philox.h"

namespace argosy {
namespace {

StepMetrics full_metrics() {
  StepMetrics metrics;
  metrics.step = 12;
  metrics.loss = 1.0 / 3;
  metrics.grad_norm = 0x1.fffffffffffffp-3;
  metrics.lr = 3e-4;
  metrics.step_s = 0.1;
  metrics.tokens = int64_t{1} << 53;
  metrics.tokens_per_s = 80600.123456789;
  metrics.mfu = 0.412, metrics.mfu_palm = 0.43, metrics.hfu = 0.5;
  metrics.memory_bytes = {1, 2, 3, 4, 5, 6};
  metrics.peak_bytes = 21;
  metrics.aux_loss = 0.01, metrics.z_loss = 5e-324, metrics.moe_imbalance = 1.31;
  metrics.moe_dropped = 0, metrics.bubble_fraction = 0.06, metrics.exposed_comm_s = 0.011;
  metrics.router = RouterMetrics{{1.31, 1.0}, {0.97, 1.0 / 3}, {0, 0.125}, {0, 3}};
  metrics.parts = StepParts{
      .compute_s = 0.07, .bubble_s = 0.006, .optimizer_s = 1.0 / 3, .data_s = 0.001, .other_s = 0};
  metrics.parts->exposed_comm_s[static_cast<size_t>(Axis::dp_cp)] = 0.011;
  metrics.ops = OpParts{.matmul_s = 0.05, .attention_s = 1.0 / 7};
  metrics.ops->collective_s[static_cast<size_t>(CollectiveKind::all_to_all)] = 0.011;
  metrics.eval_loss = 3.5, metrics.trained_tokens = 77, metrics.host_bytes = 4096;
  metrics.mtp_losses = {1.0 / 3, 4.25};
  metrics.start = 3, metrics.layout = "tp=2 pp=1";
  return metrics;
}

TEST(Metrics, EveryFieldReadsBackExactly) {
  const StepMetrics metrics = full_metrics();
  EXPECT_EQ(parse_metrics(to_json_line(metrics), "test"), metrics);
  StepMetrics plain;
  plain.step = 1;
  EXPECT_EQ(parse_metrics(to_json_line(plain), "test"), plain);
}

TEST(Metrics, AnyDoubleReadsBackExactly) {
  for (uint64_t i = 0; i < 2000; ++i) {
    StepMetrics metrics;
    metrics.step = 1;
    metrics.loss = std::exp(40 * standard_normal(7, 1, i));
    ASSERT_EQ(parse_metrics(to_json_line(metrics), "test").loss, metrics.loss);
  }
}

TEST(Metrics, KeysOfTheContract) {
  const std::string line = to_json_line(full_metrics());
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const Json json = parse_json(line, "test");
  for (const char* key : {"step",           "loss",
                          "grad_norm",      "lr",
                          "step_s",         "tokens",
                          "tokens_per_s",   "mfu",
                          "mfu_palm",       "hfu",
                          "memory_bytes",   "aux_loss",
                          "z_loss",         "mtp_losses",
                          "moe_imbalance",  "moe_dropped",
                          "router",         "bubble_fraction",
                          "exposed_comm_s", "exposed_comm_by_axis_s",
                          "parts_s",        "ops_s",
                          "collectives_s",  "eval_loss",
                          "trained_tokens", "host_bytes",
                          "start",          "layout"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  for (const char* key :
       {"peak", "parameters", "gradients", "optimizer", "activations", "buffers", "workspace"}) {
    EXPECT_TRUE(json["memory_bytes"].contains(key)) << key;
  }
}

TEST(Metrics, UnknownIsAbsentAndNotFiniteIsNull) {
  StepMetrics metrics;
  metrics.step = 1;
  metrics.loss = std::numeric_limits<double>::infinity();
  const std::string line = to_json_line(metrics);
  EXPECT_EQ(line.find("aux_loss"), std::string::npos);
  EXPECT_NE(line.find("\"loss\":null"), std::string::npos) << line;
  EXPECT_TRUE(std::isnan(parse_metrics(line, "test").loss));
}

TEST(Metrics, StepsOfTheLastLayout) {
  std::vector<StepMetrics> steps(5);
  for (size_t i = 0; i < steps.size(); ++i) steps[i].step = static_cast<int64_t>(i) + 1;
  EXPECT_EQ(first_step_of_layout(steps, "b"), 6) << "an older version wrote no layout";
  for (StepMetrics& step : steps) step.layout = step.step == 3 ? "a" : "b";
  EXPECT_EQ(first_step_of_layout(steps, "b"), 4) << "what ran before another layout is left out";
  EXPECT_EQ(first_step_of_layout(steps, "a"), 6) << "it has made no step since";
  for (StepMetrics& step : steps) step.layout = "b";
  EXPECT_EQ(first_step_of_layout(steps, "b"), 1);
  EXPECT_EQ(first_step_of_layout({}, "b"), 1);
}

// Earlier steps of that start were measured against the same peak.
TEST(Metrics, DoubtIsOfAllStepsOfAStart) {
  std::vector<StepMetrics> steps(6);
  for (size_t i = 0; i < steps.size(); ++i) {
    steps[i].step = static_cast<int64_t>(i) + 1;
    steps[i].start = i < 2 ? 1 : i < 5 ? 2 : 3;
    steps[i].mfu = steps[i].mfu_palm = steps[i].hfu = 0.5;
  }
  EXPECT_TRUE(forget_doubted_mfu(&steps).empty());
  forget_mfu(&steps[4]);
  EXPECT_EQ(forget_doubted_mfu(&steps), (std::vector<StepRange>{{3, 5}}));
  for (const StepMetrics& step : steps) {
    EXPECT_EQ(knows_mfu(step), step.start != 2) << "step " << step.step;
  }
}

TEST(Metrics, BadLinesNameThePlace) {
  try {
    parse_metrics("{\"step\": \"one\"}", "metrics.jsonl line 3");
    FAIL() << "no ConfigError";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("metrics.jsonl line 3: step"), std::string::npos)
        << error.what();
  }
  EXPECT_THROW(parse_metrics("{", "test"), ConfigError);
}

}  // namespace
}  // namespace argosy
