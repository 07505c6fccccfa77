// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// --explain, --what-if, --sensitivity, --pareto, --deadline, --robust as scripts and people see
// them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "planner/spec/files.h"
#include "planner/spec/plan.h"
#include "tests/planner/plan_program.h"

namespace argosy {
namespace {

using Json = nlohmann::json;

const std::string kLlama =
    "--model llama-65b --cluster a100-2048 --seq-len 2048 --global-batch 2048 --tokens 1.4e12 ";
const std::string kAll =
    "--explain --what-if inter_bw=2x,price=1 --sensitivity --pareto --deadline 30d --robust ";

TEST(QuestionsCli, AnswersAsJson) {
  const PlanOutput output = run_plan(kLlama + kAll + "--json");
  ASSERT_EQ(output.exit_code, 0) << output.err;
  const Json json = Json::parse(output.out);
  const double step_s = json["plans"][0]["predicted"]["step_s"];
  double sum_s = 0;
  for (const Json& part : json["explain"]["step"]) sum_s += part["seconds"].get<double>();
  EXPECT_NEAR(sum_s, step_s, 1e-6);
  EXPECT_GT(json["explain"]["changes"].size(), 5u);
  EXPECT_GT(json["explain"]["rivals"].size(), 10u);
  EXPECT_LT(json["what_if"]["plans"][0]["predicted"]["step_s"], step_s);
  EXPECT_LT(json["what_if"]["plans"][0]["predicted"]["cost_usd"],
            json["plans"][0]["predicted"]["cost_usd"]);
  EXPECT_EQ(json["sensitivity"].size(), 9u);
  for (const Json& row : json["sensitivity"]) {  // half the memory fits, or does not
    EXPECT_EQ(row["half"].is_null(), row["property"] == "hbm") << row;
    EXPECT_EQ(row.contains("half_fits"), row["property"] == "hbm") << row;
  }
  EXPECT_EQ(json["worst_regrets"].size(), json["plans"].size());
  EXPECT_GT(json["pareto"].size(), 4u);
  EXPECT_LT(json["deadline"]["devices"], 2048);
  EXPECT_LE(json["deadline"]["plan"]["predicted"]["days"], 30.0);
}

TEST(QuestionsCli, AnswersAsText) {
  const PlanOutput output = run_plan(kLlama + kAll);
  ASSERT_EQ(output.exit_code, 0) << output.err;
  for (const char* term :
       {"where the step goes", "where the memory goes", "why others lose", "what if inter_bw=2x",
        "doubled", "front", "deadline", "matrix products", "waiting in the pipeline", "% time",
        "GiB", "W communicating", "one every"}) {
    EXPECT_NE(output.out.find(term), std::string::npos) << term;
  }
  std::istringstream lines(output.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
}

// Without power nothing is cleaner: one plan on each part of the cluster, the fastest.
TEST(QuestionsCli, AFrontWithoutCarbonHasTheFastestPlans) {
  const Json json = Json::parse(run_plan("--model llama-3.1-8b --cluster h800-sxm5-80gb --devices "
                                         "64 --tokens 1T --top 1 --pareto --json")
                                    .out);
  ASSERT_GT(json["pareto"].size(), 4u);
  std::set<int64_t> devices;
  for (const Json& point : json["pareto"]) {
    const Json& mesh = point["plan"]["mesh"];
    const int64_t count = mesh["tp"].get<int64_t>() * mesh["pp"].get<int64_t>() *
                          mesh["dp"].get<int64_t>() * mesh["cp"].get<int64_t>();
    EXPECT_TRUE(devices.insert(count).second) << count;
  }
}

// Sizes of nearly one price: two digits would make rows look alike.
TEST(QuestionsCli, TheFrontHasMoneyInFourDigits) {
  const std::string text = run_plan(kLlama + "--top 1 --pareto").out;
  EXPECT_TRUE(std::regex_search(text, std::regex("2,048 +[0-9.]+ +[0-9]\\.[0-9]{3}M "))) << text;
}

// Files of accelerators say nothing of money, power and failures: nor does the output.
TEST(QuestionsCli, WithoutPricesThereAreNoZeros) {
  const std::string page = scratch_path("bare.html");
  const std::string job = "--model llama-3.1-8b --cluster h800-sxm5-80gb --devices 16 --top 1 ";
  const std::string text = run_plan(job + "--tokens 1T --pareto --report " + page).out;
  EXPECT_TRUE(std::regex_search(text, std::regex("\n16 +[0-9]+ +[0-9.]+ +- +- +[0-9.]+%"))) << text;
  const std::string html = read_text_file(page);
  for (const char* term : {">USD<", "USD", "CO2e", "no points", "time and money"}) {
    EXPECT_EQ(html.find(term), std::string::npos) << term;
  }
  const std::string served = run_plan("--task serve " + job).out;
  EXPECT_EQ(served.find("0.00"), std::string::npos) << served;
}

// A price changes no second: what it changes is said.
TEST(QuestionsCli, WhatIfSaysTheMoney) {
  const std::string text = run_plan(kLlama + "--top 1 --what-if price=0.5x").out;
  EXPECT_NE(text.find("what if price=0.5x: "), std::string::npos) << text;
  EXPECT_NE(text.find("(+0.0%)"), std::string::npos) << text;
  EXPECT_NE(text.find("USD instead of "), std::string::npos) << text;
  EXPECT_NE(text.find("(-50.0%)"), std::string::npos) << text;
}

TEST(QuestionsCli, PhasesHavePlansOfTheirOwn) {
  const std::string out = scratch_path("plan.json"), page = scratch_path("page.html");
  const PlanOutput output = run_plan(
      "--model llama-3.1-8b --cluster a100-2048 --devices 256 --seq-len 8192 --global-batch 512 "
      "--phases 8K:14e12,128k:0.1t --json --out " +
      out + " --report " + page);
  ASSERT_EQ(output.exit_code, 0) << output.err;
  const Json phases = Json::parse(output.out)["phases"];
  ASSERT_EQ(phases.size(), 2u);
  EXPECT_EQ(phases[1]["global_batch"], 32);
  EXPECT_GT(phases[1]["plan"]["mesh"]["cp"], 1);  // 32 sequences for 256 devices
  EXPECT_EQ(read_plan(scratch_path("plan.phase_1.json")).seq_len, 8192);
  EXPECT_EQ(read_plan(scratch_path("plan.phase_2.json")).seq_len, 131072);
  EXPECT_NE(read_text_file(page).find("Phases of the run"), std::string::npos);
}

TEST(QuestionsCli, TooSlowIsSaid) {
  const PlanOutput output = run_plan(kLlama + "--deadline 2d --json");
  const Json whole = Json::parse(output.out);
  EXPECT_NEAR(whole["deadline"]["whole_cluster_mfu"]["bf16"].get<double>(),
              whole["plans"][0]["predicted"]["mfu"].get<double>() *
                  whole["plans"][0]["predicted"]["days"].get<double>() / 2,
              1e-9);
  EXPECT_TRUE(Json::parse(output.out)["deadline"]["devices"].is_null());
  const std::string text = run_plan(kLlama + "--deadline 2d").out;
  EXPECT_NE(text.find("more than 2.0 days"), std::string::npos);
  EXPECT_NE(text.find("times the devices"), std::string::npos);
}

// The smallest part is what --devices would find, with the batch of its devices.
TEST(QuestionsCli, TheDeadlineRoundsTheBatchOfEachPart) {
  const std::string job = "--model llama-3.1-70b --cluster h100-8192 --tokens 2T --top 1 ";
  const std::string whole = job + "--devices 1024 --deadline 30d ";
  const Json found = Json::parse(run_plan(whole + "--json").out)["deadline"];
  const int64_t devices = found["devices"];
  EXPECT_EQ(devices, 672);
  const std::string count = std::to_string(devices);
  const Json alone = Json::parse(run_plan(job + "--devices " + count + " --json").out);
  EXPECT_EQ(found["plan"]["global_batch"], alone["plans"][0]["global_batch"]);
  EXPECT_NEAR(found["plan"]["predicted"]["days"], alone["plans"][0]["predicted"]["days"], 1e-9);
  const std::string text = run_plan(whole).out;
  EXPECT_NE(text.find("devices  batch"), std::string::npos) << text;
  EXPECT_NE(text.find("\n672        504 "), std::string::npos) << text;
}

TEST(QuestionsCli, WhereNothingFitsItIsSaid) {
  const std::string text =
      run_plan("--model llama-3.1-405b --cluster h100-8 --tokens 1T --pareto --deadline 3d").out;
  EXPECT_NE(text.find("carbon: no plan fits"), std::string::npos) << text;
  EXPECT_NE(text.find("deadline: no plan fits"), std::string::npos) << text;
}

// In one line, as if it had not been wrapped.
std::string unwrapped(std::string text) {
  for (size_t end = text.find("\n    "); end != std::string::npos; end = text.find("\n    ")) {
    text.replace(end, 5, " ");
  }
  return text;
}

// Failures, stragglers, power and the machines' making of a real run are said, and are what the
// prediction holds.
// One rank waits for nobody: not for less than no time either. Weights of 4 bits are called that.
TEST(QuestionsCli, PartsOfOneRankReadWell) {
  const std::string text = run_plan(
                               "--model llama-3.1-8b --cluster h100-8 --devices 1 --task lora "
                               "--base-bits 4 --top 1 --explain")
                               .out;
  EXPECT_EQ(text.find("-0.0"), std::string::npos) << text;
  EXPECT_NE(text.find("frozen matrices of the blocks in 4 bits (NF4), the rest in bf16"),
            std::string::npos)
      << text;
}

// Spares are announced; the totals are of the mesh, and say so.
TEST(QuestionsCli, TotalsAreWithoutSpares) {
  const std::string text = run_plan(kLlama + "--top 1").out;
  EXPECT_TRUE(std::regex_search(
      text, std::regex("spare\\s+nodes?,\\s+which\\s+the\\s+totals\\s+leave\\s+out")))
      << text;
}

TEST(QuestionsCli, FailuresAndPowerAreSaid) {
  const std::string job = "--model llama-65b --cluster a100-2048 --tokens 1.4e12 --top 1 ";
  const std::string text = unwrapped(run_plan(job + "--explain").out);
  for (const char* words :
       {"at a goodput of", "a checkpoint every", "spare nodes", "the machines' making", "kWh",
        "failures: one every", "a checkpoint stalls the step", "a restart takes", "Young and Daly",
        "stragglers: a step waits for the slowest node: +3.2%", "W a device computing",
        "W communicating", "W waiting", "PUE 1.10", "kg CO2e a kWh", "fits"}) {
    EXPECT_NE(text.find(words), std::string::npos) << words << "\n" << text;
  }
  const Json best = Json::parse(run_plan(job + "--json").out)["plans"][0]["predicted"];
  EXPECT_LT(best["goodput"], 1);
  EXPECT_GT(best["goodput"], 0.9);
  EXPECT_GT(best["spare_nodes"], 0);
  EXPECT_GT(best["checkpoint_interval_s"], 60);
  EXPECT_GT(best["embodied_kg"], 0);
  EXPECT_GT(best["carbon_kg"], best["embodied_kg"]);
  // A machine that fails ten times as often loses more, and asks for more spares.
  const Json worse =
      Json::parse(run_plan(job + "--what-if mtbf=0.1x --json").out)["what_if"]["plans"][0];
  EXPECT_LT(worse["predicted"]["goodput"], best["goodput"]);
  EXPECT_GT(worse["predicted"]["spare_nodes"], best["spare_nodes"]);
  EXPECT_LT(worse["predicted"]["checkpoint_interval_s"], best["checkpoint_interval_s"]);
}

// A few tokens on a fast GPU: the host launches slower than the GPU works, and graphs help unless a
// step cannot be captured. Tokens enough, and it is busy.
TEST(QuestionsCli, AStepThatWaitsForTheHostSaysSo) {
  const std::string small =
      "--model gpt2-124m --cluster h100-8 --stack argosy --global-batch 16 --explain "
      "--fix micro_batch=1,zero=0 ";
  const std::string text = unwrapped(run_plan(small + "--devices 1 --seq-len 128").out);
  EXPECT_NE(text.find("waiting for the host"), std::string::npos) << text;
  EXPECT_NE(text.find("the host takes 5.0 us an op"), std::string::npos) << text;
  EXPECT_NE(text.find("--cuda-graphs auto launches steps whole: -"), std::string::npos) << text;
  const std::string stages = unwrapped(
      run_plan("--model gpt2-124m --cluster h100-8 --stack argosy --global-batch 16 --explain "
               "--fix micro_batch=1,zero=0,pp=2 --devices 2 --seq-len 128")
          .out);
  EXPECT_NE(stages.find("CUDA graphs cannot: pp=2"), std::string::npos) << stages;
  const std::string busy = run_plan(
                               "--model llama-3.1-8b --cluster h100-8 --stack argosy "
                               "--seq-len 8192 --global-batch 64 --explain --top 1")
                               .out;
  EXPECT_EQ(busy.find("waiting for the host"), std::string::npos) << busy;
}

TEST(QuestionsCli, MistakesAreOneMessage) {
  const std::string job = "--model llama-65b --cluster a100-2048 ";
  expect_plan_mistake(job + "--what-if speed=2x", "speed");
  expect_plan_mistake(job + "--what-if hbm=1GB", "reserved");
  expect_plan_mistake(job + "--what-if intra_latency=5GB", "as 5us");
  expect_plan_mistake("--model gpt2-124m --cluster h200-8 --what-if inter_bw=2x",
                      "1 tier of links");
  expect_plan_mistake(job + "--deadline 30", "30");
  expect_plan_mistake(job + "--deadline 30d", "--tokens");
  expect_plan_mistake(job + "--pareto", "--tokens");
  expect_plan_mistake(job + "--phases 8k", "--phases: '8k'");
  expect_plan_mistake(job + "--phases 8k:1B --tokens 3T",
                      "--phases: 1.0B tokens in all, but --tokens is 3.0T");
  expect_plan_mistake(job + "--tokens 1T --what-if pue=0.5",
                      "--what-if: pue: 0.5; valid: at least 1");
}

// What changes is compared: here power alone, and nothing that stays.
TEST(QuestionsCli, WhatIfComparesEnergy) {
  const PlanOutput output =
      run_plan("--model llama-3.1-8b --cluster h100-8 --tokens 1T --top 1 --what-if power=2x");
  ASSERT_EQ(output.exit_code, 0) << output.err;
  const std::string answer = output.out.substr(output.out.find("what if"));
  EXPECT_NE(answer.find("kWh instead of"), std::string::npos) << answer;
  EXPECT_EQ(answer.find("USD instead of"), std::string::npos) << answer;
}

// The totals are those of the phases: no line for a run that is all like the last one.
TEST(QuestionsCli, PhasesHaveTheTotals) {
  const PlanOutput output = run_plan(
      "--model llama-3.1-8b --cluster h100-8 --top 1 --phases 8k:1B:128,8k:9B:512 --tokens 10B");
  ASSERT_EQ(output.exit_code, 0) << output.err;
  EXPECT_EQ(output.out.find("whole run"), std::string::npos) << output.out;
  EXPECT_NE(output.out.find("all"), std::string::npos) << output.out;
  EXPECT_NE(output.out.find("mbs="), std::string::npos) << output.out;
}

TEST(QuestionsCli, ShortRunsAndDeadlines) {
  const std::string job = "--model llama-3.1-8b --cluster h100-8 --top 1 ";
  const std::string minutes = run_plan(job + "--tokens 10M").out;
  EXPECT_NE(minutes.find(" minutes"), std::string::npos) << minutes;
  EXPECT_EQ(minutes.find("  0.0\n"), std::string::npos) << minutes;
  const std::string late = run_plan(job + "--tokens 15T --deadline 1h").out;
  EXPECT_NE(late.find("more than 1.0 hours; that would take more than the bf16 peak"),
            std::string::npos)
      << late;
}

}  // namespace
}  // namespace argosy
