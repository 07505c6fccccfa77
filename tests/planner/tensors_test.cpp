// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "planner/spec/check.h"
#include "planner/spec/model.h"
#include "tests/planner/tiny_models.h"

namespace argosy {
namespace {

std::vector<std::string> names(const std::vector<TensorSpec>& tensors) {
  std::vector<std::string> result;
  for (const TensorSpec& tensor : tensors) result.push_back(tensor.name);
  return result;
}

TensorSpec find(const std::vector<TensorSpec>& tensors, const std::string& name) {
  for (const TensorSpec& tensor : tensors) {
    if (tensor.name == name) return tensor;
  }
  ADD_FAILURE() << "no tensor " << name;
  return {};
}

LoraSpec lora(std::vector<std::string> targets, int64_t rank = 3) {
  LoraSpec spec;
  spec.rank = rank;
  spec.targets = std::move(targets);
  return spec;
}

TEST(Tensors, LlamaInTheOrderOfTheNetwork) {
  ModelSpec model = tiny_llama();
  model.num_layers = 1;
  model.layer_is_moe = {false};
  const std::string layer = "model.layers.0.";
  EXPECT_EQ(names(model_tensors(model)),
            (std::vector<std::string>{
                "model.embed_tokens.weight", layer + "input_layernorm.weight",
                layer + "self_attn.q_proj.weight", layer + "self_attn.k_proj.weight",
                layer + "self_attn.v_proj.weight", layer + "self_attn.o_proj.weight",
                layer + "post_attention_layernorm.weight", layer + "mlp.gate_proj.weight",
                layer + "mlp.up_proj.weight", layer + "mlp.down_proj.weight", "model.norm.weight",
                "lm_head.weight"}));
}

TEST(Tensors, NamesOfTheOtherFamilies) {
  const auto gpt2 = model_tensors(tiny_gpt2());
  EXPECT_EQ(find(gpt2, "transformer.wpe.weight").rows, 16);
  EXPECT_EQ(find(gpt2, "transformer.h.0.attn.c_attn.k.bias").shard, Shard::kv_rows);
  EXPECT_EQ(find(gpt2, "transformer.h.2.mlp.c_fc.weight").rows, 32);
  EXPECT_EQ(find(gpt2, "transformer.h.2.mlp.c_proj.bias").shard, Shard::replicated);
  EXPECT_EQ(find(gpt2, "transformer.ln_f.bias").init, Init::zeros);
  const auto mixtral = model_tensors(tiny_mixtral());
  EXPECT_EQ(find(mixtral, "model.layers.1.block_sparse_moe.gate.weight").rows, 4);
  EXPECT_EQ(find(mixtral, "model.layers.1.block_sparse_moe.experts.3.w2.weight").cols, 6);
  EXPECT_EQ(find(mixtral, "model.layers.1.block_sparse_moe.experts.3.w3.weight").role,
            TensorRole::expert_up);
  const auto qwen = model_tensors(tiny_qwen2_moe());
  EXPECT_EQ(find(qwen, "model.layers.0.mlp.gate_proj.weight").rows, 12);  // sparse step 2: dense
  EXPECT_EQ(find(qwen, "model.layers.1.mlp.gate.weight").rows, 4);
  EXPECT_EQ(find(qwen, "model.layers.1.mlp.shared_expert.down_proj.weight").cols, 4);
  EXPECT_EQ(find(qwen, "model.layers.1.mlp.shared_expert_gate.weight").rows, 1);
  EXPECT_EQ(find(qwen, "model.layers.1.self_attn.q_proj.bias").rows, 8);
  EXPECT_EQ(find(model_tensors(tiny_qwen3_moe()), "model.layers.0.self_attn.k_norm.weight").rows,
            6);
}

TEST(Tensors, NamesAreUniqueAndLayersAscend) {
  for (const ModelSpec& model : {tiny_llama(), tiny_qwen2(), tiny_gpt2(), tiny_mixtral(),
                                 tiny_qwen2_moe(), tiny_qwen3_moe()}) {
    const auto tensors = model_tensors(model, lora({"all-linear"}));
    std::set<std::string> seen;
    int layer = -1;
    for (const TensorSpec& tensor : tensors) {
      EXPECT_TRUE(seen.insert(tensor.name).second) << tensor.name;
      EXPECT_GE(tensor.layer, layer);
      layer = tensor.layer;
    }
    EXPECT_EQ(seen.contains("lm_head.weight"), !model.tied_head);
  }
}

// Of every model in configs, with adapters and without.
TEST(Tensors, CountsAreTheirSums) {
  int num_models = 0;
  const std::string folder = std::string(ARGOSY_SOURCE_DIR) + "/configs/models";
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    const ModelSpec model = read_model(file.path()).model;
    for (const LoraSpec& adapters : {LoraSpec{}, lora({"all-linear"})}) {
      ParameterCount sum;
      for (const TensorSpec& tensor : model_tensors(model, adapters)) {
        sum.total += tensor.size();
        if (tensor.trainable) sum.trainable += tensor.size();
        if (tensor.layer > model.num_layers) sum.mtp += tensor.size();
        if (tensor.layer < 0) sum.embedding += tensor.size();
        const bool is_idle = tensor.is_expert() && tensor.expert >= model.moe.top_k;
        if (tensor.layer <= model.num_layers && !is_idle) sum.active += tensor.size();
      }
      const ParameterCount count = count_parameters(model, adapters);
      EXPECT_EQ(count.total, sum.total) << file.path();
      EXPECT_EQ(count.active, sum.active) << file.path();
      EXPECT_EQ(count.trainable, sum.trainable) << file.path();
      EXPECT_EQ(count.mtp, sum.mtp) << file.path();
      EXPECT_EQ(count.embedding, sum.embedding) << file.path();
    }
    ++num_models;
  }
  EXPECT_GT(num_models, 20);
}

TEST(Tensors, InitialisationAndDecay) {
  const auto tensors = model_tensors(tiny_gpt2());
  const TensorSpec q = find(tensors, "transformer.h.0.attn.c_attn.q.weight");
  EXPECT_EQ(q.init, Init::normal);
  EXPECT_DOUBLE_EQ(q.init_std, 0.02);
  EXPECT_TRUE(q.decay);
  for (const char* name : {"attn.c_proj", "mlp.c_proj"}) {
    const TensorSpec residual = find(tensors, std::string("transformer.h.0.") + name + ".weight");
    EXPECT_DOUBLE_EQ(residual.init_std, 0.02 / std::sqrt(6.0));  // 2 x 3 layers
  }
  EXPECT_EQ(find(tensors, "transformer.h.0.ln_1.weight").init, Init::ones);
  EXPECT_FALSE(find(tensors, "transformer.h.0.ln_1.weight").decay);
  EXPECT_FALSE(find(tensors, "transformer.h.0.mlp.c_fc.bias").decay);
  EXPECT_TRUE(find(tensors, "transformer.wte.weight").decay);
}

TEST(Lora, FactorsFollowTheirLinearAndTheBaseIsFrozen) {
  const auto tensors = model_tensors(tiny_llama(), lora({"q_proj", "down_proj"}));
  std::map<LoraPart, int> parts;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorSpec& tensor = tensors[i];
    ++parts[tensor.lora];
    EXPECT_EQ(tensor.trainable, tensor.lora != LoraPart::none) << tensor.name;
    if (tensor.lora != LoraPart::none) {
      EXPECT_EQ(tensors[i - 1].role, tensor.role);
    }
  }
  EXPECT_EQ(parts[LoraPart::a], 6);  // two Linears in three layers
  EXPECT_EQ(parts[LoraPart::b], 6);
  const TensorSpec a = find(tensors, "model.layers.0.mlp.down_proj.lora_A.weight");
  EXPECT_EQ(a.rows, 3);
  EXPECT_EQ(a.cols, 12);
  EXPECT_EQ(a.shard, Shard::cols);
  EXPECT_EQ(a.init, Init::kaiming_uniform);
  const TensorSpec b = find(tensors, "model.layers.0.self_attn.q_proj.lora_B.weight");
  EXPECT_EQ(b.rows, 8);
  EXPECT_EQ(b.cols, 3);
  EXPECT_EQ(b.shard, Shard::rows);
  EXPECT_EQ(b.init, Init::zeros);
}

TEST(Lora, AllLinearLeavesRouterNormsEmbeddingAndHeadAlone) {
  const ModelSpec model = tiny_qwen2_moe();
  std::set<TensorRole> adapted;
  for (const TensorSpec& tensor : model_tensors(model, lora({"all-linear"}))) {
    if (tensor.lora == LoraPart::none) continue;
    EXPECT_TRUE(is_lora_target(model, lora({"all-linear"}), tensor.role)) << tensor.name;
    adapted.insert(tensor.role);
  }
  EXPECT_EQ(adapted,
            (std::set<TensorRole>{TensorRole::q, TensorRole::k, TensorRole::v, TensorRole::o,
                                  TensorRole::gate, TensorRole::up, TensorRole::down,
                                  TensorRole::expert_gate, TensorRole::expert_up,
                                  TensorRole::expert_down, TensorRole::shared_gate_proj,
                                  TensorRole::shared_up_proj, TensorRole::shared_down_proj}));
}

TEST(Lora, TargetsMatchAsInPeft) {
  const ModelSpec gpt2 = tiny_gpt2(), mixtral = tiny_mixtral(), qwen = tiny_qwen2_moe();
  for (const TensorRole role : {TensorRole::q, TensorRole::k, TensorRole::v}) {
    EXPECT_TRUE(is_lora_target(gpt2, lora({"c_attn"}), role));
  }
  EXPECT_TRUE(is_lora_target(gpt2, lora({"c_proj"}), TensorRole::o));
  EXPECT_TRUE(is_lora_target(gpt2, lora({"c_proj"}), TensorRole::down));
  EXPECT_TRUE(is_lora_target(gpt2, lora({"attn.c_proj"}), TensorRole::o));
  EXPECT_FALSE(is_lora_target(gpt2, lora({"attn.c_proj"}), TensorRole::down));
  EXPECT_TRUE(is_lora_target(mixtral, lora({"w1"}), TensorRole::expert_gate));
  EXPECT_FALSE(is_lora_target(mixtral, lora({"w1"}), TensorRole::expert_up));
  EXPECT_FALSE(is_lora_target(mixtral, lora({"all-linear"}), TensorRole::gate));  // no dense MLP
  EXPECT_TRUE(is_lora_target(qwen, lora({"gate_proj"}), TensorRole::gate));
  EXPECT_TRUE(is_lora_target(qwen, lora({"gate_proj"}), TensorRole::expert_gate));
  EXPECT_TRUE(is_lora_target(qwen, lora({"gate_proj"}), TensorRole::shared_gate_proj));
  EXPECT_FALSE(is_lora_target(qwen, lora({"all-linear"}, 0), TensorRole::q));
}

TEST(Lora, MistakesNameWhatWouldBeValid) {
  const auto error_of = [](const ModelSpec& model, const LoraSpec& spec) -> std::string {
    try {
      model_tensors(model, spec);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(error_of(tiny_mixtral(), lora({"q_proj", "gate_proj"})),
            "lora: target 'gate_proj' matches no Linear of mixtral; valid: all-linear, q_proj, "
            "k_proj, v_proj, o_proj, w1, w3, w2");
  EXPECT_NE(error_of(tiny_gpt2(), lora({"q_proj"})).find("c_attn, c_proj, c_fc"),
            std::string::npos);
  EXPECT_NE(error_of(tiny_llama(), lora({})).find("no targets"), std::string::npos);
  EXPECT_NE(error_of(tiny_llama(), lora({"q_proj"}, -1)).find("rank=-1"), std::string::npos);
  LoraSpec no_alpha = lora({"q_proj"});
  no_alpha.alpha = 0;
  EXPECT_NE(error_of(tiny_llama(), no_alpha).find("alpha=0"), std::string::npos);
}

}  // namespace
}  // namespace argosy
