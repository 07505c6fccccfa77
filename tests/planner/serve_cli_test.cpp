// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-plan --task serve: public figures about inference, from the command line.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/planner/plan_program.h"

namespace argosy {
namespace {

using Json = nlohmann::json;

Json serve(const std::string& arguments, int exit_code = 0) {
  const PlanOutput result = run_plan("--task serve --json " + arguments);
  EXPECT_EQ(result.exit_code, exit_code) << result.err;
  return Json::parse(result.out);
}

// 65.3e9 weights of 2 bytes (arXiv:2302.13971 table 2).
TEST(ServeCases, WeightsOfLlama65b) {
  const Json json = serve("--model llama-65b --cluster h200-8");
  EXPECT_NEAR(json["serve"]["weight_bytes"].get<double>(), 130e9, 1.3e9);
  EXPECT_FALSE(json["plans"].empty());
}

// 65e9 bytes over 230 MB of SRAM a card (GroqCard product brief) are 283 cards; the token table,
// which nothing multiplies with, would take one more.
TEST(ServeCases, Llama65bOnGroqCards) {
  const Json facts = serve(
      "--model llama-65b --cluster groq-lpu --weights int8 --cache int8 --users 1 "
      "--context 512")["serve"];
  EXPECT_EQ(facts["devices_for_streamed_weights"], 283);
  EXPECT_EQ(facts["devices_for_weights"], 284);
  EXPECT_GT(facts["devices_needed"], 283);  // whole layers on each, and the cache
}

// SemiAnalysis ("GPT-4 Architecture, Infrastructure, Training Dataset, Costs", July 2023): 8 H100
// cannot stream a dense trillion at 33.3 tokens/s per user; about 300B parameters are what they
// can.
TEST(ServeCases, ATrillionOn8H100) {
  const Json json =
      serve("--model gpt-1t --cluster h100-8192 --devices 8 --tokens-per-user 33.3", 3);
  EXPECT_TRUE(json["plans"].empty());
  EXPECT_TRUE(json["serve"]["is_beyond_bandwidth"]);
  EXPECT_LT(json["serve"]["bandwidth_tokens_per_s"], 33.3 / 2);
  const double largest = json["serve"]["largest_parameters"];
  std::printf("largest model at 33.3 tokens/s per user: %.0fB parameters\n", largest / 1e9);
  EXPECT_NEAR(largest, 300e9, 45e9);
  const PlanOutput text =
      run_plan("--task serve --model gpt-1t --cluster h100-8192 --devices 8 --tokens-per-user 33");
  EXPECT_EQ(text.exit_code, 3);
  EXPECT_NE(text.out.find("infeasible"), std::string::npos);
}

// A generated token's price has no prompts in it: what one costs stands beside it.
TEST(ServeCases, PromptsHaveAPriceOfTheirOwn) {
  const std::string job = "--model llama-65b --cluster h200-8 --prompt 1024 ";
  const Json best = serve(job)["plans"][0];
  const double devices = best["tp"].get<double>() * best["pp"].get<double>();
  const double usd_of_device_s = best["usd_per_million_tokens"].get<double>() / 1e6 *
                                 best["tokens_per_s_per_device"].get<double>();
  EXPECT_NEAR(best["usd_per_million_prompt_tokens"].get<double>(),
              best["first_token_s"].get<double>() * devices * usd_of_device_s / 1024 * 1e6, 1e-6);
  const std::string text = run_plan("--task serve " + job).out;
  EXPECT_NE(text.find("prompts are not in tok/s/dev and USD/M tok: one of 1,024 tokens"),
            std::string::npos)
      << text;
}

// Many devices: what they would stream for one user together is no rate of any split.
TEST(ServeCases, TheLimitIsSaidWhereItTells) {
  const auto says = [](const std::string& more) {
    const std::string text =
        run_plan("--task serve --model llama-3.1-8b --cluster h100-8192 " + more).out;
    return text.find("bandwidth limit") != std::string::npos;
  };
  EXPECT_FALSE(says("--devices 1024"));
  EXPECT_TRUE(says("--devices 1"));
  EXPECT_TRUE(says("--devices 8 --tokens-per-user 30"));
}

// Pope et al. (arXiv:2211.05102, section 1): 3 TB for a multi-head model beyond 500B at batch 512
// and 2,048 tokens, three times its weights; one key/value head leaves 1/48 of it.
TEST(ServeCases, CacheOfAMultiHeadModel) {
  const std::string rest = " --cluster h100-8192 --devices 64 --users 512 --context 2048";
  const Json heads = serve("--model palm-540b-multihead" + rest)["serve"];
  EXPECT_GT(heads["parameters"].get<double>(), 500e9);
  EXPECT_NEAR(heads["cache_bytes"].get<double>(), 3e12, 0.1e12);
  EXPECT_NEAR(heads["cache_bytes"].get<double>() / heads["weight_bytes"].get<double>(), 3, 0.25);
  EXPECT_NEAR(heads["multi_query_cache_bytes"].get<double>(), 3.04e12 / 48, 1e9);
  const Json query = serve("--model palm-540b" + rest)["serve"];  // one head of 256
  EXPECT_EQ(query["cache_bytes"], query["multi_query_cache_bytes"]);
  EXPECT_NEAR(query["cache_bytes"].get<double>(), 2 * 3.04e12 / 48, 2e9);
}

TEST(ServeCli, MistakesNameTheOption) {
  const std::string serve = "--task serve --model llama-65b --cluster h200-8 ";
  expect_plan_mistake(serve + "--weights int3", "--weights: 'int3'");
  expect_plan_mistake(serve + "--cache double", "--cache: 'double'");
  expect_plan_mistake(serve + "--tokens 1e12", "--tokens");
  expect_plan_mistake(serve + "--out plan.json", "--out");
  expect_plan_mistake(serve + "--users 0", "--users");
  expect_plan_mistake(serve + "--fix tp=3", "tp");
  expect_plan_mistake(serve + "--fix tp=4,pp=4", "pp");
  expect_plan_mistake(serve + "--fix zero=1", "zero");
  expect_plan_mistake(serve + "--fix offload=optimizer", "offload");
  expect_plan_mistake(serve + "--offload auto", "--offload: not with --task serve");
  expect_plan_mistake(serve + "--document-tokens 512", "--document-tokens: not with");
  expect_plan_mistake(serve + "--base-bits 4", "--base-bits: 4; valid: only with --task lora");
  expect_plan_mistake(serve + "--precision fp8", "--precision: not with --task serve");
  expect_plan_mistake(serve + "--stack nemo-2025", "--stack: not with --task serve");
  expect_plan_mistake(serve + "--objective cost", "--objective: not with --task serve");
  expect_plan_mistake(serve + "--what-if speed=2x", "--what-if: unknown key 'speed'");
  expect_plan_mistake("--task serve --model gpt2-124m --cluster h200-8 --context 4096", "1024");
  expect_plan_mistake(serve + "--context 512 --prompt 513",
                      "--prompt: 513, but the cache holds 512 tokens");
}

// What is bound by memory takes half as long with twice the bandwidth; half the price is half the
// price.
TEST(ServeCli, ChangedMachines) {
  const std::string job = "--model llama-65b --cluster h200-8 --users 1 --fix tp=1,pp=1 ";
  const Json answer = serve(job + "--what-if hbm_bw=2x");
  EXPECT_EQ(answer["what_if"]["changes"]["hbm_bw"], "2x");
  const Json before = answer["plans"][0], after = answer["what_if"]["plans"][0];
  EXPECT_EQ(before, serve(job)["plans"][0]);
  const double share = after["weight_s"].get<double>() / before["weight_s"].get<double>();
  EXPECT_GE(share, 0.5);
  EXPECT_LT(share, 0.55);  // what ops take besides stays
  EXPECT_GT(after["tokens_per_s_per_user"].get<double>(),
            1.8 * before["tokens_per_s_per_user"].get<double>());
  const Json cheaper = serve(job + "--what-if price=0.5x");
  EXPECT_NEAR(cheaper["what_if"]["plans"][0]["usd_per_million_tokens"].get<double>(),
              before["usd_per_million_tokens"].get<double>() / 2, 1e-9);
  const PlanOutput text = run_plan("--task serve " + job + "--what-if price=0.5x");
  EXPECT_NE(text.out.find("what if price=0.5x: "), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("(-50.0%)"), std::string::npos) << text.out;
  const Json too_small = serve(job + "--what-if hbm=100GB");
  EXPECT_TRUE(too_small["what_if"]["plans"].empty());
}

// One user on one device waits for memory: its bandwidth is worth most. The price of a token is
// that of the device's time.
TEST(ServeCli, Sensitivity) {
  const std::string job = "--model llama-65b --cluster h200-8 --users 1 --fix tp=1,pp=1 ";
  const Json answer = serve(job + "--sensitivity");
  const Json rows = answer["sensitivity"];
  ASSERT_FALSE(rows.empty());
  EXPECT_EQ(rows[0]["property"], "hbm_bw");
  EXPECT_LT(rows[0]["twice"], -0.4);
  EXPECT_GT(rows[0]["half"], 0.8);
  const Json now = answer["plans"][0];
  for (const Json& row : rows) {
    const std::string key = row["property"];
    const Json there = serve(job + "--what-if " + key + "=2x")["what_if"]["plans"][0];
    EXPECT_NEAR(there["usd_per_million_tokens"].get<double>() /
                        now["usd_per_million_tokens"].get<double>() -
                    1,
                row["best_at_twice"].get<double>(), 1e-9)
        << key;
    EXPECT_NEAR(there["token_s"].get<double>() / now["token_s"].get<double>() - 1,
                row["twice"].get<double>(), 1e-9)
        << key;
  }
  const PlanOutput text = run_plan("--task serve " + job + "--sensitivity");
  EXPECT_NE(text.out.find("doubled, best split for it"), std::string::npos) << text.out;
  // More memory takes more users, who share the weights.
  const Json memory = serve("--model llama-65b --cluster h200-8 --sensitivity");
  for (const Json& row : memory["sensitivity"]) {
    if (row["property"] == "hbm") {
      EXPECT_LT(row["best_at_twice"], 0);
    }
  }
}

TEST(ServeCli, FixedDegreesAreKept) {
  const Json answer = serve("--model llama-65b --cluster h200-8 --fix tp=4,pp=2");
  ASSERT_FALSE(answer["plans"].empty());
  for (const Json& plan : answer["plans"]) {
    EXPECT_EQ(plan["tp"], 4);
    EXPECT_EQ(plan["pp"], 2);
  }
}

}  // namespace
}  // namespace argosy
