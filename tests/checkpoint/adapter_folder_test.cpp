// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What adapter_config.json of PEFT may say: plain LoRA; what would change its meaning is named.
#include "checkpoint/hf/adapter_folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "planner/spec/json.h"
#include "tests/support/texts.h"

namespace argosy {
namespace {

class AdapterFolder : public testing::Test {
 protected:
  AdapterFolder() : folder_(std::filesystem::temp_directory_path() / "argosy_adapter_folder_test") {
    std::filesystem::create_directories(folder_);
  }
  ~AdapterFolder() override { std::filesystem::remove_all(folder_); }

  // As PEFT writes it, with one key changed.
  LoraSpec read_with(const std::string& key, const Json& value) const {
    Json config = Json::parse(R"({
      "alpha_pattern": {}, "auto_mapping": null, "base_model_name_or_path": "base",
      "bias": "none", "corda_config": null, "eva_config": null, "exclude_modules": null,
      "fan_in_fan_out": false, "inference_mode": true, "init_lora_weights": true,
      "layer_replication": null, "layers_pattern": null, "layers_to_transform": null,
      "loftq_config": {}, "lora_alpha": 16, "lora_bias": false, "lora_dropout": 0.05,
      "megatron_config": null, "megatron_core": "megatron.core", "modules_to_save": null,
      "peft_type": "LORA", "qalora_group_size": 16, "r": 8, "rank_pattern": {}, "revision": null,
      "target_modules": ["q_proj"], "target_parameters": null, "task_type": "CAUSAL_LM",
      "trainable_token_indices": null, "use_dora": false, "use_qalora": false,
      "use_rslora": false})");
    if (!key.empty()) config[key] = value;
    std::ofstream(folder_ / "adapter_config.json") << config.dump();
    return read_peft_lora(folder_);
  }

 private:
  std::filesystem::path folder_;
};

TEST_F(AdapterFolder, PlainLoraIsRead) {
  const LoraSpec lora = read_with("", nullptr);
  EXPECT_EQ(lora.rank, 8);
  EXPECT_EQ(lora.alpha, 16);
  EXPECT_EQ(lora.targets, std::vector<std::string>{"q_proj"});
}

TEST_F(AdapterFolder, WhatChangesTheMeaningIsNamed) {
  const struct {
    const char* key;
    Json value;
    const char* valid;
  } cases[] = {{"use_dora", true, "false"},
               {"use_rslora", true, "false"},
               {"use_qalora", true, "false"},
               {"lora_bias", true, "false"},
               {"bias", "all", "\"none\""},
               {"bias", "lora_only", "\"none\""},
               {"rank_pattern", {{"k_proj", 2}}, "{}"},
               {"alpha_pattern", {{"k_proj", 2}}, "{}"},
               {"modules_to_save", {"lm_head"}, "null"},
               {"layers_to_transform", {0, 1}, "null"},
               {"layers_to_transform", 0, "null"},
               {"layers_pattern", "h", "null"},
               {"layers_pattern", {"h"}, "null"},
               {"layer_replication", {{0, 4}, {2, 5}}, "null"},
               {"exclude_modules", {"lm_head"}, "null"},
               {"target_parameters", {"experts.up_proj"}, "null"},
               {"trainable_token_indices", {0}, "null"},
               {"alora_invocation_tokens", {5}, "null"},
               {"init_lora_weights", "pissa", "true, false, \"gaussian\", \"eva\", \"orthogonal\""},
               {"init_lora_weights", "pissa_niter_16", "true, false"},
               {"init_lora_weights", "olora", "true, false"},
               {"init_lora_weights", "corda", "true, false"},
               {"init_lora_weights", "loftq", "true, false"},
               {"init_lora_weights", 3, "true, false"},
               {"fan_in_fan_out", "yes", "true, false"}};
  for (const auto& wrong : cases) {
    const std::string said = config_error_of([&] { read_with(wrong.key, wrong.value); });
    EXPECT_TRUE(contains(said, "adapter_config.json: ")) << said;
    EXPECT_TRUE(contains(said, concat(wrong.key, " is ", wrong.value.dump(),
                                      ": not supported; valid: ", wrong.valid)))
        << said;
  }
}

// How factors began is over once they are trained, and PEFT itself sees how a module's weights lie.
TEST_F(AdapterFolder, WhatIsOfNoMeaningHereIsTaken) {
  for (const Json& init : {Json(true), Json(false), Json("gaussian"), Json("eva"),
                           Json("orthogonal"), Json(nullptr)}) {
    EXPECT_EQ(read_with("init_lora_weights", init).rank, 8) << init;
  }
  for (const char* key : {"layers_to_transform", "modules_to_save", "exclude_modules"}) {
    EXPECT_EQ(read_with(key, Json::array()).rank, 8) << key;
  }
  EXPECT_EQ(read_with("fan_in_fan_out", true).rank, 8);
  EXPECT_EQ(read_with("layers_pattern", "").rank, 8);
}

}  // namespace
}  // namespace argosy
