// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Multi-token prediction as a user meets it: its option, what a run says of its losses, its names
// in files of others, jobs that leave it out.
#include <cmath>
#include <vector>

#include "planner/spec/check.h"
#include "planner/spec/json.h"
#include "tests/end_to_end/programs.h"

namespace argosy {
namespace {

class MtpTest : public ProgramTest {
 protected:
  MtpTest() {
    write_model("mtp.json", 2, 1);
    write_model("none.json", 0, 1);
  }

  // Two layers, of which the first `num_dense` have no experts, and so many modules.
  void write_model(const std::string& name, int num_modules, int num_dense) const {
    write(name,
          concat(R"({"model_type": "glm4_moe", "vocab_size": 258, "hidden_size": 16,
        "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 2, "head_dim": 12, "use_qk_norm": true, "attention_bias": true,
        "n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8,
        "n_shared_experts": 1, "first_k_dense_replace": )",
                 num_dense, R"(, "max_position_embeddings": 64, "num_nextn_predict_layers": )",
                 num_modules, "}"));
  }

  std::vector<StepMetrics> train(const std::string& plan, const std::string& run,
                                 const std::string& more = "") const {
    succeed(concat("argosy-train --plan ", plan, " --data text.txt --steps 3 --lr 1e-2 --run-dir ",
                   run, " ", more));
    return metrics(run);
  }
};

TEST_F(MtpTest, LossesStandBesideTheNextTokens) {
  make_plan("plan.json", "mtp.json", 1, "tp=1");
  const ProgramResult result =
      succeed("argosy-train --plan plan.json --data text.txt --steps 2 --run-dir run");
  const std::vector<StepMetrics> steps = metrics("run");
  ASSERT_EQ(steps.size(), 2U);
  for (const StepMetrics& step : steps) {
    ASSERT_EQ(step.mtp_losses.size(), 2U);
    // Nothing is learnt yet: every prediction is nearly a guess among 258.
    for (const double loss : step.mtp_losses) EXPECT_NEAR(loss, std::log(258), 0.2);
    EXPECT_NEAR(step.loss, std::log(258), 0.2);
  }
  EXPECT_TRUE(contains(result.out, " | mtp 5.")) << result.out;
  EXPECT_TRUE(contains(read("run/metrics.jsonl"), "\"mtp_losses\":[5."));
}

// With a factor of 0 modules tell the model nothing: it is trained as one without them.
TEST_F(MtpTest, TheFactorWeighsWhatTheModelLearnsOfIt) {
  make_plan("mtp_plan.json", "mtp.json", 1, "tp=1");
  make_plan("none_plan.json", "none.json", 1, "tp=1");
  const auto none = train("none_plan.json", "none");
  const auto zero = train("mtp_plan.json", "zero", "--mtp-loss-scaling-factor 0");
  const auto unset = train("mtp_plan.json", "unset");
  const auto tenth = train("mtp_plan.json", "tenth", "--mtp-loss-scaling-factor 0.1");
  const auto much = train("mtp_plan.json", "much", "--mtp-loss-scaling-factor 2");
  for (size_t i = 0; i < none.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(zero[i].loss, none[i].loss);
    EXPECT_NEAR(zero[i].grad_norm, none[i].grad_norm, 1e-6 * none[i].grad_norm);
    EXPECT_EQ(unset[i].loss, tenth[i].loss);
    EXPECT_EQ(unset[i].grad_norm, tenth[i].grad_norm);
    EXPECT_TRUE(none[i].mtp_losses.empty());
  }
  EXPECT_EQ(much[0].loss, none[0].loss);  // the next tokens' alone, whatever the factor
  EXPECT_GT(much[0].grad_norm, tenth[0].grad_norm);
  EXPECT_LT(much[2].mtp_losses[0], zero[2].mtp_losses[0]);
}

TEST_F(MtpTest, TheOptionNeedsModules) {
  make_plan("none_plan.json", "none.json", 1, "tp=1");
  make_plan("plan.json", "mtp.json", 1, "tp=1");
  const auto expect = [&](const std::string& arguments, const std::string& part) {
    const ProgramResult result =
        shell("argosy-train --data text.txt --steps 1 --run-dir run " + arguments);
    EXPECT_EQ(result.exit_code, kExitUserError) << result.out << result.err;
    EXPECT_TRUE(contains(unwrapped(result.err), part)) << result.err;
  };
  expect("--plan none_plan.json --mtp-loss-scaling-factor 0.2",
         "--mtp-loss-scaling-factor: 0.2, but the plan has a model that has no modules for "
         "multi-token prediction (num_nextn_predict_layers 0)");
  expect("--plan plan.json --mtp-loss-scaling-factor -1",
         "--mtp-loss-scaling-factor: -1, but it must be at least 0");
}

// Kept in the run's own file, and a change is told where a run goes on under another layout.
TEST_F(MtpTest, AResumedRunGoesOnUnderAnotherLayout) {
  make_plan("plan.json", "mtp.json", 1, "tp=1");
  make_plan("two.json", "mtp.json", 2, "pp=2,tp=1,dp=1");
  const std::string factor = "--lr 1e-2 --mtp-loss-scaling-factor 0.4";
  succeed(launch("plan.json", "whole", 4, factor));
  succeed(launch("plan.json", "parts", 2, factor));
  EXPECT_TRUE(contains(read("parts/run.cfg"), "mtp-loss-scaling-factor = 0.4"));
  succeed(launch("two.json", "parts", 4, factor + " --resume auto"));
  const auto whole = metrics("whole"), parts = metrics("parts");
  ASSERT_EQ(parts.size(), 4U);
  EXPECT_NEAR(parts[3].loss, whole[3].loss, 1e-4 * whole[3].loss);
  EXPECT_NEAR(parts[3].mtp_losses[1], whole[3].mtp_losses[1], 1e-4 * whole[3].mtp_losses[1]);
  const ProgramResult changed = succeed(launch("two.json", "parts", 5, "--lr 1e-2 --resume auto"));
  EXPECT_TRUE(
      contains(unwrapped(changed.out + changed.err), "mtp-loss-scaling-factor 0.4 -> unset"))
      << changed.out << changed.err;
}

TEST_F(MtpTest, EveryLayoutIsVerified) {
  make_plan("plan.json", "mtp.json", 2, "pp=2,tp=1,dp=1");
  succeed("argosy-launch --plan plan.json -- --data text.txt --verify 2");
}

// Names as in released files; a model without modules reads the same folder, and one with modules
// says what a folder without them lacks.
TEST_F(MtpTest, FoldersOfHuggingFace) {
  make_plan("plan.json", "mtp.json", 1, "tp=1");
  make_plan("none_plan.json", "none.json", 1, "tp=1");
  train("plan.json", "run");
  succeed("argosy-checkpoint export-hf run hf");
  const std::string names = read("hf/model.safetensors").substr(0, 40'000);
  for (const std::string layer : {"model.layers.2.", "model.layers.3."}) {
    for (const char* name : {"enorm", "hnorm", "eh_proj", "shared_head.norm", "shared_head.head",
                             "embed_tokens", "mlp.experts.3.gate_proj", "self_attn.q_proj"}) {
      EXPECT_TRUE(contains(names, "\"" + layer + name + ".weight\"")) << layer << name;
    }
    EXPECT_TRUE(contains(names, "\"" + layer + "mlp.gate.e_score_correction_bias\"")) << layer;
  }
  const std::string still = " --lr 0 --router-bias-update-rate 0";
  succeed("argosy-train --plan plan.json --data text.txt --steps 1 --run-dir back --init hf" +
          still);
  const ProgramResult same = succeed("argosy-checkpoint diff --kind parameter run back");
  EXPECT_TRUE(contains(same.out, " equal to the bit, 0 not")) << same.out;

  const std::string without =
      "argosy-train --plan none_plan.json --data text.txt --steps 1 --run-dir without --init hf";
  EXPECT_EQ(succeed(without + still).exit_code, 0);
  succeed("argosy-checkpoint export-hf without main");
  const ProgramResult lacking =
      shell("argosy-train --plan plan.json --data text.txt --steps 1 --run-dir no --init main");
  EXPECT_EQ(lacking.exit_code, kExitUserError);
  EXPECT_TRUE(
      contains(unwrapped(lacking.err),
               "no tensor model.layers.2.enorm.weight of the model's modules for multi-token "
               "prediction; valid: a plan of a config with num_nextn_predict_layers 0"))
      << lacking.err;
}

// What a model says does not depend on its modules, which generation leaves out.
TEST_F(MtpTest, GenerationLeavesModulesOut) {
  make_plan("plan.json", "mtp.json", 1, "tp=1");
  train("plan.json", "run");
  succeed("argosy-checkpoint export-hf run hf");
  const std::string ask = " --generate 'the ' --temperature 0 --max-new-tokens 8";
  const std::string of_run = succeed("argosy-train --run-dir run" + ask).out;
  EXPECT_EQ(succeed("argosy-train --init hf" + ask).out, of_run);
}

// Adapters of modules are trained with those of the layers, and leave and return with them; an
// adapter for a model without modules leaves them out.
TEST_F(MtpTest, AdaptersOfModules) {
  const std::string lora = "--precision fp32 --task lora --lora-rank 2";
  make_plan("plan.json", "mtp.json", 1, "tp=1");
  make_plan("lora.json", "mtp.json", 1, "tp=1", lora);
  make_plan("none_lora.json", "none.json", 1, "tp=1", lora);
  train("plan.json", "run");
  train("lora.json", "lora", "--init run");
  succeed("argosy-checkpoint export-adapter lora adapter");
  const std::string names = read("adapter/adapter_model.safetensors").substr(0, 40'000);
  EXPECT_TRUE(contains(names, "base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight"));
  EXPECT_FALSE(contains(names, "eh_proj"));
  const std::string again =
      "argosy-train --data text.txt --steps 1 --lr 0 --init run --init-adapter ";
  succeed(again + "adapter --plan lora.json --run-dir again");
  const ProgramResult same = succeed("argosy-checkpoint diff --kind parameter lora again");
  EXPECT_TRUE(contains(same.out, " equal to the bit, 0 not")) << same.out;

  succeed(again + "adapter --plan none_lora.json --run-dir none");
  succeed("argosy-checkpoint export-adapter none main");
  const ProgramResult lacking = shell(again + "main --plan lora.json --run-dir no");
  EXPECT_EQ(lacking.exit_code, kExitUserError);
  EXPECT_TRUE(contains(unwrapped(lacking.err), "PEFT knows no modules for multi-token prediction"))
      << lacking.err;
}

}  // namespace
}  // namespace argosy
