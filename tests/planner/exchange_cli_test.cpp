// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// --export and --import-megatron from the command line.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "planner/spec/files.h"
#include "tests/planner/plan_program.h"

namespace argosy {
namespace {

using Json = nlohmann::json;

const std::string kJob =
    "--model gpt3-175b --cluster a100-2048 --devices 512 --global-batch 512 "
    "--fix tp=8,pp=8,zero=1,schedule=1f1b ";

TEST(ExchangeCli, ExportsAloneOnStdoutAndImports) {
  const PlanOutput flags = run_plan(kJob + "--export megatron");
  ASSERT_EQ(flags.exit_code, 0) << flags.err;
  EXPECT_TRUE(flags.out.starts_with("--num-layers 96\n")) << flags.out;
  const std::string file = scratch_path("flags.sh");
  write_text_file(file, flags.out);
  const std::string cluster = " --cluster a100-2048 --devices 512 --json";
  const PlanOutput imported = run_plan("--import-megatron " + file + cluster);
  ASSERT_EQ(imported.exit_code, 0) << imported.err;
  const Json own = Json::parse(run_plan(kJob + "--json").out);
  const Json peer = Json::parse(imported.out);
  EXPECT_EQ(peer["plans"].size(), 1u);
  EXPECT_EQ(peer["plans"][0]["mesh"], own["plans"][0]["mesh"]);
  EXPECT_NEAR(peer["plans"][0]["predicted"]["step_s"].get<double>(),
              own["plans"][0]["predicted"]["step_s"].get<double>(), 1e-9);
  // Flags of parallelism alone, for a model that has a config.
  const PlanOutput text = run_plan(
      "--model llama-65b --import-megatron '--seq-length 2048 --micro-batch-size 1 "
      "--global-batch-size 512 --tensor-model-parallel-size 8 --sequence-parallel --bf16 "
      "--pipeline-model-parallel-size 4 --use-distributed-optimizer'" +
      cluster);
  ASSERT_EQ(text.exit_code, 0) << text.err;
  EXPECT_EQ(Json::parse(text.out)["plans"][0]["mesh"]["dp"], 16);
}

TEST(ExchangeCli, MistakesAreOneMessage) {
  expect_plan_mistake(kJob + "--export nemo", "nemo");
  expect_plan_mistake(kJob + "--export deepspeed", "pp=8");
  expect_plan_mistake("--cluster a100-2048 --import-megatron '--micro-batch-size 1'",
                      "--seq-length");
  expect_plan_mistake("--cluster a100-2048 --import-megatron /nowhere/flags.txt", "flags.txt");
  expect_plan_mistake(kJob + "--import-megatron '--seq-length 2048 --micro-batch-size 1'", "--fix");
}

}  // namespace
}  // namespace argosy
