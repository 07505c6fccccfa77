// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/model_names.h"

#include <charconv>

#include "planner/spec/check.h"

namespace argosy {

namespace {

// Weight that a bias belongs to; the role itself for everything else.
TensorRole weight_of(TensorRole role) {
  switch (role) {
    case TensorRole::attention_norm_bias:
      return TensorRole::attention_norm;
    case TensorRole::mlp_norm_bias:
      return TensorRole::mlp_norm;
    case TensorRole::final_norm_bias:
      return TensorRole::final_norm;
    case TensorRole::q_bias:
      return TensorRole::q;
    case TensorRole::k_bias:
      return TensorRole::k;
    case TensorRole::v_bias:
      return TensorRole::v;
    case TensorRole::o_bias:
      return TensorRole::o;
    case TensorRole::up_bias:
      return TensorRole::up;
    case TensorRole::down_bias:
      return TensorRole::down;
    case TensorRole::router_bias:
      return TensorRole::router;
    default:
      return role;
  }
}

bool is_outside_layers(TensorRole role) {
  const TensorRole weight = weight_of(role);
  return weight == TensorRole::embedding || weight == TensorRole::position_embedding ||
         weight == TensorRole::final_norm || weight == TensorRole::head;
}

// GPT-2; c_attn holds q, k and v in one matrix there, three tensors here (model.h).
const char* gpt2_path(TensorRole role) {
  switch (role) {
    case TensorRole::embedding:
      return "transformer.wte";
    case TensorRole::position_embedding:
      return "transformer.wpe";
    case TensorRole::attention_norm:
      return "ln_1";
    case TensorRole::mlp_norm:
      return "ln_2";
    case TensorRole::final_norm:
      return "transformer.ln_f";
    case TensorRole::q:
      return "attn.c_attn.q";
    case TensorRole::k:
      return "attn.c_attn.k";
    case TensorRole::v:
      return "attn.c_attn.v";
    case TensorRole::o:
      return "attn.c_proj";
    case TensorRole::up:
      return "mlp.c_fc";
    case TensorRole::down:
      return "mlp.c_proj";
    case TensorRole::head:
      return "lm_head";
    default:
      return nullptr;
  }
}

// Llama and its descendants, without the experts.
const char* llama_path(TensorRole role) {
  switch (role) {
    case TensorRole::embedding:
      return "model.embed_tokens";
    case TensorRole::attention_norm:
      return "input_layernorm";
    case TensorRole::mlp_norm:
      return "post_attention_layernorm";
    case TensorRole::final_norm:
      return "model.norm";
    case TensorRole::q:
      return "self_attn.q_proj";
    case TensorRole::k:
      return "self_attn.k_proj";
    case TensorRole::v:
      return "self_attn.v_proj";
    case TensorRole::q_norm:
      return "self_attn.q_norm";
    case TensorRole::k_norm:
      return "self_attn.k_norm";
    case TensorRole::sinks:
      return "self_attn.sinks";
    case TensorRole::q_a:
      return "self_attn.q_a_proj";
    case TensorRole::q_a_norm:
      return "self_attn.q_a_layernorm";
    case TensorRole::q_b:
      return "self_attn.q_b_proj";
    case TensorRole::kv_a:
      return "self_attn.kv_a_proj_with_mqa";
    case TensorRole::kv_a_norm:
      return "self_attn.kv_a_layernorm";
    case TensorRole::kv_b:
      return "self_attn.kv_b_proj";
    case TensorRole::o:
      return "self_attn.o_proj";
    case TensorRole::gate:
      return "mlp.gate_proj";
    case TensorRole::up:
      return "mlp.up_proj";
    case TensorRole::down:
      return "mlp.down_proj";
    case TensorRole::head:
      return "lm_head";
    case TensorRole::mtp_embedding_norm:
      return "enorm";
    case TensorRole::mtp_hidden_norm:
      return "hnorm";
    case TensorRole::mtp_projection:
      return "eh_proj";
    case TensorRole::mtp_final_norm:
      return "shared_head.norm";
    default:
      return nullptr;
  }
}

// gpt-oss keeps all experts of a layer in one tensor (model.h).
const char* gpt_oss_expert_path(TensorRole role) {
  switch (role) {
    case TensorRole::router:
      return "mlp.router";
    case TensorRole::expert_gate:
      return "mlp.experts.gate_up_proj.{}.gate";
    case TensorRole::expert_up:
      return "mlp.experts.gate_up_proj.{}.up";
    case TensorRole::expert_down:
      return "mlp.experts.down_proj.{}";
    case TensorRole::expert_gate_bias:
      return "mlp.experts.gate_up_proj_bias.{}.gate";
    case TensorRole::expert_up_bias:
      return "mlp.experts.gate_up_proj_bias.{}.up";
    case TensorRole::expert_down_bias:
      return "mlp.experts.down_proj_bias.{}";
    default:
      return nullptr;
  }
}

const char* expert_path(bool mixtral, bool deepseek, TensorRole role) {
  switch (role) {
    case TensorRole::router:
      return mixtral ? "block_sparse_moe.gate" : "mlp.gate";
    case TensorRole::expert_gate:
      return mixtral ? "block_sparse_moe.experts.{}.w1" : "mlp.experts.{}.gate_proj";
    case TensorRole::expert_up:
      return mixtral ? "block_sparse_moe.experts.{}.w3" : "mlp.experts.{}.up_proj";
    case TensorRole::expert_down:
      return mixtral ? "block_sparse_moe.experts.{}.w2" : "mlp.experts.{}.down_proj";
    case TensorRole::shared_gate_proj:
      return deepseek ? "mlp.shared_experts.gate_proj" : "mlp.shared_expert.gate_proj";
    case TensorRole::shared_up_proj:
      return deepseek ? "mlp.shared_experts.up_proj" : "mlp.shared_expert.up_proj";
    case TensorRole::shared_down_proj:
      return deepseek ? "mlp.shared_experts.down_proj" : "mlp.shared_expert.down_proj";
    case TensorRole::shared_expert_gate:
      return "mlp.shared_expert_gate";
    default:
      return nullptr;
  }
}

const char* layers_path(const ModelSpec& model) {
  return model.model_type == "gpt2" ? "transformer.h." : "model.layers.";
}

}  // namespace

bool is_like_deepseek(const std::string& model_type) {
  return model_type == "deepseek_v3" || model_type == "glm4_moe";
}

std::string module_path(const ModelSpec& model, TensorRole role) {
  const TensorRole weight = weight_of(role);
  const char* path = model.model_type == "gpt2" ? gpt2_path(weight) : llama_path(weight);
  if (path == nullptr && model.model_type == "gpt_oss") path = gpt_oss_expert_path(weight);
  if (path == nullptr) {
    path = expert_path(model.model_type == "mixtral", is_like_deepseek(model.model_type), weight);
  }
  CHECK(path != nullptr, "role ", static_cast<int>(role), " of ", model.model_type);
  return path;
}

std::string tensor_name(const ModelSpec& model, TensorRole role, int64_t layer, int64_t expert) {
  std::string path = module_path(model, role);
  if (const size_t hole = path.find("{}"); hole != std::string::npos) {
    path.replace(hole, 2, std::to_string(expert));
  }
  const char* leaf = weight_of(role) == role ? ".weight" : ".bias";
  // Parameters of a module, not modules with a weight of their own.
  if (role == TensorRole::sinks || (expert >= 0 && model.model_type == "gpt_oss")) leaf = "";
  if (is_outside_layers(role)) return path + leaf;
  return concat(layers_path(model), layer, ".", path, leaf);
}

std::vector<TensorCopy> copies_in_modules(const ModelSpec& model) {
  std::vector<TensorCopy> copies;
  if (model.num_mtp_modules == 0) return copies;
  const std::string table = tensor_name(model, TensorRole::embedding, -1, -1);
  const std::string head = model.tied_head ? table : tensor_name(model, TensorRole::head, -1, -1);
  for (int64_t module = 0; module < model.num_mtp_modules; ++module) {
    const std::string layer =
        concat(layers_path(model), model.number_in_names(model.mtp_layer(module)));
    copies.push_back({layer + ".embed_tokens.weight", table});
    copies.push_back({layer + ".shared_head.head.weight", head});
  }
  return copies;
}

std::optional<int64_t> layer_behind_last(const ModelSpec& model, std::string_view name) {
  const std::string_view prefix = layers_path(model);
  if (model.num_mtp_modules > 0 || !is_like_deepseek(model.model_type)) return std::nullopt;
  if (!name.starts_with(prefix)) return std::nullopt;
  int64_t layer = -1;
  std::from_chars(name.data() + prefix.size(), name.data() + name.size(), layer);
  return layer >= model.num_layers ? std::optional(layer) : std::nullopt;
}

std::string router_state_name(const ModelSpec& model, int64_t layer, std::string_view leaf) {
  const std::string gate = tensor_name(model, TensorRole::router, model.number_in_names(layer), -1);
  return concat(gate.substr(0, gate.rfind('.') + 1), leaf);
}

std::vector<TensorRole> adaptable_roles(const ModelSpec& model) {
  std::vector<TensorRole> roles = {TensorRole::q, TensorRole::k, TensorRole::v};
  if (model.has_latent_attention()) {
    roles = {TensorRole::kv_a, TensorRole::kv_b};
    if (model.latent.q_rank == 0) roles.push_back(TensorRole::q);
    if (model.latent.q_rank > 0) roles.insert(roles.end(), {TensorRole::q_a, TensorRole::q_b});
  }
  roles.push_back(TensorRole::o);
  bool has_dense = false;
  for (const bool is_moe : model.layer_is_moe) has_dense = has_dense || !is_moe;
  if (has_dense) {
    if (model.mlp == MlpKind::swiglu) roles.push_back(TensorRole::gate);
    roles.insert(roles.end(), {TensorRole::up, TensorRole::down});
  }
  if (model.has_moe() && model.model_type != "gpt_oss") {  // whose experts are no Linears
    roles.insert(roles.end(),
                 {TensorRole::expert_gate, TensorRole::expert_up, TensorRole::expert_down});
  }
  if (model.has_moe() && model.moe.shared_ffn_size > 0) {
    roles.insert(roles.end(), {TensorRole::shared_gate_proj, TensorRole::shared_up_proj,
                               TensorRole::shared_down_proj});
  }
  return roles;
}

}  // namespace argosy
