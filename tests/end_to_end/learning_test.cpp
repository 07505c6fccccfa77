// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Training learns: a text by heart, in either precision; LoRA without touching its base. And the
// programs around it: generating, measuring, planning with what was measured.
#include <algorithm>
#include <cmath>

#include "planner/spec/check.h"
#include "planner/spec/json.h"
#include "tests/end_to_end/programs.h"

namespace argosy {
namespace {

class Learning : public ProgramTest {
 protected:
  // Trains `model` on one rank without mpirun.
  std::vector<StepMetrics> train(const std::string& model, const std::string& precision,
                                 int64_t steps) const {
    const std::string run = model + "_" + precision;
    make_plan(run + ".json", model + ".json", 1, "tp=1", "--precision " + precision);
    succeed(concat("argosy-train --plan ", run, ".json --data text.txt --run-dir ", run,
                   " --lr 1e-2 --warmup 5 --weight-decay 0 --steps ", steps));
    return metrics(run);
  }
};

TEST_F(Learning, ATextByHeartInBothPrecisions) {
  constexpr int64_t kSteps = 120;
  constexpr size_t kCompared = 20;
  const auto fp32 = train("dense", "fp32", kSteps), bf16 = train("dense", "bf16", kSteps);
  EXPECT_NEAR(fp32.front().loss, std::log(258.0), 0.3);
  EXPECT_LT(fp32.back().loss, 0.5);
  EXPECT_LT(bf16.back().loss, 0.5);
  for (size_t i = 0; i < kCompared; ++i) {
    EXPECT_NEAR(bf16[i].loss, fp32[i].loss, 0.02 * fp32[i].loss) << "dense, step " << i + 1;
  }
  const auto text = succeed(
      "argosy-train --run-dir dense_fp32 --generate 'the quick ' --temperature 0 "
      "--max-new-tokens 9");
  EXPECT_TRUE(contains(text.out, "the quick brown fox")) << text.out;
}

TEST_F(Learning, MixtureOfExpertsInBothPrecisions) {
  constexpr int64_t kSteps = 20;
  const auto fp32 = train("moe", "fp32", kSteps), bf16 = train("moe", "bf16", kSteps);
  EXPECT_LT(fp32.back().loss, 0.7 * fp32.front().loss);
  for (size_t i = 0; i < fp32.size(); ++i) {
    EXPECT_NEAR(bf16[i].loss, fp32[i].loss, 0.03 * fp32[i].loss) << "moe, step " << i + 1;
  }
}

TEST_F(Learning, LoraLeavesItsBaseAlone) {
  train("dense", "fp32", 60);
  make_plan("lora.json", "dense.json", 2, "tp=2,dp=1,pp=1",
            "--precision fp32 --task lora --lora-rank 4");
  std::string other;
  for (int i = 0; i < 40; ++i) other += "sphinx of black quartz, judge my vow. ";
  write("other.txt", other);
  const ProgramResult result = succeed(
      "argosy-launch --plan lora.json -- --data other.txt --run-dir lora --steps 20 "
      "--init dense_fp32 --lr 1e-2 --weight-decay 0");
  EXPECT_TRUE(contains(result.out, "trainable params: ")) << result.out;
  EXPECT_TRUE(contains(result.out, " || all params: ")) << result.out;
  EXPECT_TRUE(contains(result.out, " || trainable%: ")) << result.out;
  const ProgramResult diff =
      succeed("argosy-checkpoint diff dense_fp32 lora --kind parameter --ignore lora");
  EXPECT_TRUE(contains(diff.out, " equal to the bit, 0 not")) << diff.out;
  const auto steps = metrics("lora");
  EXPECT_LT(steps.back().loss, 0.8 * steps.front().loss);
  // Without its adapters the model is the base: the first loss, B still zero, is the base's.
  succeed(
      "argosy-train --plan dense_fp32.json --data other.txt --run-dir base --steps 1 "
      "--init dense_fp32 --checkpoint-every 0");
  EXPECT_NEAR(steps.front().loss, metrics("base").front().loss, 1e-5 * steps.front().loss);
}

// Whatever the layout of the run was, generating takes one rank and one stage.
TEST_F(Learning, GeneratesAfterAnInterleavedSchedule) {
  make_plan("plan.json", "dense.json", 1, "tp=1");
  Json plan = Json::parse(read("plan.json"));
  plan["schedule"] = "interleaved";
  plan["virtual_stages"] = 2;
  plan["layers_per_stage"] = {1, 1};
  plan["predicted"]["stages"] = Json::array();
  write("plan.json", plan.dump());
  succeed("argosy-train --plan plan.json --data text.txt --run-dir run --steps 1");
  succeed("argosy-train --run-dir run --generate 'the ' --max-new-tokens 1");
}

TEST_F(Learning, HelpNamesTheOptions) {
  const ProgramResult help = succeed("argosy-train --help");
  for (const char* option : {"--plan",
                             "--data",
                             "--steps",
                             "--run-dir",
                             "--config",
                             "--device",
                             "--precision",
                             "--init",
                             "--resume",
                             "--optimizer",
                             "--checkpoint-every",
                             "--eval-data",
                             "--eval-every",
                             "--lr",
                             "--min-lr",
                             "--warmup",
                             "--lr-schedule",
                             "--weight-decay",
                             "75 stopped by SIGUSR1",
                             "--clip",
                             "--seed",
                             "--lora-rank",
                             "--lora-alpha",
                             "--lora-targets",
                             "--generate",
                             "--measure"}) {
    EXPECT_TRUE(contains(help.out, option)) << option;
  }
}

TEST_F(Learning, PlansWithWhatWasMeasured) {
  succeed("mpirun --allow-run-as-root --oversubscribe -np 2 argosy-train --measure here.json");
  const ProgramResult plan = succeed(
      "argosy-plan --model dense.json --cluster here.json --devices 2 --seq-len 16 "
      "--global-batch 8 --precision fp32 --out plan.json");
  EXPECT_TRUE(std::filesystem::exists(path("plan.json"))) << plan.out;
}

}  // namespace
}  // namespace argosy
