// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Tasks, precisions and places for the optimizer, asked for as users ask.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "planner/spec/plan.h"
#include "tests/planner/plan_program.h"

namespace argosy {
namespace {

using Json = nlohmann::json;

Json best(const std::string& arguments) {
  const PlanOutput output = run_plan(arguments + " --top 1 --json");
  EXPECT_EQ(output.exit_code, 0) << output.err;
  return Json::parse(output.out)["plans"].at(0);
}

double number(const Json& plan, const char* key) {
  return plan["predicted"][key].get<double>();
}

const std::string kSmall =
    "--model llama-3.1-8b --cluster h200-8 --seq-len 4096 --global-batch 64 --tokens 1e9 "
    "--fix tp=1,pp=1,micro_batch=1,recompute=full,zero=1";

TEST(WorkloadsCli, FineTuningCostsWhatPreTrainingCosts) {
  const Json pretrain = best(kSmall), finetune = best(kSmall + " --task finetune");
  EXPECT_EQ(finetune["task"], "finetune");
  EXPECT_EQ(number(finetune, "step_s"), number(pretrain, "step_s"));
  EXPECT_EQ(finetune["predicted"]["memory_bytes"], pretrain["predicted"]["memory_bytes"]);
  // Samples of 1,024 tokens padded to 4,096: four positions for each that is trained on.
  const Json padded = best(kSmall + " --task finetune --sample-tokens 1024");
  EXPECT_NEAR(number(padded, "days"), 4 * number(finetune, "days"), 1e-9);
  EXPECT_EQ(number(padded, "step_s"), number(finetune, "step_s"));
}

TEST(WorkloadsCli, QloraTakesLessMemoryAndMoreTime) {
  const std::string task = kSmall + " --task lora --lora-rank 16";
  const std::string out = scratch_path("qlora.json");
  const Json lora = best(task), qlora = best(task + " --base-bits 4 --out " + out);
  EXPECT_EQ(qlora["base_bits"], 4);
  // 7.0e9 weights of the blocks from 16 bits to 4.127; embedding and head of 1.05e9 stay.
  const double saved = lora["predicted"]["memory_bytes"]["parameters"].get<double>() -
                       qlora["predicted"]["memory_bytes"]["parameters"].get<double>();
  EXPECT_NEAR(saved, 6.98e9 * (16 - 4.127) / 8, 0.02e9);
  EXPECT_GT(number(qlora, "step_s"), number(lora, "step_s"));
  EXPECT_LT(number(qlora, "step_s"), 1.2 * number(lora, "step_s"));
  EXPECT_EQ(read_plan(out).lora.base_bits, 4);
  // Of the four products of a recomputed step three are left; adapters come to them. By the
  // roofline of our own trainer: to other stacks the many small ops of adapters cost more.
  const std::string own = " --stack argosy";
  const double lora_s = number(best(task + own), "step_s");
  const double whole_s = number(best(kSmall + own), "step_s");
  EXPECT_LT(lora_s, 0.85 * whole_s);
  EXPECT_GT(lora_s, 0.7 * whole_s);
  EXPECT_LT(number(lora, "step_s"), number(best(kSmall), "step_s"));
}

TEST(WorkloadsCli, Fp8IsFasterAndHasAPeakOfItsOwn) {
  const Json bf16 = best(kSmall), fp8 = best(kSmall + " --precision fp8");
  EXPECT_EQ(fp8["precision"], "fp8");
  EXPECT_LT(number(fp8, "step_s"), 0.85 * number(bf16, "step_s"));
  EXPECT_GT(number(fp8, "step_s"), 0.5 * number(bf16, "step_s"));
  EXPECT_LT(number(fp8, "mfu"), number(bf16, "mfu"));
  expect_plan_mistake("--model llama-3.1-8b --cluster a100-2048 --precision fp8",
                      "--precision: A100-SXM4-80GB has no fp8_flops_per_s");
}

TEST(WorkloadsCli, UnevenExpertsAndCapacity) {
  const std::string job =
      "--model mixtral-8x7b --cluster h200-8 --seq-len 4096 --global-batch 64 "
      "--fix tp=1,pp=1,ep=8,micro_batch=1,recompute=full,zero=1";
  const Json even = best(job), uneven = best(job + " --moe-imbalance 1.5"),
             capped = best(job + ",moe_capacity_factor=1.2 --moe-imbalance 1.5");
  EXPECT_LT(number(even, "step_s"), number(capped, "step_s"));
  EXPECT_LT(number(capped, "step_s"), number(uneven, "step_s"));
  EXPECT_EQ(number(uneven, "moe_imbalance"), 1.5);
  const auto peak = [](const Json& plan) {
    return plan["predicted"]["memory_bytes"]["peak"].get<int64_t>();
  };
  EXPECT_LT(peak(even), peak(uneven));
}

TEST(WorkloadsCli, OffloadIsTheNearestChangeOfWhatDoesNotFit) {
  // 14 bytes a parameter on a device of 80 GB are 112 GB and more.
  const std::string job =
      "--model llama-3.1-8b --cluster h100-8 --devices 1 --seq-len 4096 --global-batch 8";
  const PlanOutput output = run_plan(job + " --explain --json");
  EXPECT_EQ(output.exit_code, 3) << output.err;
  const Json remedy = Json::parse(output.out)["explain"]["remedies"][0];
  EXPECT_EQ(remedy["decision"], "--fix offload=optimizer");
  EXPECT_TRUE(remedy["fits"].get<bool>()) << remedy;
  const Json plan = best(job + " --fix offload=optimizer");
  EXPECT_EQ(plan["offload"], "optimizer");
  EXPECT_EQ(plan["predicted"]["memory_bytes"]["optimizer"], 0);
  EXPECT_NEAR(number(plan, "host_bytes"), 8.03e9 * 10, 0.1e9);
  EXPECT_NE(run_plan(job + " --explain").out.find("--fix offload=optimizer: fits"),
            std::string::npos);
  EXPECT_NE(run_plan(job + " --explain --fix offload=optimizer").out.find("on the host"),
            std::string::npos);
}

// Packed samples that attention stays within: it alone is faster, by the pairs that it skips.
TEST(WorkloadsCli, AttentionWithinDocumentsIsPricedBlockByBlock) {
  const std::string job =
      "--model llama-3.1-8b --cluster h100-8 --task finetune --seq-len 8192 --global-batch 64 "
      "--explain --json --top 1 --fix tp=2,pp=1,dp=4,micro_batch=1,zero=1,recompute=none";
  const auto parts = [&](const std::string& more) {
    std::map<std::string, double> seconds;
    const Json output = Json::parse(run_plan(job + more).out);
    for (const Json& part : output["explain"]["step"]) {
      seconds[part["name"].get<std::string>()] = part["seconds"].get<double>();
    }
    return seconds;
  };
  const auto whole = parts(""), masked = parts(" --document-tokens 512");
  ASSERT_GT(whole.at("attention"), 0);
  EXPECT_EQ(masked.at("matrix products"), whole.at("matrix products"));
  EXPECT_GE(masked.at("attention") / whole.at("attention"), 513.0 / 8193);
  EXPECT_LT(masked.at("attention") / whole.at("attention"), 2 * 513.0 / 8193);
  EXPECT_EQ(parts(" --document-tokens 8192"), whole);
  expect_plan_mistake(job + " --document-tokens 8193", "at most --seq-len 8192");
  expect_plan_mistake("--model mistral-7b --cluster h100-8 --document-tokens 512",
                      "not supported yet for models with attention windows");
}

// Allowed, both are searched: as good as the better one, and twice the points.
TEST(WorkloadsCli, OffloadIsSearchedWhereItIsAllowed) {
  const std::string small = "--model llama-3.1-70b --cluster h100-8192 --seq-len 4096 --devices ";
  for (const char* devices : {"16", "64"}) {
    const auto searched = [&](const std::string& offload) {
      return Json::parse(run_plan(small + devices + " --top 1 --json" + offload).out);
    };
    const Json none = searched(""), always = searched(" --offload optimizer");
    const Json both = searched(" --offload auto");
    const auto candidates = [](const Json& j) { return j["search"]["candidates"].get<int64_t>(); };
    const auto feasible = [](const Json& j) { return j["search"]["feasible"].get<int64_t>(); };
    EXPECT_EQ(candidates(both), candidates(none) + candidates(always)) << devices;
    EXPECT_EQ(feasible(both), feasible(none) + feasible(always)) << devices;
    const auto step_s = [](const Json& j) {
      return j["plans"].empty() ? 1e9 : j["plans"][0]["predicted"]["step_s"].get<double>();
    };
    EXPECT_EQ(step_s(both), std::min(step_s(none), step_s(always))) << devices;
  }
  const std::string text = run_plan(small + "16 --offload auto").out;
  EXPECT_NE(text.find("+host: the optimizer's state is in the host's memory"), std::string::npos)
      << text;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
  expect_plan_mistake(small + "16 --offload always", "valid: none, auto, optimizer");
  expect_plan_mistake(small + "16 --offload auto --fix offload=none", "valid: one of them");
}

// A plan that fits says what the change would free and cost.
TEST(WorkloadsCli, OffloadIsAmongTheChangesOfAPlan) {
  const PlanOutput output = run_plan(kSmall + " --explain --json --top 1");
  const Json explain = Json::parse(output.out)["explain"];
  const auto change =
      std::find_if(explain["changes"].begin(), explain["changes"].end(),
                   [](const Json& c) { return c["change"] == "offload=optimizer"; });
  ASSERT_NE(change, explain["changes"].end());
  const Json plan = Json::parse(output.out)["plans"][0];
  EXPECT_EQ((*change)["bytes"].get<int64_t>(),
            -plan["predicted"]["memory_bytes"]["optimizer"].get<int64_t>());
  EXPECT_GT((*change)["time"].get<double>(), 0);
}

TEST(WorkloadsCli, BatchRampAndLongContextArePhases) {
  const std::string out = scratch_path("ramp.json");
  const PlanOutput output = run_plan(
      "--model llama-3.1-8b --cluster a100-2048 --devices 256 --seq-len 8192 "
      "--phases 8k:1B:256,8k:2B:512,8k:9B:1024,32k:1B:64 --json --out " +
      out);
  ASSERT_EQ(output.exit_code, 0) << output.err;
  const Json phases = Json::parse(output.out)["phases"];
  const std::pair<int64_t, int64_t> expected[] = {
      {8192, 256}, {8192, 512}, {8192, 1024}, {32768, 64}};
  const double tokens[] = {1e9, 2e9, 9e9, 1e9};
  ASSERT_EQ(phases.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    const Plan plan = read_plan(scratch_path("ramp.phase_" + std::to_string(i + 1) + ".json"));
    EXPECT_EQ(plan.seq_len, expected[i].first);
    EXPECT_EQ(plan.global_batch, expected[i].second);
    EXPECT_EQ(phases[i]["plan"]["seq_len"], expected[i].first);
    // By hand: as many steps as the tokens need, and what failures cost.
    const double steps = tokens[i] / static_cast<double>(expected[i].first * expected[i].second);
    const double days = steps * plan.predicted.step_s / 86400 / plan.predicted.goodput;
    EXPECT_NEAR(plan.predicted.days, days, 0.01 * days);
    EXPECT_EQ(plan.mesh.world_size(), 256);
  }
  // 64 long sequences for 256 devices: they are cut, and beside them weights.
  const Json mesh = phases[3]["plan"]["mesh"];
  EXPECT_GT(mesh["cp"], 1);
  EXPECT_LE(mesh["dp"], 64);
  EXPECT_EQ(phases[1]["plan"]["mesh"]["cp"], 1);
}

TEST(WorkloadsCli, NewModelTypesHavePlans) {
  for (const char* model : {"gpt-oss-20b", "olmoe-1b-7b"}) {
    const Json plan = best(std::string("--model ") + model +
                           " --cluster h200-8 --seq-len 4096 --global-batch 64");
    EXPECT_GT(number(plan, "mfu"), 0.02) << model;
  }
}

TEST(WorkloadsCli, MistakesNameTheOption) {
  const std::string dense = "--model llama-3.1-8b --cluster h200-8 ";
  expect_plan_mistake(dense + "--base-bits 4", "--base-bits: 4; valid: only with --task lora");
  expect_plan_mistake(dense + "--task lora --base-bits 8", "--base-bits: 8; valid: 16, 4");
  expect_plan_mistake(dense + "--task lora --base-bits 4 --precision fp8", "--precision bf16");
  expect_plan_mistake(dense + "--moe-imbalance 1.2", "--moe-imbalance: 1.2, but llama-3.1-8b");
  expect_plan_mistake(dense + "--moe-imbalance 0.5", "--moe-imbalance: 0.5; valid: at least 1");
  expect_plan_mistake(dense + "--task sft", "--task: 'sft'");
  expect_plan_mistake(dense + "--sample-tokens 100", "--sample-tokens: 100; valid: only with");
  expect_plan_mistake(dense + "--fix offload=disk", "--fix: offload: 'disk'");
  expect_plan_mistake("--model gpt2-124m --cluster local-cpu --fix offload=optimizer",
                      "local-cpu has no \"host\" section");
}

}  // namespace
}  // namespace argosy
