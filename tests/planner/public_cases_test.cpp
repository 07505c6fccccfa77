// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the press wrote about GPT-4's training (SemiAnalysis, "GPT-4 Architecture, Infrastructure,
// Training Dataset, Costs, Vision, MoE", July 2023): about 1.8T parameters, 280B of them active,
// 13T tokens, 2.15e25 FLOPs, about 25,000 A100 for 90 to 100 days at an MFU of 32 to 36%, tensor
// parallelism 8, pipelines of 15, a batch of 60M tokens, 63M USD at 1 USD an hour and GPU; today
// 8,192 H100 in about 55 days, 21.5M USD at 2 USD.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "planner/cost/evaluate.h"
#include "tests/planner/plan_program.h"

namespace argosy {
namespace {

using Json = nlohmann::json;

constexpr double kTokens = 13e12, kFlops = 2.15e25;

ModelSpec gpt4() {
  return read_model(ARGOSY_SOURCE_DIR "/configs/models/gpt4-moe.json").model;
}

TEST(Gpt4, SixFlopsAParameterAndToken) {
  const double active = static_cast<double>(count_parameters(gpt4()).active);
  EXPECT_NEAR(6 * active * kTokens / kFlops, 1, 0.03);
}

// "about 30 GB of FP16 parameters per GPU" where tensor and pipeline parallelism alone cut the
// model: every rank holds its part of all experts.
TEST(Gpt4, ParametersOfAPureTensorAndPipelineSplit) {
  Job job;
  job.model = gpt4();
  job.cluster = read_cluster(ARGOSY_SOURCE_DIR "/configs/clusters/a100-25k.json").cluster;
  job.seq_len = 8192;
  job.global_batch = 208 * 36;
  Candidate candidate;
  candidate.mesh.tp = candidate.mesh.etp = 8;
  candidate.mesh.pp = 15;
  candidate.mesh.dp = 208;
  candidate.sequence_parallel = true;
  candidate.zero_stage = 1;
  candidate.recompute = Recompute::full;
  LayerCostCache cache(job);
  const StageMemory memory =
      fullest_stage(job, candidate, stage_layers(job.model, candidate.num_stages()),
                    cache.elements(candidate), cache.costs(candidate));
  const double parameters =
      static_cast<double>(memory.bytes[static_cast<size_t>(MemoryCategory::parameters)]);
  EXPECT_NEAR(parameters, 30e9, 1.5e9);
}

TEST(Gpt4, DollarsOnA100) {
  const PlanOutput output = run_plan(
      "--model gpt4-moe --cluster a100-25k --fix "
      "tp=8,pp=15,zero=1,micro_batch=1,schedule=1f1b,recompute=full "
      "--tokens 13e12 --what-if price=1 --json");
  ASSERT_EQ(output.exit_code, 0) << output.err;
  const Json p = Json::parse(output.out)["what_if"]["plans"][0]["predicted"];
  const double days = p["days"], usd = p["cost_usd"];
  std::printf("A100: %.1f days, %.1fM USD at 1 USD an hour, MFU %.1f%%\n", days, usd / 1e6,
              100 * p["mfu"].get<double>());
  EXPECT_NEAR(usd / 63e6, 1, 0.10);
  EXPECT_NEAR(usd, days * 24 * 24960, 1e-6 * usd);
}

// 55 days on 8,192 H100 are 56% of the bf16 peak, 28% of the fp8 peak: more than what dense bf16
// runs of that size are published with (Llama 3 405B: 38 to 43%, arXiv:2407.21783 table 4), so that
// the figure implies fp8, or counts on a much better run.
TEST(Gpt4, WhatTheH100FigureImplies) {
  const double active = static_cast<double>(count_parameters(gpt4()).active);
  const ClusterSpec cluster =
      read_cluster(ARGOSY_SOURCE_DIR "/configs/clusters/h100-8192.json").cluster;
  const double rate = 6 * active * kTokens / (55 * 86400.0 * 8192);
  EXPECT_NEAR(rate / cluster.accelerator.bf16_flops_per_s, 0.56, 0.02);
  EXPECT_NEAR(rate / cluster.accelerator.fp8_flops_per_s, 0.28, 0.01);
  EXPECT_NEAR(55.0 * 24 * 8192 * 2, 21.5e6, 0.2e6);
  const PlanOutput output = run_plan(
      "--model gpt4-moe --cluster h100-8192 --tokens 13e12 --what-if price=2 --deadline 55d --json "
      "--top 1");
  ASSERT_EQ(output.exit_code, 0) << output.err;
  const Json json = Json::parse(output.out);
  const Json p = json["what_if"]["plans"][0]["predicted"];
  const double days = p["days"], mfu = p["mfu"], usd = p["cost_usd"];
  // The same from the command line, attention and goodput counted: 60 and 30%.
  EXPECT_TRUE(json["deadline"]["devices"].is_null());
  EXPECT_NEAR(json["deadline"]["whole_cluster_mfu"]["bf16"].get<double>(), 0.60, 0.03);
  EXPECT_NEAR(json["deadline"]["whole_cluster_mfu"]["fp8"].get<double>(), 0.30, 0.015);
  std::printf("H100, bf16: %.1f days, %.1fM USD at 2 USD an hour, MFU %.1f%%\n", days, usd / 1e6,
              100 * mfu);
  EXPECT_NEAR(usd, days * 24 * 8192 * 2, 1e-6 * usd);
  EXPECT_GT(days, 55);  // bf16 does not get there
  EXPECT_LT(mfu, 0.56);
}

}  // namespace
}  // namespace argosy
