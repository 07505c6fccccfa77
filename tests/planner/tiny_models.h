// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Networks small enough to count by hand, one for each kind of block, and plans for them.
#pragma once

#include <string>

#include "planner/spec/plan.h"

namespace argosy {

inline ModelSpec tiny_model(const std::string& name, const std::string& json) {
  return parse_model(json, name, name + ".json").model;
}

// Untied, grouped-query attention: 4 heads of 2, 2 key/value heads.
inline ModelSpec tiny_llama() {
  return tiny_model("tiny-llama", R"({"model_type": "llama", "vocab_size": 13, "hidden_size": 8,
      "intermediate_size": 12, "num_hidden_layers": 3, "num_attention_heads": 4,
      "num_key_value_heads": 2})");
}

// Tied, with biases on q, k, v.
inline ModelSpec tiny_qwen2() {
  return tiny_model("tiny-qwen2", R"({"model_type": "qwen2", "vocab_size": 11, "hidden_size": 8,
      "intermediate_size": 12, "num_hidden_layers": 3, "num_attention_heads": 4,
      "num_key_value_heads": 1, "tie_word_embeddings": true})");
}

inline ModelSpec tiny_gpt2() {
  return tiny_model("tiny-gpt2", R"({"model_type": "gpt2", "vocab_size": 11, "n_positions": 16,
      "n_embd": 8, "n_layer": 3, "n_head": 4})");
}

inline ModelSpec tiny_mixtral() {
  return tiny_model("tiny-mixtral", R"({"model_type": "mixtral", "vocab_size": 13,
      "hidden_size": 8, "intermediate_size": 6, "num_hidden_layers": 3, "num_attention_heads": 4,
      "num_key_value_heads": 2, "num_local_experts": 4, "num_experts_per_tok": 2})");
}

// Dense and sparse layers in turn, a shared expert with its gate.
inline ModelSpec tiny_qwen2_moe() {
  return tiny_model("tiny-qwen2-moe", R"({"model_type": "qwen2_moe", "vocab_size": 13,
      "hidden_size": 8, "intermediate_size": 12, "moe_intermediate_size": 6,
      "shared_expert_intermediate_size": 4, "num_hidden_layers": 3, "num_attention_heads": 4,
      "num_key_value_heads": 4, "num_experts": 4, "num_experts_per_tok": 2,
      "decoder_sparse_step": 2})");
}

// Head size apart from hidden / heads, norms on q and k.
inline ModelSpec tiny_qwen3_moe() {
  return tiny_model("tiny-qwen3-moe", R"({"model_type": "qwen3_moe", "vocab_size": 13,
      "hidden_size": 8, "head_dim": 6, "moe_intermediate_size": 6, "num_hidden_layers": 3,
      "num_attention_heads": 4, "num_key_value_heads": 2, "num_experts": 4,
      "num_experts_per_tok": 2, "norm_topk_prob": true})");
}

// Norms over all heads of a token together.
inline ModelSpec tiny_olmoe() {
  return tiny_model("tiny-olmoe", R"({"model_type": "olmoe", "vocab_size": 13, "hidden_size": 8,
      "intermediate_size": 6, "num_hidden_layers": 3, "num_attention_heads": 4,
      "num_key_value_heads": 2, "num_experts": 4, "num_experts_per_tok": 2})");
}

// Half of each head turns; a dense layer first, shared experts.
inline ModelSpec tiny_glm4_moe() {
  return tiny_model("tiny-glm4-moe", R"({"model_type": "glm4_moe", "vocab_size": 13,
      "hidden_size": 8, "head_dim": 4, "intermediate_size": 12, "moe_intermediate_size": 12,
      "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
      "n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1,
      "first_k_dense_replace": 1, "attention_bias": true})");
}

// With two modules for multi-token prediction.
inline ModelSpec tiny_glm4_moe_mtp() {
  ModelSpec model = tiny_glm4_moe();
  model.num_mtp_modules = 2;
  return model;
}

// A valid plan: two micro-batches for each data-parallel rank, sequence parallelism with tp > 1.
inline Plan tiny_plan(const ModelSpec& model, const Mesh& mesh, int zero_stage = 0,
                      int64_t lora_rank = 0) {
  Plan plan;
  plan.model = model;
  plan.cluster = "local-cpu";
  plan.mesh = mesh;
  plan.zero_stage = zero_stage;
  plan.sequence_parallel = mesh.tp > 1;
  plan.global_batch = 2 * mesh.dp;
  plan.seq_len = 8;
  plan.precision = Precision::fp64;
  plan.layers_per_stage = default_layers_per_stage(model.num_layers, mesh.pp);
  plan.recompute.assign(static_cast<size_t>(model.num_layers), Recompute::none);
  if (lora_rank > 0) {
    plan.task = Task::lora;
    plan.lora.rank = lora_rank;
    plan.lora.targets = {"all-linear"};
  }
  return plan;
}

}  // namespace argosy
