// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/calibrate/learn.h"

#include <gtest/gtest.h>

#include <cmath>

#include "planner/calibrate/predicted_work.h"
#include "planner/cost/collective.h"
#include "planner/cost/compute.h"
#include "planner/spec/check.h"
#include "tests/planner/calibrate/synthetic_run.h"

namespace argosy {
namespace {

Corrections truth() {
  Corrections c;
  c.matmul = 1.2, c.attention = 1.6, c.memory = 0.8;
  c.all_to_all = 3, c.reduce_scatter = 1.5, c.all_gather = 0.7;
  return c;
}

std::string error_of(const std::vector<RunRecord>& runs, const ClusterSpec& cluster) {
  try {
    learn(runs, cluster);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Learn, FindsTheFactorsOfEachKind) {
  const ClusterSpec cluster = small_cluster();
  const std::vector<RunRecord> runs = {synthetic_run("a", demo_plan(2, 1), cluster, truth()),
                                       synthetic_run("b", demo_plan(2, 1), cluster, truth()),
                                       synthetic_run("c", demo_plan(2, 2), cluster, truth()),
                                       synthetic_run("d", demo_plan(2, 2), cluster, truth())};
  const Learning learning = learn(runs, cluster);
  ASSERT_EQ(learning.sets.size(), 1u);
  const CorrectionSet& set = learning.sets[0];
  EXPECT_EQ(set.precision, Precision::fp32);
  EXPECT_EQ(set.ranks_per_device, 1);
  EXPECT_EQ(set.factors.num_runs, 4);
  // What is left of shrinking, and overheads that no factor is for.
  EXPECT_NEAR(set.factors.matmul, 1.2, 0.01);
  EXPECT_NEAR(set.factors.attention, 1.6, 0.02);
  EXPECT_NEAR(set.factors.memory, 0.8, 0.01);
  EXPECT_NEAR(set.factors.all_to_all, 3, 0.1);
  EXPECT_NEAR(set.factors.all_gather, 0.7, 0.02);
  EXPECT_NEAR(set.factors.rest, 1, 0.01);
  EXPECT_EQ(set.factors.all_reduce, 1);  // none of these runs had one that counts
  for (const LearnedRun& run : set.runs) {
    EXPECT_GT(std::abs(run.predicted_step_s / run.measured_step_s - 1), 0.1) << run.name;
    EXPECT_NEAR(run.corrected_step_s, run.measured_step_s, 0.01 * run.measured_step_s) << run.name;
  }
}

TEST(Learn, WhatHasNoNameIsTheRest) {
  const ClusterSpec cluster = small_cluster();
  RunRecord run = synthetic_run("a", demo_plan(2, 2), cluster, {});
  run.measured.step_s *= 1.3;  // waiting
  const Learning learning = learn({run}, cluster);
  const Corrections& factors = learning.sets.at(0).factors;
  EXPECT_NEAR(factors.rest, std::pow(1.3, 1 / 1.04), 1e-6);
  EXPECT_NEAR(factors.matmul, 1, 1e-9);
  EXPECT_NEAR(learning.sets[0].runs.at(0).corrected_step_s, run.measured.step_s,
              0.02 * run.measured.step_s);
}

TEST(Learn, RehearsalsAndPrecisionsAreApart) {
  const ClusterSpec cluster = small_cluster();
  Plan half = demo_plan(2, 1);
  half.precision = Precision::bf16;
  const Learning learning = learn({synthetic_run("own", demo_plan(2, 2), cluster, {}),
                                   synthetic_run("alone", demo_plan(1, 1), cluster, {}),
                                   synthetic_run("shared", demo_plan(4, 4), cluster, truth()),
                                   synthetic_run("bf16", half, cluster, {})},
                                  cluster);
  ASSERT_EQ(learning.sets.size(), 4u);
  EXPECT_EQ(learning.sets[0].ranks_per_device, 1);
  EXPECT_EQ(learning.sets[1].ranks_per_device, 0.5);
  EXPECT_EQ(learning.sets[2].ranks_per_device, 2);
  EXPECT_NEAR(learning.sets[0].factors.matmul, 1, 1e-9);
  EXPECT_NEAR(learning.sets[2].factors.matmul, 1.2, 0.02);
  EXPECT_EQ(learning.sets[3].precision, Precision::bf16);
}

TEST(Learn, DisturbedRunsDoNotCount) {
  const ClusterSpec cluster = small_cluster();
  RunRecord restless = synthetic_run("restless", demo_plan(2, 1), cluster, truth());
  restless.scatter = 0.5;
  RunRecord slow = synthetic_run("slow", demo_plan(2, 1), cluster, truth());
  slow.peak_flops_per_s *= 0.4;
  RunRecord threads = synthetic_run("threads", demo_plan(1, 1), cluster, {});
  threads.peak_flops_per_s *= 2;
  threads.threads_per_rank = 2;
  const RunRecord good = synthetic_run("good", demo_plan(2, 1), cluster, {});
  const Learning learning = learn({restless, slow, good, threads}, cluster);
  ASSERT_EQ(learning.sets.size(), 1u);
  EXPECT_EQ(learning.sets[0].factors.num_runs, 1);
  EXPECT_NEAR(learning.sets[0].factors.matmul, 1, 1e-9);
  ASSERT_EQ(learning.left_out.size(), 3u);
  EXPECT_NE(learning.left_out[0].find("restless: left out: its steps scatter by 50.0%"),
            std::string::npos)
      << learning.left_out[0];
  EXPECT_NE(learning.left_out[1].find("slow"), std::string::npos);
  EXPECT_NE(learning.left_out[2].find("2 threads"), std::string::npos);
  EXPECT_NE(error_of({restless}, cluster).find("no run is left"), std::string::npos);
}

TEST(Learn, ForeignRunsAreMistakes) {
  ClusterSpec cluster = small_cluster();
  const RunRecord run = synthetic_run("runs/x", demo_plan(2, 1), cluster, {});
  RunRecord other = run;
  other.cpu = "Other CPU";
  EXPECT_NE(error_of({run, other}, cluster).find("ran on Other CPU"), std::string::npos);
  cluster.cpu_model = "Third CPU";
  EXPECT_NE(error_of({run}, cluster).find("valid: runs on Third CPU"), std::string::npos);
  cluster.cpu_model = "";
  cluster.name = "elsewhere";
  const std::string message = error_of({run}, cluster);
  EXPECT_NE(message.find("runs/x"), std::string::npos) << message;
  EXPECT_NE(message.find("elsewhere"), std::string::npos) << message;
}

// Layers that are computed again one by one are work as any other.
TEST(Learn, RecomputationOfSomeLayers) {
  const ClusterSpec cluster = small_cluster();
  Plan some = demo_plan(2, 1);
  some.recompute[0] = Recompute::full;
  const RunRecord run = synthetic_run("some", some, cluster, truth());
  EXPECT_GT(run.measured.matmul_s,
            synthetic_run("none", demo_plan(2, 1), cluster, truth()).measured.matmul_s);
  EXPECT_NEAR(learn({run}, cluster).sets.at(0).factors.matmul, 1.2, 0.02);
}

TEST(Corrected, ScalesOpsAndCollectives) {
  ClusterSpec cluster = small_cluster();
  cluster.accelerator.op_overhead_s = 0;  // which is of no kind: `rest` alone scales it
  Corrections c;
  c.matmul = 2, c.memory = 4, c.all_reduce = 3, c.rest = 1.5;
  const ClusterSpec slow = corrected(cluster, c);
  OpWork product{OpKind::matmul, int64_t{1} << 30, 0, 1}, copy{OpKind::memory, 0, 1 << 26, 1};
  const auto seconds = [](const OpWork& op, const ClusterSpec& on) {
    return op_seconds(op, on.accelerator, Precision::fp32);
  };
  EXPECT_NEAR(seconds(product, slow) / seconds(product, cluster), 3, 1e-9);
  EXPECT_NEAR(seconds(copy, slow) / seconds(copy, cluster), 6, 1e-9);
  const GroupPlacement pair = place(2, 1, cluster);
  const auto collective = [&](CollectiveKind kind, const ClusterSpec& on) {
    return collective_seconds(kind, 1 << 20, pair, on);
  };
  EXPECT_NEAR(collective(CollectiveKind::all_reduce, slow) /
                  collective(CollectiveKind::all_reduce, cluster),
              4.5, 1e-9);
  EXPECT_NEAR(collective(CollectiveKind::send, slow) / collective(CollectiveKind::send, cluster),
              1.5, 1e-9);
  EXPECT_EQ(slow.accelerator.fp32_flops_per_s, cluster.accelerator.fp32_flops_per_s);
}

}  // namespace
}  // namespace argosy
