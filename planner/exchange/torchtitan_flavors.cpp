// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/torchtitan_flavors.h"

#include <algorithm>
#include <string_view>

#include "planner/spec/check.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

// name, flavor, config, hidden, layers, heads, kv_heads, ffn, vocab, experts, ties_head
constexpr TorchtitanFlavor kFlavors[] = {
    {"llama3", "8B", "llama-3.1-8b", 4096, 32, 32, 8, 14336, 128256, 0, false},
    {"llama3", "70B", "llama-3.1-70b", 8192, 80, 64, 8, 28672, 128256, 0, false},
    {"llama3", "405B", "llama-3.1-405b", 16384, 126, 128, 8, 53248, 128256, 0, false},
    {"llama3", "debugmodel", "", 256, 6, 16, 16, 768, 2048, 0, false},
    {"qwen3", "0.6B", "", 1024, 28, 16, 8, 3072, 151936, 0, true},
    {"qwen3", "1.7B", "", 2048, 28, 16, 8, 6144, 151936, 0, true},
    {"qwen3", "4B", "", 2560, 36, 32, 8, 9728, 151936, 0, true},
    {"qwen3", "8B", "qwen3-8b", 4096, 36, 32, 8, 12288, 151936, 0, false},
    {"qwen3", "14B", "", 5120, 40, 40, 8, 17408, 151936, 0, false},
    {"qwen3", "32B", "", 5120, 64, 64, 8, 25600, 151936, 0, false},
    {"qwen3", "30B-A3B", "qwen3-30b-a3b", 2048, 48, 32, 4, 768, 151936, 128, false},
    {"qwen3", "235B-A22B", "", 4096, 94, 64, 4, 1536, 151936, 128, false},
    {"deepseek_v3", "16B", "", 2048, 27, 16, 16, 1408, 102400, 64, false},
    {"deepseek_v3", "236B", "", 5120, 60, 128, 128, 1536, 102400, 160, false},
    {"deepseek_v3", "671B", "", 7168, 61, 128, 128, 2048, 129280, 256, false},
};

// What DeepSeek's have besides: the same latent attention but for q_rank, dense layers first.
struct DeepSeekFacts {
  std::string_view flavor;
  int64_t q_rank, dense_ffn, dense_layers, shared_experts, top_k, groups, top_groups;
  double scaling;
  bool rescales_weights;
};
constexpr DeepSeekFacts kDeepSeek[] = {{"16B", 0, 10944, 1, 2, 6, 1, 1, 1.0, false},
                                       {"236B", 1536, 12288, 1, 2, 6, 8, 3, 16.0, false},
                                       {"671B", 1536, 18432, 3, 1, 8, 8, 4, 2.5, true}};

bool is_name(const TorchtitanFlavor& flavor, std::string_view name) {
  return flavor.name == name;
}

const DeepSeekFacts& deepseek_facts(const TorchtitanFlavor& flavor) {
  const auto* const found =
      std::find_if(std::begin(kDeepSeek), std::end(kDeepSeek),
                   [&](const DeepSeekFacts& facts) { return facts.flavor == flavor.flavor; });
  CHECK(found != std::end(kDeepSeek), flavor.flavor);
  return *found;
}

bool has_deepseek_shapes(const TorchtitanFlavor& flavor, const ModelSpec& m) {
  const DeepSeekFacts& facts = deepseek_facts(flavor);
  const auto dense = std::count(m.layer_is_moe.begin(), m.layer_is_moe.end(), false);
  return m.latent.q_rank == facts.q_rank && m.latent.kv_rank == 512 && m.latent.nope_dim == 128 &&
         m.latent.rope_dim == 64 && m.latent.value_dim == 128 && dense == facts.dense_layers &&
         m.ffn_size == facts.dense_ffn && m.moe.top_k == facts.top_k &&
         m.moe.shared_ffn_size == facts.shared_experts * flavor.ffn;
}

void add_deepseek(const TorchtitanFlavor& flavor, Json& config) {
  const DeepSeekFacts& facts = deepseek_facts(flavor);
  config["model_type"] = "deepseek_v3";
  config["intermediate_size"] = facts.dense_ffn;
  config["rope_theta"] = 10000.0;
  if (facts.q_rank > 0) config["q_lora_rank"] = facts.q_rank;
  config["kv_lora_rank"] = 512;
  config["qk_nope_head_dim"] = 128;
  config["qk_rope_head_dim"] = 64;
  config["v_head_dim"] = 128;
  config["n_routed_experts"] = flavor.experts;
  config["moe_intermediate_size"] = flavor.ffn;
  config["num_experts_per_tok"] = facts.top_k;
  config["n_shared_experts"] = facts.shared_experts;
  config["first_k_dense_replace"] = facts.dense_layers;
  config["n_group"] = facts.groups;
  config["topk_group"] = facts.top_groups;
  config["routed_scaling_factor"] = facts.scaling;
  config["norm_topk_prob"] = facts.rescales_weights;
}

void add_qwen3(const TorchtitanFlavor& flavor, Json& config) {
  config["model_type"] = flavor.experts > 0 ? "qwen3_moe" : "qwen3";
  config["head_dim"] = 128;
  config["rms_norm_eps"] = 1e-6;
  config["rope_theta"] = flavor.experts > 0 ? 5e6 : 1e6;
  if (flavor.experts == 0) return;
  config["num_experts"] = flavor.experts;
  config["num_experts_per_tok"] = 8;
  config["moe_intermediate_size"] = flavor.ffn;
  config["norm_topk_prob"] = true;
}

}  // namespace

std::span<const TorchtitanFlavor> torchtitan_flavors() {
  return kFlavors;
}

std::string torchtitan_flavor_names() {
  std::string names;
  for (const TorchtitanFlavor& f : kFlavors) {
    append_listed(names, f.name, " ", f.flavor);
  }
  return names;
}

bool has_shapes(const TorchtitanFlavor& f, const ModelSpec& m) {
  const int64_t ffn = m.has_moe() ? m.moe.ffn_size : m.ffn_size;
  const bool is_deepseek = is_name(f, "deepseek_v3");
  const bool is_alike = f.hidden == m.hidden_size && f.layers == m.num_layers &&
                        f.heads == m.num_heads && f.kv_heads == m.num_kv_heads && f.ffn == ffn &&
                        f.vocab == m.vocab_size && f.experts == m.moe.num_experts &&
                        f.ties_head == m.tied_head && is_name(f, "qwen3") == m.qk_norm &&
                        is_deepseek == m.has_latent_attention();
  return is_alike && (!is_deepseek || has_deepseek_shapes(f, m));
}

const TorchtitanFlavor* find_torchtitan_flavor(const ModelSpec& model) {
  const auto* const found =
      std::find_if(std::begin(kFlavors), std::end(kFlavors),
                   [&](const TorchtitanFlavor& flavor) { return has_shapes(flavor, model); });
  return found == std::end(kFlavors) ? nullptr : found;
}

std::string flavor_json(const TorchtitanFlavor& flavor) {
  Json config = {{"model_type", "llama"},
                 {"hidden_size", flavor.hidden},
                 {"num_hidden_layers", flavor.layers},
                 {"num_attention_heads", flavor.heads},
                 {"num_key_value_heads", flavor.kv_heads},
                 {"intermediate_size", flavor.ffn},
                 {"vocab_size", flavor.vocab},
                 {"hidden_act", "silu"},
                 {"max_position_embeddings", 131072},
                 {"rms_norm_eps", 1e-5},
                 {"rope_theta", 5e5},
                 {"tie_word_embeddings", flavor.ties_head}};
  if (is_name(flavor, "qwen3")) add_qwen3(flavor, config);
  if (is_name(flavor, "deepseek_v3")) add_deepseek(flavor, config);
  return config.dump(2);
}

bool has_no_pipeline(const std::string& name) {
  return name == "qwen3";
}

}  // namespace argosy
