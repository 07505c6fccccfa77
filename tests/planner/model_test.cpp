// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Reading config.json: published parameter counts, defaults of each type, and every mistake by
// name.
#include "planner/spec/model.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "planner/spec/check.h"
#include "planner/spec/model_names.h"

namespace argosy {
namespace {

const std::filesystem::path kModels = std::filesystem::path(ARGOSY_SOURCE_DIR) / "configs/models";

// Totals of the released checkpoints (Hugging Face hub, safetensors metadata); GPT-3: table D.1 of
// arXiv 2005.14165 says 174,600M. The source of each config stands in its first line.
TEST(Model, ParameterCountsAreThePublishedOnes) {
  const std::pair<const char*, int64_t> expected[] = {
      {"gpt2-124m", 124439808},       {"gpt2-1.5b", 1557611200},
      {"gpt3-175b", 174604259328},    {"llama-65b", 65285660672},
      {"llama-2-7b", 6738415616},     {"llama-3.1-8b", 8030261248},
      {"llama-3.1-70b", 70553706496}, {"llama-3.1-405b", 405853388800},
      {"mistral-7b", 7241732096},     {"mixtral-8x7b", 46702792704},
      {"qwen2-7b", 7615616512},       {"qwen3-8b", 8190735360},
      {"qwen3-30b-a3b", 30532122624}, {"qwen2-57b-a14b", 57408658944},
      {"olmoe-1b-7b", 6919161856},    {"llama-1b", 1100048384},
  };
  for (const auto& [name, total] : expected) {
    const ModelReading reading = read_model(kModels / (std::string(name) + ".json"));
    EXPECT_EQ(count_parameters(reading.model).total, total) << name;
    EXPECT_EQ(reading.model.name, name);
    EXPECT_TRUE(reading.warnings.empty()) << name << ": " << reading.warnings.front();
  }
}

// Active parameters: Mixtral paper 12.9B, Qwen2 paper 14B, Qwen3 paper 3B (3.3B on the model card).
TEST(Model, ActiveParametersOfMixturesOfExperts) {
  const auto active = [](const char* name) {
    return static_cast<double>(
        count_parameters(read_model(kModels / (std::string(name) + ".json")).model).active);
  };
  EXPECT_NEAR(active("mixtral-8x7b"), 12.9e9, 0.05e9);
  EXPECT_NEAR(active("qwen2-57b-a14b"), 14.2e9, 0.1e9);
  EXPECT_NEAR(active("qwen3-30b-a3b"), 3.35e9, 0.05e9);
  EXPECT_NEAR(active("deepseek-v3"), 37.5e9, 0.3e9);   // "37B", embedding and head included here
  EXPECT_NEAR(active("olmoe-1b-7b"), 1.28e9, 0.01e9);  // arXiv:2409.02060, table 1: 1.3B
}

// Not a published model: counted by hand.
TEST(Model, MixtureOfTheBenchmarksHasABillionActiveParameters) {
  const int64_t hidden = 2048, kv = 8 * 128, ffn = 3584, vocab = 32000, experts = 8, chosen = 2,
                layers = 16;
  const int64_t attention = 2 * hidden * hidden + 2 * hidden * kv, norms = 2 * hidden,
                router = experts * hidden, expert = 3 * hidden * ffn;
  const int64_t ends = 2 * vocab * hidden + hidden;
  const ModelReading reading = read_model(kModels / "moe-1b-active.json");
  EXPECT_TRUE(reading.warnings.empty());
  const ParameterCount count = count_parameters(reading.model);
  EXPECT_EQ(count.total, layers * (attention + norms + router + experts * expert) + ends);
  EXPECT_EQ(count.active, layers * (attention + norms + router + chosen * expert) + ends);
  EXPECT_NEAR(static_cast<double>(count.active), 1.04e9, 0.01e9);
}

// arXiv:2508.10925, table 1; its active parameters leave the embedding out.
TEST(Model, GptOssHasThePublishedParts) {
  const struct {
    const char* name;
    double total, active, experts, attention, tables;
  } published[] = {{"gpt-oss-20b", 20.91e9, 3.61e9, 19.12e9, 0.64e9, 1.16e9},
                   {"gpt-oss-120b", 116.83e9, 5.13e9, 114.71e9, 0.96e9, 1.16e9}};
  constexpr double kHalfUnit = 0.005e9;
  for (const auto& row : published) {
    const ModelReading reading = read_model(kModels / (std::string(row.name) + ".json"));
    EXPECT_TRUE(reading.warnings.empty()) << reading.warnings.front();
    const ModelSpec& model = reading.model;
    double experts = 0, attention = 0, tables = 0;
    for (const TensorSpec& tensor : model_tensors(model)) {
      const double size = static_cast<double>(tensor.size());
      if (tensor.name.find(".mlp.") != std::string::npos) experts += size;
      if (tensor.name.find(".self_attn.") != std::string::npos) attention += size;
      if (tensor.shard == Shard::vocab) tables += size;
    }
    EXPECT_NEAR(experts, row.experts, kHalfUnit) << row.name;
    EXPECT_NEAR(attention, row.attention, kHalfUnit) << row.name;
    EXPECT_NEAR(tables, row.tables, kHalfUnit) << row.name;
    const ParameterCount count = count_parameters(model);
    EXPECT_NEAR(static_cast<double>(count.total), row.total, kHalfUnit) << row.name;
    EXPECT_NEAR(static_cast<double>(count.active - count.embedding), row.active, kHalfUnit)
        << row.name;
    EXPECT_TRUE(model.is_windowed(0) && !model.is_windowed(1)) << row.name;
    EXPECT_EQ(model.moe.order, RouterOrder::topk_then_softmax);
    EXPECT_FALSE(model.rope.truncates);
  }
}

// arXiv:2412.19437: 671B parameters without the module for multi-token prediction.
TEST(Model, LatentAttentionOfDeepSeekV3) {
  const ModelSpec model = read_model(kModels / "deepseek-v3.json").model;
  const ParameterCount count = count_parameters(model);
  EXPECT_NEAR(static_cast<double>(count.total - count.mtp), 671.03e9, 0.02e9);
  EXPECT_TRUE(model.has_latent_attention());
  EXPECT_EQ(model.head_dim, 192);
  EXPECT_EQ(model.value_dim(), 128);
  int64_t attention = 0;
  for (const TensorSpec& tensor : model_tensors(model)) {
    if (tensor.layer == 5 && tensor.name.find("self_attn") != std::string::npos) {
      attention += tensor.size();
    }
  }
  const int64_t queries = 7168 * 1536 + 1536 + 1536 * 128 * 192;
  const int64_t keys_values = 7168 * (512 + 64) + 512 + 512 * 128 * (128 + 128);
  EXPECT_EQ(attention, queries + keys_values + 128 * 128 * 7168);
}

// README_WEIGHTS.md and README.md of deepseek-ai/DeepSeek-V3: 11.5B parameters of its own (a block;
// the projection's 0.1B come to it), named as a 62nd layer, with copies of embedding and head 685B
// in all.
TEST(Model, ModuleForMultiTokenPredictionOfDeepSeekV3) {
  const ModelSpec model = read_model(kModels / "deepseek-v3.json").model;
  EXPECT_EQ(model.num_mtp_modules, 1);
  const ParameterCount count = count_parameters(model);
  EXPECT_NEAR(static_cast<double>(count.mtp), 11.5e9 + 2 * 7168 * 7168, 0.05e9);
  EXPECT_NEAR(static_cast<double>(count.total + 2 * count.embedding), 685e9, 0.6e9);
  std::set<std::string> names;
  for (const TensorSpec& tensor : model_tensors(model)) {
    if (tensor.layer > model.num_layers) names.insert(tensor.name);
  }
  for (const char* name : {"enorm", "hnorm", "eh_proj", "shared_head.norm", "self_attn.q_a_proj",
                           "mlp.gate", "mlp.experts.255.down_proj", "input_layernorm"}) {
    EXPECT_EQ(names.count(concat("model.layers.61.", name, ".weight")), 1u) << name;
  }
  for (const std::string& name : names) EXPECT_TRUE(name.starts_with("model.layers.61.")) << name;
}

// What modules share: a copy of the head is one of the embedding where that is the head.
TEST(Model, CopiesInModulesAreOfTensorsThatThereAre) {
  ModelSpec model = read_model(kModels / "deepseek-v3.json").model;
  const std::string table = "model.embed_tokens.weight";
  for (const bool is_tied : {false, true}) {
    model.tied_head = is_tied;
    std::map<std::string, std::string> copies;
    for (const TensorCopy& copy : copies_in_modules(model)) copies[copy.name] = copy.of;
    const std::map<std::string, std::string> expected = {
        {"model.layers.61.embed_tokens.weight", table},
        {"model.layers.61.shared_head.head.weight", is_tied ? table : "lm_head.weight"}};
    EXPECT_EQ(copies, expected);
  }
  model.num_mtp_modules = 0;
  EXPECT_TRUE(copies_in_modules(model).empty());
}

// Where modules were left out of the plan: their layer is known by its number, in models that know
// them.
TEST(Model, LayersBehindTheLastAreKnownByTheirNumber) {
  ModelSpec model = read_model(kModels / "deepseek-v3.json").model;
  EXPECT_EQ(layer_behind_last(model, "model.layers.61.eh_proj.weight"), std::nullopt);
  model.num_mtp_modules = 0;
  EXPECT_EQ(layer_behind_last(model, "model.layers.61.eh_proj.weight"), 61);
  EXPECT_EQ(layer_behind_last(model, "model.layers.60.eh_proj.weight"), std::nullopt);
  EXPECT_EQ(layer_behind_last(model, "lm_head.weight"), std::nullopt);
  model.model_type = "llama";
  EXPECT_EQ(layer_behind_last(model, "model.layers.61.mlp.up_proj.weight"), std::nullopt);
}

// arXiv:2508.06471, table 1: 106B parameters, 12B active; the hub counts the module for multi-token
// prediction with copies of embedding and head: 110.47B.
TEST(Model, Glm45AirHasThePublishedSize) {
  const ModelReading reading = read_model(kModels / "glm-4.5-air.json");
  EXPECT_TRUE(reading.warnings.empty());
  const ModelSpec& model = reading.model;
  const ParameterCount count = count_parameters(model);
  EXPECT_NEAR(static_cast<double>(count.total - count.mtp), 106.85e9, 0.01e9);
  EXPECT_NEAR(static_cast<double>(count.active), 12.0e9 + 1.2e9, 0.6e9);  // ours has the embedding
  EXPECT_NEAR(static_cast<double>(count.total + 2 * count.embedding), 110.47e9, 0.01e9);
  EXPECT_FALSE(model.layer_is_moe[0]);
  EXPECT_TRUE(model.layer_is_moe[1]);
  std::map<std::string, int64_t> sizes;
  for (const TensorSpec& t : model_tensors(model)) sizes[t.name] = t.size();
  EXPECT_EQ(sizes.at("model.layers.1.mlp.shared_experts.up_proj.weight"), 1408 * 4096);
  EXPECT_EQ(sizes.at("model.layers.1.self_attn.q_proj.bias"), 96 * 128);
  EXPECT_EQ(sizes.count("model.layers.1.self_attn.o_proj.bias"), 0u);
  EXPECT_EQ(sizes.count("model.layers.1.self_attn.q_norm.weight"), 0u);
  EXPECT_EQ(sizes.at("model.layers.46.eh_proj.weight"), 2 * 4096 * 4096);
}

// Names of openai/gpt-oss-20b; the experts' tensors are stacked there (model.h).
TEST(Model, TensorNamesOfGptOssAndOlmoe) {
  const auto names_of = [](const char* file) {
    std::map<std::string, int64_t> sizes;
    for (const TensorSpec& t : model_tensors(read_model(kModels / file).model)) {
      sizes[t.name] = t.size();
    }
    return sizes;
  };
  std::map<std::string, int64_t> oss = names_of("gpt-oss-20b.json");
  EXPECT_EQ(oss["model.layers.3.self_attn.sinks"], 64);
  EXPECT_EQ(oss["model.layers.3.self_attn.q_proj.bias"], 4096);
  EXPECT_EQ(oss["model.layers.3.self_attn.o_proj.bias"], 2880);
  EXPECT_EQ(oss["model.layers.3.mlp.router.weight"], 32 * 2880);
  EXPECT_EQ(oss["model.layers.3.mlp.router.bias"], 32);
  EXPECT_EQ(oss["model.layers.3.mlp.experts.gate_up_proj.31.up"], 2880 * 2880);
  EXPECT_EQ(oss["model.layers.3.mlp.experts.gate_up_proj_bias.0.gate"], 2880);
  EXPECT_EQ(oss["model.layers.3.mlp.experts.down_proj.0"], 2880 * 2880);
  EXPECT_EQ(oss["model.layers.3.mlp.experts.down_proj_bias.0"], 2880);
  std::map<std::string, int64_t> olmoe = names_of("olmoe-1b-7b.json");
  EXPECT_EQ(olmoe["model.layers.3.self_attn.q_norm.weight"], 2048);
  EXPECT_EQ(olmoe["model.layers.3.self_attn.k_norm.weight"], 2048);
  EXPECT_EQ(olmoe["model.layers.3.mlp.experts.63.gate_proj.weight"], 1024 * 2048);
  EXPECT_EQ(olmoe["model.layers.3.mlp.gate.weight"], 64 * 2048);
}

// Experts of gpt-oss are parameters, not Linears: PEFT's target_modules do not match them.
TEST(Model, LoraOfGptOssAdaptsAttentionAlone) {
  const ModelSpec model = read_model(kModels / "gpt-oss-20b.json").model;
  LoraSpec lora;
  lora.rank = 8;
  lora.targets = {"all-linear"};
  const int64_t per_layer = 8 * (2880 + 4096 + 2 * (2880 + 512) + 4096 + 2880);
  EXPECT_EQ(count_parameters(model, lora).trainable, 24 * per_layer);
}

TEST(Model, Gpt4LikeMixtureHasTheFiguresItIsMadeFor) {
  const ModelSpec model = read_model(kModels / "gpt4-moe.json").model;
  const ParameterCount count = count_parameters(model);
  EXPECT_EQ(model.num_layers, 120);
  EXPECT_EQ(model.moe.num_experts, 16);
  EXPECT_EQ(model.moe.top_k, 2);
  EXPECT_EQ(model.max_positions, 8192);
  const double expert = static_cast<double>(count.total - count.active) / 14;
  EXPECT_NEAR(expert, 111e9, 0.5e9);
  EXPECT_NEAR(static_cast<double>(count.total) - 16 * expert, 55e9, 2e9);
  EXPECT_NEAR(static_cast<double>(count.total), 1.8e12, 0.05e12);
  EXPECT_NEAR(static_cast<double>(count.active), 280e9, 2e9);
}

TEST(Model, LoraCountsAsInPeft) {
  const ModelSpec model = read_model(kModels / "llama-2-7b.json").model;
  LoraSpec lora;
  lora.rank = 8;
  lora.targets = {"q_proj", "v_proj"};
  const ParameterCount count = count_parameters(model, lora);
  EXPECT_EQ(count.trainable, 4194304);  // 32 layers x 2 Linears x 8 x (4096 + 4096)
  EXPECT_EQ(count.total, 6742609920);   // PEFT's "all params" for this job
}

// Reads a llama config of four fields plus `more` ("\"key\": value, ...").
ModelReading llama(const std::string& more, const std::string& type = "llama") {
  return parse_model(R"({"model_type": ")" + type + R"(", "vocab_size": 32, "hidden_size": 16,
      "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 24)" +
                         (more.empty() ? "" : ", " + more) + "}",
                     "m", "m.json");
}

TEST(Model, DefaultsOfLlama) {
  const ModelSpec model = llama("").model;
  EXPECT_EQ(model.num_kv_heads, 4);
  EXPECT_EQ(model.head_dim, 4);
  EXPECT_EQ(model.max_positions, 2048);
  EXPECT_DOUBLE_EQ(model.norm_eps, 1e-6);
  EXPECT_DOUBLE_EQ(model.rope.theta, 10000.0);
  EXPECT_FALSE(model.tied_head);
  EXPECT_FALSE(model.qkv_bias);
  EXPECT_EQ(model.sliding_window, 0);
}

TEST(Model, BiasesAndNormsOfEachType) {
  EXPECT_TRUE(llama(R"("attention_bias": true)").model.attention_output_bias);
  const std::string kv = R"("num_key_value_heads": 2)";
  EXPECT_TRUE(llama(kv, "qwen2").model.qkv_bias);
  EXPECT_FALSE(llama(kv, "qwen2").model.attention_output_bias);
  EXPECT_TRUE(llama(kv, "qwen3").model.qk_norm);
  EXPECT_EQ(llama(kv, "qwen3").model.head_dim, 128);
  EXPECT_EQ(llama(kv + R"(, "head_dim": 8)", "qwen3").model.head_dim, 8);
}

TEST(Model, SlidingWindow) {
  const std::string kv = R"("num_key_value_heads": 2, )";
  EXPECT_EQ(llama(kv + R"("sliding_window": 8)", "mistral").model.sliding_window, 8);
  EXPECT_EQ(llama(kv + R"("sliding_window": null)", "mistral").model.sliding_window, 0);
  EXPECT_EQ(llama(kv + R"("head_dim": 4)", "mistral").model.sliding_window, 4096);
  EXPECT_EQ(llama(kv + R"("sliding_window": 8)", "qwen2").model.sliding_window, 0);
  const std::string used = kv + R"("sliding_window": 8, "use_sliding_window": true, )";
  EXPECT_EQ(llama(used + R"("max_window_layers": 0)", "qwen2").model.sliding_window, 8);
  EXPECT_EQ(llama(used + R"("max_window_layers": 4)", "qwen2").model.sliding_window, 0);
}

TEST(Model, LayersWithAndWithoutAWindow) {
  const auto windowed = [](const ModelSpec& model) {
    std::string text;
    for (int64_t i = 0; i < model.num_layers; ++i) text += model.is_windowed(i) ? 'w' : 'f';
    return text;
  };
  const std::string kv = R"("num_key_value_heads": 2, "sliding_window": 8, )";
  const std::string used = kv + R"("use_sliding_window": true, )";
  EXPECT_EQ(windowed(llama(used + R"("max_window_layers": 3)", "qwen2").model), "fffw");
  EXPECT_EQ(windowed(llama(kv + R"("sliding_window_pattern": 3)", "mistral").model), "wwfw");
  EXPECT_EQ(windowed(llama(kv + R"("layer_types": ["full_attention", "sliding_attention",
      "sliding_attention", "full_attention"])",
                           "mistral")
                         .model),
            "fwwf");
  EXPECT_EQ(windowed(llama(kv + R"("head_dim": 4)", "mistral").model), "wwww");
  const std::string experts = R"(, "num_local_experts": 4, "num_experts_per_tok": 2)";
  EXPECT_EQ(windowed(llama(R"("num_key_value_heads": 2)" + experts, "gpt_oss").model), "wfwf");
  const ModelSpec full = llama(kv + R"("layer_types": ["full_attention", "full_attention",
      "full_attention", "full_attention"])",
                               "mistral")
                             .model;
  EXPECT_EQ(full.sliding_window, 0);
  EXPECT_TRUE(full.windowed_layers.empty());
}

TEST(Model, BothSpellingsOfRope) {
  const RopeSpec v4 =
      llama(R"("rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 4})").model.rope;
  const RopeSpec v5 =
      llama(R"("rope_parameters": {"rope_theta": 5e5, "rope_type": "linear", "factor": 4})")
          .model.rope;
  for (const RopeSpec& rope : {v4, v5}) {
    EXPECT_DOUBLE_EQ(rope.theta, 5e5);
    EXPECT_EQ(rope.type, "linear");
    EXPECT_DOUBLE_EQ(rope_inverse_frequencies(rope, 4)[0], 0.25);
  }
}

TEST(Model, RouterOfEachType) {
  const std::string kv = R"("num_key_value_heads": 2, "num_experts_per_tok": 2, )";
  const MoeSpec mixtral = llama(kv + R"("num_local_experts": 4)", "mixtral").model.moe;
  EXPECT_EQ(mixtral.order, RouterOrder::topk_then_softmax);
  EXPECT_EQ(mixtral.ffn_size, 24);
  EXPECT_DOUBLE_EQ(mixtral.aux_loss_coef, 0.001);
  const ModelSpec qwen =
      llama(kv + R"("num_experts": 4, "moe_intermediate_size": 8, "mlp_only_layers": [1],
          "router_z_loss_coef": 0.5, "norm_topk_prob": true)",
            "qwen3_moe")
          .model;
  EXPECT_EQ(qwen.moe.order, RouterOrder::softmax_then_topk);
  EXPECT_TRUE(qwen.moe.normalize_topk);
  EXPECT_DOUBLE_EQ(qwen.moe.z_loss_coef, 0.5);
  EXPECT_EQ(qwen.layer_is_moe, (std::vector<bool>{true, false, true, true}));
  EXPECT_EQ(qwen.ffn_size, 24);
}

TEST(Model, DeepSeeksKeysChangeHowExpertsAreChosen) {
  const std::string keys = R"("num_key_value_heads": 2, "num_experts_per_tok": 2,
      "scoring_func": "sigmoid", "n_group": 4, "topk_group": 2, "routed_scaling_factor": 2.5, )";
  const ModelReading mixtral = llama(keys + R"("num_local_experts": 8)", "mixtral");
  const ModelReading qwen =
      llama(keys + R"("num_experts": 8, "moe_intermediate_size": 8)", "qwen3_moe");
  for (const ModelReading& reading : {mixtral, qwen}) {
    const MoeSpec& moe = reading.model.moe;
    EXPECT_TRUE(reading.warnings.empty());
    EXPECT_TRUE(moe.has_balancing_bias());
    EXPECT_TRUE(moe.normalize_topk);
    EXPECT_EQ(moe.num_groups, 4);
    EXPECT_EQ(moe.top_groups, 2);
    EXPECT_DOUBLE_EQ(moe.routed_scaling, 2.5);
  }
}

TEST(Model, WarningsNameUnknownAndDropoutKeys) {
  const ModelReading reading = llama(R"("attention_dropout": 0.1, "flux": 1, "use_cache": true,
      "eos_token_id": [1, 2], "torch_dtype": "bfloat16", "resid_pdrop": 0.0)");
  ASSERT_EQ(reading.warnings.size(), 2u);
  EXPECT_EQ(reading.warnings[0], "m.json: attention_dropout = 0.1 is read and stays off");
  EXPECT_EQ(reading.warnings[1], "m.json: unknown key 'flux' is ignored");
  // The newer types as well: what is stored quantized is planned in the precision of the run.
  const std::string experts = R"("num_key_value_heads": 2, "num_experts_per_tok": 2, )";
  const ModelReading oss =
      llama(experts + R"("num_local_experts": 4, "experts_per_token": 2, "swiglu_limit": 7.0,
          "initial_context_length": 8, "quantization_config": {"quant_method": "mxfp4"},
          "attention_chunk": 3)",
            "gpt_oss");
  const std::vector<std::string> ignored = {"m.json: unknown key 'quantization_config' is ignored",
                                            "m.json: unknown key 'attention_chunk' is ignored"};
  EXPECT_EQ(oss.warnings, ignored);
  EXPECT_EQ(llama(experts + R"("num_experts": 4, "qk_scale": 1)", "olmoe").warnings,
            std::vector<std::string>{"m.json: unknown key 'qk_scale' is ignored"});
}

// Each message names the file, the key and the value.
TEST(Model, MistakesAreNamed) {
  const std::string experts = R"("num_key_value_heads": 2, "num_local_experts": 4, )";
  const struct {
    const char* type;
    std::string more;
    const char* message;
  } cases[] = {
      {"llama", R"("hidden_act": "gelu")", "hidden_act: cannot be represented; valid: silu"},
      {"llama", R"("mlp_bias": true)", "mlp_bias: cannot be represented; only false"},
      {"llama", R"("head_dim": 0)", "head_dim: expected an integer of at least 1, found 0"},
      {"llama", R"("head_dim": 5)", "head_dim: rotary embedding needs an even head size, found 5"},
      {"llama", R"("num_key_value_heads": 3)", "num_key_value_heads: must divide"},
      {"llama", R"("num_key_value_heads": "2")", "num_key_value_heads: expected an integer"},
      {"llama", R"("rms_norm_eps": -1)", "rms_norm_eps: expected a number above 0, found -1"},
      {"llama", R"("tie_word_embeddings": 1)", "tie_word_embeddings: expected true or false"},
      {"llama", R"("rope_scaling": {"rope_type": "longrope"})",
       "rope_scaling.rope_type: cannot be represented; valid: default, linear, llama3, yarn"},
      {"llama", R"("rope_scaling": {"type": "linear", "factor": 0})", "rope_scaling.factor"},
      {"llama", R"("rope_scaling": {"type": "linear", "factor": 2, "base": 1})",
       "rope_scaling.base: unknown key"},
      {"llama", R"("eos_token_id": "x")", "eos_token_id: expected an integer, found \"x\""},
      {"llama", R"("max_position_embeddings": 99999999999)", "max_position_embeddings: expected"},
      {"llama", R"("layer_types": ["full_attention", "sliding_attention"])",
       "layer_types: expected num_hidden_layers=4 entries"},
      {"llama", R"("layer_types": ["full_attention", "sliding_attention", "full_attention",
          "full_attention"])",
       "layer_types: 'sliding_attention' needs the window"},
      {"llama", R"("layer_types": ["full_attention", "linear_attention", "full_attention",
          "full_attention"])",
       "layer_types: 'linear_attention' cannot be represented"},
      {"llama", R"("hidden_size": 16)", "key 'hidden_size' appears twice"},
      {"qwen2", "",
       "num_key_value_heads: expected an integer of at least 1, but the key is missing"},
      {"mixtral", experts + R"("num_experts_per_tok": 5)", "num_experts_per_tok: expected at most"},
      {"mixtral", experts + R"("num_experts_per_tok": 2, "router_aux_loss_coef": -1)",
       "router_aux_loss_coef: expected at least 0, found -1"},
      {"mixtral", experts + R"("num_experts_per_tok": 2, "scoring_func": "tanh")",
       "scoring_func: cannot be represented; valid: softmax, sigmoid"},
      {"mixtral", experts + R"("num_experts_per_tok": 2, "n_group": 3)",
       "n_group: expected a divisor of the 4 experts"},
      {"mixtral", experts + R"("num_experts_per_tok": 2, "n_group": 4, "topk_group": 1)",
       "topk_group: expected groups of 1 experts with at least num_experts_per_tok=2 together"},
      {"mixtral",
       experts + R"("num_experts_per_tok": 2, "scoring_func": "sigmoid", "router_z_loss_coef": 1)",
       "router_z_loss_coef: expected 0 with scoring_func sigmoid"},
      {"bert", "", "model_type: unknown; valid: gpt2, llama, mistral, qwen2, qwen3"},
      {"deepseek_v3", "", "kv_lora_rank"},
      {"gpt_oss", R"("num_key_value_heads": 2)", "num_local_experts: expected an integer"},
      {"gpt_oss", experts + R"("num_experts_per_tok": 2, "hidden_act": "gelu")",
       "hidden_act: cannot be represented; valid: silu"},
      {"gpt_oss", experts + R"("num_experts_per_tok": 2, "rope_scaling": {"rope_type": "yarn",
          "factor": 2, "truncat": false})",
       "rope_scaling.truncat: unknown key"},
      {"olmoe", R"("num_key_value_heads": 2)", "num_experts: expected an integer"},
      {"olmoe", R"("num_key_value_heads": 2, "clip_qkv": 8)",
       "clip_qkv: cannot be represented; only null is valid, found 8"},
      {"deepseek_v3", R"("kv_lora_rank": 4, "qk_nope_head_dim": 4, "qk_rope_head_dim": 4,
          "v_head_dim": 4, "n_routed_experts": 4, "num_experts_per_tok": 2,
          "moe_intermediate_size": 4, "num_nextn_predict_layers": -1)",
       "num_nextn_predict_layers: expected 0 to 100, found -1"},
      {"glm4_moe", R"("num_key_value_heads": 2)", "n_routed_experts: expected an integer"},
      {"glm4_moe", R"("num_key_value_heads": 2, "head_dim": 10, "partial_rotary_factor": 0.5)",
       "partial_rotary_factor: of head_dim=10 an even number of elements must turn, 2 to 10"},
      {"glm4_moe", R"("num_key_value_heads": 2, "partial_rotary_factor": 1.5)",
       "partial_rotary_factor: of head_dim="},
      {"qwen3", R"("num_key_value_heads": 2,
          "rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5})",
       "rope_parameters.partial_rotary_factor: cannot be represented; only 1 is valid"},
  };
  for (const auto& each : cases) {
    try {
      llama(each.more, each.type);
      ADD_FAILURE() << "no error: " << each.message;
    } catch (const ConfigError& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with("m.json: ")) << error.what();
      EXPECT_NE(std::string(error.what()).find(each.message), std::string::npos) << error.what();
    }
  }
}

// By either spelling of Transformers, half where the config is silent; frequencies are those of a
// head of as many elements as turn.
TEST(Model, PartOfAHeadTurns) {
  const std::string rest = R"("num_key_value_heads": 2, "head_dim": 20, "n_routed_experts": 2,
      "num_experts_per_tok": 1, "moe_intermediate_size": 4)";
  const auto turning = [&](const std::string& more) {
    return llama(rest + more, "glm4_moe").model.turning_dim();
  };
  EXPECT_EQ(turning(""), 10);
  EXPECT_EQ(turning(R"(, "partial_rotary_factor": 0.9)"), 18);
  EXPECT_EQ(turning(R"(, "rope_parameters": {"rope_type": "default",
      "partial_rotary_factor": 0.2})"),
            4);
  EXPECT_EQ(turning(R"(, "partial_rotary_factor": 1.0)"), 20);
  EXPECT_EQ(llama(R"("num_key_value_heads": 2, "head_dim": 20)", "qwen3").model.turning_dim(), 20);
  EXPECT_EQ(read_model(kModels / "glm-4.5-air.json").model.turning_dim(), 64);
  EXPECT_EQ(read_model(kModels / "deepseek-v3.json").model.turning_dim(), 64);
}

TEST(Model, SizesMustBePositive) {
  for (const char* key : {"vocab_size", "n_positions", "n_embd", "n_layer", "n_head", "n_inner"}) {
    for (const char* value : {"0", "-3", "1.5", "\"8\"", "[8]"}) {
      std::string json = R"({"model_type": "gpt2", "vocab_size": 8, "n_positions": 8, "n_embd": 8,
          "n_layer": 2, "n_head": 2, "n_inner": 8})";
      const size_t at = json.find(std::string("\"") + key) + std::string(key).size() + 4;
      json.replace(at, 1, value);
      try {
        parse_model(json, "g", "g.json");
        ADD_FAILURE() << "no error: " << json;
      } catch (const ConfigError& error) {
        const std::string start = std::string("g.json: ") + key + ": expected";
        EXPECT_TRUE(std::string(error.what()).starts_with(start)) << error.what();
        EXPECT_NE(std::string(error.what()).find(value), std::string::npos) << error.what();
      }
    }
  }
}

TEST(Model, ReadsAFolderAndNamesAMissingFile) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / "argosy_model_test" / "my-model";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "config.json") << llama("").model.config_json;
  EXPECT_EQ(read_model(folder).model.name, "my-model");
  EXPECT_EQ(read_model(folder / "config.json").model.name, "my-model");
  std::filesystem::remove_all(folder.parent_path());
  try {
    read_model(folder / "config.json");
    ADD_FAILURE() << "no error";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("my-model/config.json: cannot be read: No such file"),
              std::string::npos)
        << error.what();
  }
}

// Values of an independent evaluation of the formulas in Python (double precision).
TEST(Rope, Llama3Frequencies) {
  const RopeSpec rope = read_model(kModels / "llama-3.1-8b.json").model.rope;
  const std::vector<double> frequencies = rope_inverse_frequencies(rope, 128);
  const std::pair<size_t, double> expected[] = {{0, 1.0},
                                                {20, 0.016560440080994446},
                                                {28, 0.003211445994752591},
                                                {31, 0.0008567514129196321},
                                                {33, 0.00031269375038406517},
                                                {40, 3.428102195952591e-05},
                                                {63, 3.068925988914511e-07}};
  for (const auto& [i, value] : expected) EXPECT_NEAR(frequencies[i] / value, 1.0, 1e-12) << i;
}

// As transformers 5.23 has them, in fp64: of the released config, and where it says nothing.
TEST(Rope, GptOss) {
  const std::string experts =
      R"("num_key_value_heads": 2, "num_local_experts": 4, "num_experts_per_tok": 2)";
  const std::string released = R"(, "rope_theta": 150000.0, "rope_scaling": {"rope_type": "yarn",
      "factor": 32.0, "original_max_position_embeddings": 4096, "beta_fast": 32.0,
      "beta_slow": 1.0, "truncate": false})";
  for (const std::string& scaling :
       {released, std::string(R"(, "rope_scaling": null)"), std::string()}) {
    const RopeSpec rope = llama(experts + scaling, "gpt_oss").model.rope;
    EXPECT_NEAR(rope.attention_factor, 1.3465735902799727, 1e-15);
    const std::vector<double> frequencies = rope_inverse_frequencies(rope, 64);
    const std::pair<size_t, double> expected[] = {{0, 1.0},
                                                  {8, 0.050813274815461475},
                                                  {10, 0.019335001126540362},
                                                  {15, 0.0010526021013863359},
                                                  {17, 0.00012931870124506317},
                                                  {18, 3.8308812373753384e-05},
                                                  {31, 3.0235114281192144e-07}};
    for (const auto& [i, value] : expected) EXPECT_NEAR(frequencies[i] / value, 1.0, 1e-12) << i;
  }
  EXPECT_EQ(
      llama(experts + R"(, "rope_scaling": {"rope_type": "default"})", "gpt_oss").model.rope.type,
      "default");
}

TEST(Model, ActivationOfGptOss) {
  const std::string experts =
      R"("num_key_value_heads": 2, "num_local_experts": 4, "num_experts_per_tok": 2)";
  EXPECT_EQ(llama(experts, "mixtral").model.moe.swiglu_limit, 0);
  const MoeSpec moe = llama(experts, "gpt_oss").model.moe;
  EXPECT_EQ(moe.swiglu_limit, 7.0);
  EXPECT_EQ(moe.swiglu_alpha, 1.702);
  EXPECT_EQ(llama(experts + R"(, "swiglu_limit": 0.5)", "gpt_oss").model.moe.swiglu_limit, 0.5);
}

TEST(Rope, YarnFrequenciesAndTemperature) {
  const RopeSpec rope = llama(R"("rope_theta": 1000000.0, "rope_scaling": {"rope_type": "yarn",
      "factor": 4.0, "original_max_position_embeddings": 32768})")
                            .model.rope;
  EXPECT_NEAR(rope.attention_factor, 1.138629436111989, 1e-15);
  const std::vector<double> frequencies = rope_inverse_frequencies(rope, 128);
  const std::pair<size_t, double> expected[] = {{0, 1.0},
                                                {20, 0.01333521432163324},
                                                {25, 0.004131738022518394},
                                                {30, 0.001064360981247002},
                                                {35, 0.0002462584069089387},
                                                {40, 4.445698525097307e-05},
                                                {63, 3.102344401879299e-07}};
  for (const auto& [i, value] : expected) EXPECT_NEAR(frequencies[i] / value, 1.0, 1e-12) << i;
}

}  // namespace
}  // namespace argosy
