// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the press wrote about GPT-4's training (SemiAnalysis, "GPT-4 Architecture, Infrastructure,
// Training Dataset, Costs, Vision, MoE", July 2023): about 1.8T parameters, 280B of them active,
// 13T tokens, 2.15e25 FLOPs, about 25,000 A100 for 90 to 100 days at an MFU of 32 to 36%, tensor
// parallelism 8, pipelines of 15, a batch of 60M tokens, 63M USD at 1 USD an hour and GPU; today
// 8,192 H100 in about 55 days, 21.5M USD at 2 USD.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "planner/cost/evaluate.h"
#include "planner/score/score.h"
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

// As the press counts: 6 FLOPs an active parameter and token, no attention, failures left out.
double mfu_of_parameters(const Json& predicted, double devices, double peak_flops_per_s) {
  const double active = static_cast<double>(count_parameters(gpt4()).active);
  return 6 * active * predicted["tokens_per_s"].get<double>() / (devices * peak_flops_per_s);
}

Json predicted_on_a100(const std::string& options) {
  const PlanOutput output = run_plan(
      "--model gpt4-moe --cluster a100-25k --tokens 13e12 --what-if price=1 --json --top 1 --fix "
      "tp=8,pp=15,zero=1,micro_batch=1,schedule=1f1b" +
      options);
  EXPECT_EQ(output.exit_code, 0) << output.err;
  const Json p = Json::parse(output.out)["what_if"]["plans"][0]["predicted"];
  std::printf("A100%s: %.1f days, %.1fM USD at 1 USD an hour, MFU %.1f%% (6N: %.1f%%)\n",
              options.c_str(), p["days"].get<double>(), p["cost_usd"].get<double>() / 1e6,
              100 * p["mfu"].get<double>(), 100 * mfu_of_parameters(p, 24960, 312e12));
  return p;
}

// 60M tokens are 7,324 sequences of 8,192; 7,280 and 7,488 are the nearest that 208 divides. As few
// layers are computed again as fit.
TEST(Gpt4, A100AsPublished) {
  for (const char* batch : {"7280", "7488"}) {
    const Json p = predicted_on_a100(std::string(" --global-batch ") + batch);
    const double days = p["days"], usd = p["cost_usd"];
    const double mfu = mfu_of_parameters(p, 24960, 312e12);
    EXPECT_GE(mfu, 0.32) << batch;
    EXPECT_LE(mfu, 0.36) << batch;
    EXPECT_GE(days, 90) << batch;
    EXPECT_LE(days, 100) << batch;
    EXPECT_NEAR(usd / 63e6, 1, 0.10) << batch;
    EXPECT_NEAR(usd, days * 24 * 24960, 1e-6 * usd) << batch;
  }
}

// The default of 73M tokens a step has a shorter bubble, computing everything again a longer step.
TEST(Gpt4, A100WithOtherBatchesAndRecomputation) {
  const Json published = predicted_on_a100(" --global-batch 7280");
  const Json larger = predicted_on_a100("");
  EXPECT_LT(larger["days"], published["days"]);
  EXPECT_GE(larger["days"], 85);
  const Json again = predicted_on_a100(",recompute=full --global-batch 7280");
  EXPECT_GT(again["days"].get<double>(), 1.2 * published["days"].get<double>());
}

// "What our own search would pick instead, and why": stages of a few layers, whose bubble is short.
TEST(Gpt4, OwnPickOnA100) {
  const PlanOutput output = run_plan(
      "--model gpt4-moe --cluster a100-25k --global-batch 7280 --tokens 13e12 --json --top 1");
  ASSERT_EQ(output.exit_code, 0) << output.err;
  const Json plan = Json::parse(output.out)["plans"][0];
  EXPECT_EQ(plan["schedule"], "interleaved");
  EXPECT_LT(plan["predicted"]["bubble_fraction"], 0.15);
  EXPECT_LT(plan["predicted"]["days"], 85);
  const std::string why =
      run_plan(
          "--model gpt4-moe --cluster a100-25k --global-batch 7280 --tokens 13e12 --explain --top "
          "1 --fix tp=8,pp=15,zero=1,micro_batch=1,schedule=1f1b")
          .out;
  EXPECT_NE(why.find("without --fix: -"), std::string::npos) << why;
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
      "--top 1 --fix micro_batch=1");  // the best has one sequence; other numbers take 20 s more
  ASSERT_EQ(output.exit_code, 0) << output.err;
  const Json json = Json::parse(output.out);
  const Json p = json["what_if"]["plans"][0]["predicted"];
  const double days = p["days"], mfu = p["mfu"], usd = p["cost_usd"];
  // Tensor parallelism between nodes has nothing to hide behind.
  EXPECT_LE(json["plans"][0]["mesh"]["tp"].get<int64_t>(), 8);
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

// LLaMA-65B, 1.4T tokens in 21 days on 2,048 A100-80G (arXiv:2302.13971 section 2.4; 380 tokens a
// second and GPU are 20.8 days). Its layout is not published. Of that time: tensor parallelism in
// the node, and pipelines with several stages a rank (arXiv:2104.04473) where traffic is counted in
// full, as the trainer has it; or sharded data where a framework hides it. With one stage a rank
// (plain 1F1B, tp 4, pp 8) the trainer would take 24.0 days, 14% more. No plan of the search is
// under 17 days.
TEST(Llama65b, TwentyOneDays) {
  const auto days = [](const std::string& options) {
    const PlanOutput output =
        run_plan("--model llama-65b --cluster a100-2048 --tokens 1.4e12 --json --top 1 " + options);
    EXPECT_EQ(output.exit_code, 0) << output.err;
    return Json::parse(output.out)["plans"][0]["predicted"]["days"].get<double>();
  };
  const double measured = 1.4e12 / (380 * 2048 * 86400.0);
  const std::pair<const char*, const char*> layouts[] = {
      {"argosy", "--fix tp=4,pp=8,schedule=interleaved,virtual_stages=2"},
      {"argosy", "--fix tp=4,pp=8,schedule=interleaved,virtual_stages=5"},
      {"argosy", "--fix tp=4,pp=4,schedule=interleaved"},
      {"megascale-baseline", "--fix tp=4,pp=1"}};
  for (const auto& [stack, layout] : layouts) {
    const double then = days(std::string(layout) + " --stack " + stack);
    std::printf("LLaMA-65B, %s %s: %.1f days, published %.1f\n", stack, layout, then, measured);
    EXPECT_NEAR(then / 21, 1, 0.10) << stack << " " << layout;
  }
  for (const char* stack : {"", "--stack argosy", "--stack megascale-baseline", "--stack any"}) {
    const double best = days(stack);
    std::printf("LLaMA-65B, best %s: %.1f days\n", stack, best);
    EXPECT_GE(best, 17) << stack;
    EXPECT_LE(best, 21) << stack;
  }
}

// Rows of publications that no profile was fitted to; cells as the papers print them, blank ones
// filled by the profile or the fastest that fits.
constexpr const char* kFrontier =
    "id,source,model_name,arch,layers,hidden,ffn_hidden,heads,kv_heads,vocab,seq_len,experts,top_k,"
    "expert_ffn_hidden,shared_experts,swiglu,gpu,num_gpus,gpus_per_node,intra_bw_gbs,"
    "inter_bw_gbs_per_gpu,tp,pp,vpp,dp,cp,ep,etp,zero_stage,seq_parallel,recompute,micro_batch,"
    "global_batch_seqs,precision,meas_mfu,meas_days,task,notes\n"
    // arXiv:2407.21783 table 4: 430 and 400 TFLOP/s of 989; interleaved, a layer a chunk.
    "LLAMA-1,Llama "
    "3,405B,dense,126,16384,53248,128,8,128256,8192,,,,,1,H100-SXM5-80GB,8192,8,450,50,"
    "8,16,8,64,1,,,1,1,none,1,2048,bf16,0.43,,pretrain,model FLOPs\n"
    "LLAMA-2,Llama 3,405B,dense,126,16384,53248,128,8,128256,8192,,,,,1,H100-SXM5-80GB,16384,8,450,"
    "50,8,16,8,128,1,,,1,1,none,1,2048,bf16,0.41,,pretrain,model FLOPs\n"
    // arXiv:2412.19437 section 1: 180K H800 hours, 3.7 days on 2,048, a trillion tokens.
    "DEEPSEEK-1,DeepSeek-V3,671B,moe,61,7168,18432,128,128,129280,4096,256,8,2048,1,1,H800-SXM5-"
    "80GB,"
    "2048,8,200,50,1,16,,128,1,64,1,1,,selective,,15360,fp8,,3.7,pretrain,"
    "per 1T tokens; arch: MLA; first 3 layers dense\n"
    // arXiv:2204.02311 section 6: 12-way model, 512-way sharded data over two pods, 46.2% MFU.
    "PALM-1,PaLM,540B,dense,118,18432,73728,48,1,256000,2048,,,,,1,TPUv4,6144,4,100,25,12,1,,512,1,"
    ",,"
    "3,0,full,,2048,bf16,0.462,,pretrain,head_dim 256\n";

TEST(Frontier, PredictedBesidePublished) {
  const ScoreFiles files = read_score_files(ARGOSY_SOURCE_DIR "/configs");
  const std::map<std::string, double> most = {
      {"LLAMA-1", 0.12}, {"LLAMA-2", 0.12}, {"DEEPSEEK-1", 0.3}, {"PALM-1", 0.5}};
  for (const PublishedRun& run : published_runs(parse_csv(kFrontier, "papers"))) {
    const RunScore score = predict(prepare(run, files));
    ASSERT_TRUE(score.has_step()) << run.id << ": " << score.reason;
    std::printf("%-10s %-22s published %6.2f s, predicted %6.2f s, error %+5.1f%%\n",
                run.id.c_str(), score.stack.c_str(), score.measured_step_s, score.predicted_step_s,
                100 * score.error());
    EXPECT_LT(std::abs(score.error()), most.at(run.id)) << run.id;
  }
}

}  // namespace
}  // namespace argosy
