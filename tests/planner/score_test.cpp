// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Tables of published runs: reading, what is measured, statistics, and how far predictions are off.
#include "planner/score/score.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "planner/score/sustained.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"

namespace argosy {
namespace {

constexpr const char* kRoot = ARGOSY_SOURCE_DIR;
constexpr double kTera = 1e12;

std::string message_of(const std::string& csv) {
  try {
    published_runs(parse_csv(csv, "runs.csv"));
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

const ScoreFiles& files() {
  static const ScoreFiles read = read_score_files(std::string(kRoot) + "/configs");
  return read;
}

const Score& golden_score() {
  static const Score score = [] {
    const std::string path = std::string(kRoot) + "/tests/golden/published_runs.csv";
    return score_runs(published_runs(parse_csv(read_text_file(path), path)), files());
  }();
  return score;
}

// GPT of 1.3B parameters on one node.
PublishedRun small_run() {
  PublishedRun run;
  run.id = "TEST-001";
  run.source = "a source that no profile names";
  run.model_name = "GPT-1.3B";
  run.arch = "dense";
  run.gpu = "A100-SXM4-80GB";
  run.precision = "bf16";
  run.swiglu = false;
  run.layers = 24;
  run.hidden = 2048;
  run.ffn_hidden = 8192;
  run.heads = run.kv_heads = 16;
  run.vocab = 50304;
  run.seq_len = 2048;
  run.num_gpus = run.gpus_per_node = 8;
  run.tp = run.pp = run.cp = 1;
  run.dp = 8;
  run.global_batch_seqs = 64;
  run.meas_iter_s = 1.5;
  return run;
}

// The same with 8 of 64 experts a token.
PublishedRun small_mixture() {
  PublishedRun run = small_run();
  run.arch = "moe";
  run.experts = 64;
  run.top_k = 8;
  run.expert_ffn_hidden = 1024;
  run.shared_experts = 0;
  run.swiglu = true;
  run.micro_batch = 4;
  run.recompute = "none";
  return run;
}

TEST(Csv, QuotesLinesAndMarks) {
  const CsvTable table = parse_csv(
      "\xEF\xBB\xBF"
      "a,b\r\n# a remark\r\n\r\n\"x, \"\"y\"\"\nz\",\r\n1,2",
      "t.csv");
  ASSERT_EQ(table.rows.size(), 2u);
  EXPECT_EQ(cell(table, 0, "a"), "x, \"y\"\nz");
  EXPECT_EQ(cell(table, 0, "b"), "");
  EXPECT_EQ(cell(table, 1, "b"), "2");
  EXPECT_EQ(cell(table, 1, "c"), "");
  EXPECT_EQ(table.lines[0], 4u);
  EXPECT_EQ(table.lines[1], 6u);
}

TEST(Csv, MistakesAreNamed) {
  EXPECT_NE(message_of("id,gpu\n\"a").find("line 2: a quote that is not closed"),
            std::string::npos);
  EXPECT_NE(message_of("id,gpu\n1,2,3").find("line 2: 3 cells, expected 2"), std::string::npos);
  EXPECT_NE(message_of("id,id\n").find("'id' is named twice"), std::string::npos);
  EXPECT_NE(message_of("").find("no header"), std::string::npos);
}

TEST(PublishedRuns, CellsAreChecked) {
  EXPECT_NE(message_of("id,gpu\n1,2").find("no column 'num_gpus'"), std::string::npos);
  EXPECT_NE(message_of("id,gpu,num_gpus\na,b,8x").find("line 2: num_gpus: '8x'"),
            std::string::npos);
  EXPECT_NE(message_of("id,gpu,num_gpus\na,b,2.5").find("whole number"), std::string::npos);
  EXPECT_NE(message_of("id,gpu,num_gpus,tp\na,b,8,0").find("at least 1"), std::string::npos);
  EXPECT_NE(message_of("id,gpu,num_gpus,meas_iter_s\na,b,8,-1").find("negative"),
            std::string::npos);
  const auto runs = published_runs(parse_csv("id,gpu,num_gpus,tp\nAB-001,H100,8.0,\n", "t"));
  EXPECT_EQ(runs[0].num_gpus, 8);
  EXPECT_FALSE(runs[0].tp.has_value());
  EXPECT_EQ(runs[0].group(), "AB");
}

TEST(Statistics, OfKnownErrors) {
  const ErrorStatistics s = error_statistics({0.1, -0.3, 0.2, -0.4});
  EXPECT_DOUBLE_EQ(s.mape, 0.25);
  EXPECT_DOUBLE_EQ(s.bias, -0.1);
  EXPECT_DOUBLE_EQ(s.median, 0.25);
  EXPECT_NEAR(s.p90, 0.37, 1e-12);
  EXPECT_EQ(error_statistics({}).n, 0);
  // Three pairs: two in order, one not; a tie counts for neither.
  EXPECT_DOUBLE_EQ(rank_pairs({{1, 1}, {2, 3}, {3, 2}}).tau(), 1.0 / 3);
  EXPECT_DOUBLE_EQ(rank_pairs({{1, 1}, {1, 2}}).tau(), 0);
}

TEST(MeasuredStep, FollowsTheCountOfTheSource) {
  PublishedRun run = small_run();
  const RunSetup setup =
      setup_of(run, stack_of_run(files().stacks, run.source, "", ""), files().accelerators);
  Plan plan = to_plan(setup.job, setup.candidates.front());
  plan.predicted.peak_flops_per_device = 312 * kTera;
  EXPECT_DOUBLE_EQ(measured_step_s(run, plan), 1.5);
  run.meas_iter_s.reset();
  run.meas_tokens_per_s_per_gpu = 8192;
  EXPECT_DOUBLE_EQ(measured_step_s(run, plan), 64 * 2048 / (8192.0 * 8));
  run.meas_tokens_per_s_per_gpu.reset();
  run.meas_tflops_per_gpu = 100;
  const double full_s = measured_step_s(run, plan);
  EXPECT_DOUBLE_EQ(full_s, model_flops_per_step(plan, true) / (100 * kTera * 8));
  run.notes = "flops: model FLOPs with causal attention halved";
  EXPECT_DOUBLE_EQ(measured_step_s(run, plan), model_flops_per_step(plan) / (100 * kTera * 8));
  // Narayanan et al.: 96 B s l h^2 (1 + s/6h + V/16lh).
  run.notes = "flops: 96Bslh^2(1+s/6h+V/16lh) incl. full recompute";
  const double flops =
      96.0 * 64 * 2048 * 24 * 2048 * 2048 * (1 + 2048 / (6.0 * 2048) + 50304 / (16.0 * 24 * 2048));
  EXPECT_NEAR(measured_step_s(run, plan), flops / (100 * kTera * 8), 1e-9);
  run.meas_tflops_per_gpu.reset();
  run.notes = "";
  run.meas_mfu = 0.5;
  EXPECT_DOUBLE_EQ(measured_step_s(run, plan), full_s * 100 / 156);
  run.meas_mfu.reset();
  run.meas_days = 10;
  run.notes = "1T tokens in 10 days";
  EXPECT_DOUBLE_EQ(measured_step_s(run, plan), 10 * 86400.0 * 64 * 2048 / 1e12);
}

TEST(RunSetup, BlankCellsAreTriedOrFilled) {
  PublishedRun run = small_run();
  const PreparedRun prepared = prepare(run, files());
  ASSERT_EQ(prepared.reason, "");
  EXPECT_GT(prepared.configurations.size(), 3u);  // micro-batches of 1 to 8, recomputation
  const RunScore open = predict(prepared);
  for (const char* recompute : {"none", "full"}) {
    run.recompute = recompute;
    run.micro_batch = 2;
    EXPECT_LE(open.predicted_step_s, predict(prepare(run, files())).predicted_step_s);
  }
}

TEST(RunSetup, WhatCannotBeRepresentedSaysWhy) {
  const auto reason = [](void (*change)(PublishedRun&)) {
    PublishedRun run = small_run();
    change(run);
    return predict(prepare(run, files())).reason;
  };
  EXPECT_EQ(reason([](PublishedRun&) {}), "");
  EXPECT_NE(reason([](PublishedRun& r) { r.dp = 4; }).find("tp*pp*cp*dp"), std::string::npos);
  EXPECT_NE(reason([](PublishedRun& r) { r.hidden.reset(); }).find("hidden"), std::string::npos);
  EXPECT_NE(reason([](PublishedRun& r) { r.gpu = "Abacus"; }).find("Abacus"), std::string::npos);
  EXPECT_NE(
      reason([](PublishedRun& r) { r.notes = "with CPU offload of the optimizer"; }).find("host"),
      std::string::npos);
  EXPECT_NE(reason([](PublishedRun& r) { r.precision = "fp8"; }).find("fp8"), std::string::npos);
  EXPECT_NE(reason([](PublishedRun& r) { r.meas_iter_s.reset(); }).find("measured"),
            std::string::npos);
  EXPECT_NE(reason([](PublishedRun& r) { r.global_batch_seqs = 12; }).find("divide"),
            std::string::npos);
}

TEST(Stacks, MoreOfEverythingIsNotSlower) {
  PublishedRun run = small_run();
  run.micro_batch = 4;
  run.recompute = "none";
  PreparedRun prepared = prepare(run, files());
  const StackNumbers plain;
  const double plain_s = predict(prepared, plain).predicted_step_s;
  for (double StackNumbers::*share :
       {&StackNumbers::matmul_share, &StackNumbers::attention_share, &StackNumbers::memory_share}) {
    StackNumbers better = plain;
    better.*share = 1.5;
    EXPECT_LT(predict(prepared, better).predicted_step_s, plain_s);
  }
  StackNumbers slow_host = plain;
  slow_host.host_op_s = 1e-2;
  EXPECT_GT(predict(prepared, slow_host).predicted_step_s, 2 * plain_s);
}

// What configs/accelerators says of A100 and the others is what the published runs say, and nobody
// keeps more than the rate of its curves.
TEST(Sustained, SharesAreThoseOfThePublishedRuns) {
  const std::string path = std::string(kRoot) + "/tests/golden/published_runs.csv";
  std::vector<PreparedRun> prepared;
  for (const PublishedRun& run : published_runs(parse_csv(read_text_file(path), path))) {
    PreparedRun ready = prepare(run, files());
    if (ready.reason.empty() && ready.measured_s.front() > 0) prepared.push_back(ready);
  }
  Runs runs;
  for (PreparedRun& run : prepared) runs.push_back(&run);
  const std::map<std::string, SustainedShare> shares = sustained_shares(runs);
  int64_t compared = 0;
  for (const ClusterSpec& cluster : files().accelerators) {
    const auto found = shares.find(cluster.accelerator.name);
    if (found == shares.end() || found->second.share == 0) continue;
    EXPECT_NEAR(cluster.accelerator.sustained_share, found->second.share, 0.006)
        << cluster.accelerator.name;
    ++compared;
  }
  EXPECT_GE(compared, 7);
  const SustainedShare& a100 = shares.at("A100-SXM4-80GB");
  EXPECT_GE(a100.sources.size(), 10u);
  EXPECT_LT(a100.sources.front().share, a100.share);
  EXPECT_GT(a100.sources.back().share, a100.share);
  EXPECT_LT(a100.sources.back().share, 1);
}

// What the profiles reached when they were fitted, and a little room: a change that makes the model
// of cost worse is noticed.
TEST(Score, PublishedRunsStayPredicted) {
  const Score& score = golden_score();
  std::printf("%s", score_text(score).c_str());
  EXPECT_EQ(score.rows.size(), 620u);
  EXPECT_GE(score.total.errors.n, 598);
  EXPECT_LT(score.total.errors.mape, 0.042);
  EXPECT_LT(score.total.errors.median, 0.025);
  EXPECT_LT(std::abs(score.total.errors.bias), 0.01);
  EXPECT_GT(score.total.tau, 0.83);
  EXPECT_LT(score.total.mean_regret, 0.02);
  EXPECT_LT(score.lora.errors.mape, 0.045);
  EXPECT_LT(score.lora.memory.mape, 0.028);
  const std::map<std::string, double> most = {
      {"SC21T1", 0.008}, {"SC21T2", 0.04}, {"KOR", 0.01},  {"MEG20", 0.008},  {"SIM", 0.029},
      {"VTR", 0.055},    {"DGXC", 0.028},  {"MPT", 0.035}, {"ILM", 0.05},     {"QWEN", 0.045},
      {"TT", 0.045},     {"MPF", 0.065},   {"BSCI", 0.04}, {"MSCALE", 0.025}, {"MB", 0.075},
      {"MBC", 0.035},    {"NEMO", 0.08},   {"AM", 0.04}};
  for (const auto& [source, mape] : most) {
    EXPECT_LT(score.groups.at(source).errors.mape, mape) << source;
  }
  // Megatron-LM's own tables together.
  double sum = 0;
  int64_t n = 0;
  for (const char* source : {"SC21T1", "SC21T2", "KOR"}) {
    const auto& errors = score.groups.at(source).errors;
    sum += errors.mape * static_cast<double>(errors.n);
    n += errors.n;
  }
  EXPECT_LT(sum / static_cast<double>(n), 0.02);
  // One of three picks: micro-batches of 4 instead of 2, whose predictions are 0.1% apart.
  EXPECT_LT(score.groups.at("VTR").mean_regret, 0.05);
  EXPECT_LT(score.groups.at("DGXC").mean_regret, 0.01);
}

// Runs of papers that no profile was fitted to. BloombergGPT shards over groups of 128 on hosts of
// 4 x 100 Gb/s, where "zero-3" knows hosts with four times that; of the others Llama 3 with 131,072
// tokens is the worst.
TEST(Score, RunsOfPapersThatNoFitHasSeen) {
  const std::string path = std::string(kRoot) + "/tests/golden/literature_runs.csv";
  const Score score = score_runs(published_runs(parse_csv(read_text_file(path), path)), files());
  std::printf("%s", score_text(score).c_str());
  EXPECT_EQ(score.total.errors.n, 8);
  EXPECT_EQ(score.total.unrepresented, 0);
  EXPECT_LT(score.total.errors.mape, 0.1);
  EXPECT_LT(score.total.errors.median, 0.08);
  for (const RunScore& row : score.rows) {
    EXPECT_LT(std::abs(row.error()), row.model == "BloombergGPT-50B" ? 0.295 : 0.22) << row.id;
  }
}

TEST(Score, SmallModelsOfVTrainStayPredicted) {
  const std::string path = std::string(kRoot) + "/tests/golden/vtrain_single_node.csv";
  const Score score = score_runs(published_runs(parse_csv(read_text_file(path), path)), files());
  EXPECT_EQ(score.total.errors.n, 720);
  EXPECT_LT(score.total.errors.mape, 0.072);
  EXPECT_LT(score.total.mean_regret, 0.045);
  EXPECT_LT(std::abs(score.total.errors.bias), 0.02);
  EXPECT_GT(score.total.tau, 0.90);
}

// Head sizes that are no multiple of 8 keep unfused products from tensor cores (BigScience saw 103
// s become 147 s when 64 heads of 216 became 128 of 108).
TEST(Stacks, UnalignedHeadsAreSlow) {
  PublishedRun run = small_run();
  run.source = "BigScience";
  run.micro_batch = 4;
  run.recompute = "full";
  run.hidden = 1728;
  run.heads = run.kv_heads = 8;  // of 216
  const double aligned_s = predict(prepare(run, files())).predicted_step_s;
  run.heads = run.kv_heads = 16;  // of 108
  EXPECT_GT(predict(prepare(run, files())).predicted_step_s, 1.3 * aligned_s);
}

// 50,257 rows are no multiple of 8: where a framework does not pad the vocabulary, products with it
// run without the fast loads of tensor cores.
TEST(Stacks, UnpaddedVocabulariesAreSlow) {
  PublishedRun run = small_run();
  run.micro_batch = 8;
  run.recompute = "full";
  run.layers = 4;  // the head matters
  const auto step_s = [&run](const char* source, int64_t vocab) {
    run.source = source;
    run.vocab = vocab;
    return predict(prepare(run, files())).predicted_step_s;
  };
  EXPECT_GT(step_s("vTrain ground truth (single node)", 50257),
            1.2 * step_s("vTrain ground truth (single node)", 50264));
  EXPECT_LT(step_s("Korthikanti", 50257), step_s("Korthikanti", 50264));
}

// PyTorch's checkpoints end with the last tensor that backward reads: the down projection, a third
// of an MLP's products, is not run a second time. Megatron-LM's run the whole block.
TEST(Stacks, RecomputationThatEndsEarlyIsFaster) {
  const auto slowdown_of_whole_blocks = [](const char* source, const char* recompute) {
    PublishedRun run = small_run();
    run.source = source;
    run.micro_batch = 8;
    run.recompute = recompute;
    ScoreFiles whole = files();
    for (StackProfile& stack : whole.stacks) stack.facts.recomputes_whole_blocks = true;
    return predict(prepare(run, whole)).predicted_step_s /
           predict(prepare(run, files())).predicted_step_s;
  };
  for (const char* source : {"llm-foundry", "torchtitan", "torchtune"}) {
    EXPECT_GT(slowdown_of_whole_blocks(source, "full"), 1.03) << source;
    EXPECT_LT(slowdown_of_whole_blocks(source, "full"), 1.15) << source;
    EXPECT_EQ(slowdown_of_whole_blocks(source, "none"), 1) << source;
  }
  EXPECT_EQ(slowdown_of_whole_blocks("Megatron-LM", "full"), 1);
}

// Each call waits for a message to go round all ranks.
TEST(Stacks, ManyCallsOfShardedLayersAreSlow) {
  PublishedRun run = small_run();
  run.num_gpus = run.dp = 1024;
  run.global_batch_seqs = 1024;
  run.inter_bw_gbs_per_gpu = 25;
  run.micro_batch = 1;
  run.recompute = "full";
  run.zero_stage = 3;
  PreparedRun prepared = prepare(run, files());
  const double one_s = predict(prepared).predicted_step_s;
  prepared.configurations.front().job.stack.facts.calls_per_layer = 12;
  EXPECT_GT(predict(prepared).predicted_step_s, 2 * one_s);
}

// Each token goes to 8 of 64 experts on 16 GPUs, half of them on the other node: 4 copies cross, or
// one that the node hands on. Kernels that do so know no capacity. In one node nothing changes.
TEST(Stacks, CopiesOfATokenCrossToANodeOnce) {
  PublishedRun run = small_mixture();
  run.inter_bw_gbs_per_gpu = 25;
  const auto prepared_on = [&run](int64_t gpus, const char* source, const char* notes) {
    run.num_gpus = run.dp = run.ep = gpus;
    run.source = source;
    run.notes = notes;
    return prepare(run, files());
  };
  const auto slowdown_by_copies = [&](int64_t gpus, const char* notes) {
    PreparedRun prepared = prepared_on(gpus, "Megatron-Bridge", notes);
    const double as_noted_s = predict(prepared).predicted_step_s;
    prepared.configurations.front().job.stack.facts.dispatches_once = false;
    return predict(prepared).predicted_step_s / as_noted_s;
  };
  EXPECT_GT(slowdown_by_copies(16, "container 25.09"), 1.2);
  EXPECT_EQ(slowdown_by_copies(16, "container 25.09; token drop"), 1);
  EXPECT_EQ(slowdown_by_copies(8, "container 25.09"), 1);
  const auto skills_s = [&](const char* notes) {
    return predict(prepared_on(16, "Megatron-Bridge skills", notes)).predicted_step_s;
  };
  EXPECT_GT(skills_s("EP overlap off"), 1.05 * skills_s("EP overlap on"));
}

// Recipes of Megatron-Bridge hide it where it leaves the node; within NVLink it is waited for.
TEST(Stacks, TrafficOfExpertsIsHiddenBetweenNodesAlone) {
  const auto gain_of_hiding_all = [](int64_t gpus) {
    PublishedRun run = small_mixture();
    run.inter_bw_gbs_per_gpu = 25;
    run.num_gpus = run.dp = run.ep = gpus;
    run.source = "Megatron-Bridge";
    run.notes = "container 25.09";
    PreparedRun prepared = prepare(run, files());
    EXPECT_EQ(prepared.reason, "");
    const double as_run_s = predict(prepared).predicted_step_s;
    prepared.configurations.front().job.stack.facts.overlaps_experts_in_nodes = true;
    return as_run_s / predict(prepared).predicted_step_s;
  };
  EXPECT_GT(gain_of_hiding_all(8), 1.01);
  EXPECT_EQ(gain_of_hiding_all(16), 1);
}

// gpt-oss is known by its name. Biases and an activation in several kernels cost those experts time
// where a framework runs them so, and no others.
TEST(Stacks, ExpertsWithBiasesTakeMorePasses) {
  const auto slowdown = [](const char* model_name, const char* container) {
    PublishedRun run = small_mixture();
    run.model_name = model_name;
    run.source = "Megatron-Bridge";
    run.notes = container;
    PreparedRun prepared = prepare(run, files());
    EXPECT_EQ(prepared.reason, "");
    const double as_run_s = predict(prepared).predicted_step_s;
    prepared.configurations.front().job.stack.facts.expert_bias_passes = 0;
    return as_run_s / predict(prepared).predicted_step_s;
  };
  EXPECT_GT(slowdown("GPT-OSS-20B", "container 25.11"), 1.1);
  EXPECT_EQ(slowdown("Qwen3-30B-A3B", "container 25.11"), 1);
  EXPECT_EQ(slowdown("GPT-OSS-20B", "container 25.09"), 1);
}

// Two settings: in one the pick is the fastest, in the other it loses a tenth. A row alone is no
// choice, and a run on other hardware is no rival.
TEST(Score, RegretOfThePlannersPick) {
  std::vector<RunScore> rows;
  const auto add = [&rows](const char* setting, double predicted_s, double measured_s) {
    RunScore row;
    row.group = "G";
    row.model = "M";
    row.setting = setting;
    row.predicted_step_s = predicted_s;
    row.measured_step_s = measured_s;
    rows.push_back(row);
  };
  add("8 GPUs", 1.0, 2.0);
  add("8 GPUs", 3.0, 5.0);
  add("16 GPUs", 1.0, 1.1);
  add("16 GPUs", 2.0, 1.0);
  add("32 GPUs", 0.1, 0.7);
  const GroupScore group = summarize(rows).groups.at("G");
  EXPECT_EQ(group.num_picks, 2);
  EXPECT_NEAR(group.mean_regret, 0.05, 1e-12);
  EXPECT_NEAR(group.max_regret, 0.1, 1e-12);
}

// Peak memory that others measured, each source by its own count of bytes.
TEST(StackMemory, PublishedPeaksStayPredicted) {
  const Score& score = golden_score();
  EXPECT_GE(score.total.memory.n, 93);
  EXPECT_LT(score.total.memory.mape, 0.024);
  EXPECT_LT(std::abs(score.total.memory.bias), 0.01);
  EXPECT_LT(score.groups.at("SIM").memory.mape, 0.01);
  EXPECT_LT(score.groups.at("QWEN").memory.mape, 0.022);
  EXPECT_LT(score.groups.at("MBC").memory.mape, 0.03);
  EXPECT_LT(score.groups.at("BSCI").memory.mape, 0.05);
  EXPECT_LT(score.groups.at("TT").memory.mape, 0.015);
  EXPECT_LT(score.groups.at("ILMMEM").memory.mape, 0.04);
  EXPECT_LT(score.groups.at("TTUNE").memory.mape, 0.055);
}

// Logits are gone when blocks run backward: beside what is kept there is either the loss or a block
// that is computed again, so that a longer vocabulary costs its table alone until its logits are
// more than the block.
TEST(StackMemory, TheLossAndABlockAreNotThereAtOnce) {
  PublishedRun run = small_run();
  run.source = "torchtune";
  run.task = "lora";
  run.recompute = "full";
  run.micro_batch = 8;
  run.meas_peak_mem_gb = 10;
  const auto bytes = [&run](int64_t vocab) {
    run.vocab = vocab;
    return predict(prepare(run, files())).predicted_bytes;
  };
  const double table = 1024.0 * 2048 * 2;  // of embedding and head, 16 bits
  EXPECT_DOUBLE_EQ(bytes(3072) - bytes(2048), table);
  const double logits = 8.0 * 2048 * 1024 * 2;
  EXPECT_DOUBLE_EQ(bytes(301 * 1024) - bytes(300 * 1024), table + logits);
}

// A base in 4 bits is smaller, tables that are trained are larger.
TEST(StackMemory, OfFrozenWeights) {
  PublishedRun run = small_run();
  run.task = "lora";
  run.micro_batch = 1;
  run.recompute = "full";
  run.meas_peak_mem_gb = 10;
  const double plain = predict(prepare(run, files())).predicted_bytes;
  run.notes = "Q-LoRA";
  EXPECT_LT(predict(prepare(run, files())).predicted_bytes, plain);
  run.notes = "LoRA (emb)";
  EXPECT_GT(predict(prepare(run, files())).predicted_bytes, plain);
}

TEST(Score, JsonHasTheContractsKeys) {
  const auto json = nlohmann::json::parse(score_json(golden_score()));
  for (const char* key : {"n", "mape", "bias", "p90", "tau", "unrepresented"}) {
    EXPECT_TRUE(json["total"].contains(key)) << key;
    EXPECT_TRUE(json["sources"]["VTR"].contains(key)) << key;
  }
  for (const char* key : {"n", "mape", "bias"}) {
    EXPECT_TRUE(json["memory"].contains(key)) << key;
    EXPECT_TRUE(json["sources"]["SIM"]["memory"].contains(key)) << key;
    EXPECT_TRUE(json["lora"].contains(key)) << key;
  }
  for (const char* key : {"n", "mean", "max"}) {
    EXPECT_TRUE(json["sources"]["VTR"]["regret"].contains(key)) << key;
  }
  EXPECT_EQ(json["rows"].size(), 620u);
  int64_t predicted = 0;
  for (const auto& row : json["rows"]) {
    if (!row.contains("error")) continue;
    ++predicted;
    const double measured = row["measured_step_s"], seconds = row["predicted_step_s"];
    EXPECT_NEAR(row["error"].get<double>(), seconds / measured - 1, 1e-12);
  }
  EXPECT_EQ(predicted, json["total"]["n"].get<int64_t>());
}

TEST(Score, TableIsNarrow) {
  std::istringstream lines(score_text(golden_score()));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
}

}  // namespace
}  // namespace argosy
