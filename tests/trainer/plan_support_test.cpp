// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What is planned and cannot run is refused by name, before anything is allocated.
#include "trainer/plan_support.h"

#include <gtest/gtest.h>

#include <string>

#include "planner/spec/check.h"
#include "tests/planner/tiny_models.h"

namespace argosy {
namespace {

void expect_refusal(const Plan& plan, const std::string& what) {
  validate(plan);  // a plan like others
  try {
    require_trainable(plan);
    ADD_FAILURE() << "no error: " << what;
  } catch (const ConfigError& error) {
    const std::string message = error.what();
    EXPECT_TRUE(message.starts_with("--plan: ")) << message;
    EXPECT_NE(message.find(what), std::string::npos) << message;
    EXPECT_NE(message.find("can be planned but not trained yet; valid: "), std::string::npos)
        << message;
  }
}

TEST(PlanSupport, DecisionsThatCannotRun) {
  Plan offload = tiny_plan(tiny_llama(), {});
  offload.offload = Offload::optimizer;
  expect_refusal(offload, "offload=optimizer");
}

TEST(PlanSupport, EverythingElsePasses) {
  const ModelSpec windows = tiny_model("windows", R"({"model_type": "gpt_oss", "vocab_size": 12,
      "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
      "num_key_value_heads": 2, "num_local_experts": 2, "num_experts_per_tok": 1})");
  for (const ModelSpec& model :
       {tiny_llama(), tiny_qwen2(), tiny_gpt2(), tiny_mixtral(), tiny_qwen2_moe(), tiny_qwen3_moe(),
        tiny_olmoe(), tiny_glm4_moe(), tiny_glm4_moe_mtp(), windows}) {
    require_trainable(tiny_plan(model, {}));
    require_trainable(tiny_plan(model, {}, 0, 2));
    Plan qlora = tiny_plan(model, {.dp = 2}, 3, 2);
    qlora.lora.base_bits = 4;
    validate(qlora);
    require_trainable(qlora);
    Plan tuned = tiny_plan(model, {});
    tuned.task = Task::finetune;
    validate(tuned);
    require_trainable(tuned);
  }
}

}  // namespace
}  // namespace argosy
