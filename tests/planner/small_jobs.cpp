// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/planner/small_jobs.h"

namespace argosy {

namespace {

std::string config(SmallModel model) {
  switch (model) {
    case SmallModel::llama:
      return R"({"model_type":"llama","vocab_size":1001,"hidden_size":96,"intermediate_size":240,
        "num_hidden_layers":7,"num_attention_heads":12,"num_key_value_heads":4,"hidden_act":"silu",
        "max_position_embeddings":256,"rms_norm_eps":1e-5,"tie_word_embeddings":false})";
    case SmallModel::moe:
      return R"({"model_type":"mixtral","vocab_size":1000,"hidden_size":64,"intermediate_size":128,
        "num_hidden_layers":6,"num_attention_heads":8,"num_key_value_heads":4,"hidden_act":"silu",
        "max_position_embeddings":256,"rms_norm_eps":1e-5,"num_local_experts":8,
        "num_experts_per_tok":2,"tie_word_embeddings":false})";
    case SmallModel::mixed_moe:
      return R"({"model_type":"qwen2_moe","vocab_size":1000,"hidden_size":64,
        "intermediate_size":128,"moe_intermediate_size":48,"shared_expert_intermediate_size":96,
        "num_hidden_layers":6,"num_attention_heads":8,"num_key_value_heads":2,"hidden_act":"silu",
        "max_position_embeddings":256,"rms_norm_eps":1e-6,"num_experts":4,"num_experts_per_tok":2,
        "decoder_sparse_step":2,"norm_topk_prob":false,"mlp_only_layers":[],
        "tie_word_embeddings":false})";
    case SmallModel::tied_gpt2:
      return R"({"model_type":"gpt2","vocab_size":1003,"n_embd":64,"n_layer":5,"n_head":8,
        "n_positions":256,"activation_function":"gelu_new"})";
  }
  return "";
}

}  // namespace

Job small_job(SmallModel model, int64_t num_devices, int64_t global_batch, int64_t usable_bytes) {
  Job job;
  job.model = parse_model(config(model), "small", "small").model;
  ClusterSpec& cluster = job.cluster;
  cluster.name = "small";
  cluster.num_devices = num_devices;
  cluster.devices_per_node = 4;
  cluster.tiers = {{"inner", 4, 2e-6, 10e9, 0.8}, {"outer", 4096, 5e-6, 2e9, 0.9}};
  Accelerator& a = cluster.accelerator;
  a.name = "test";
  a.fp64_flops_per_s = a.fp32_flops_per_s = a.bf16_flops_per_s = 1e12;
  a.memory_bytes = usable_bytes;
  a.memory_bytes_per_s = 100e9;
  a.op_overhead_s = 1e-6;
  a.matmul_efficiency = {{1e6, 0.2}, {1e9, 0.8}};
  a.attention_efficiency = {{1e6, 0.1}, {1e9, 0.5}};
  a.memory_efficiency = {{1e4, 0.3}, {1e7, 0.9}};
  cluster.device_power_w = 400;
  cluster.communication_power_w = 250;
  cluster.idle_power_w = 100;
  cluster.usd_per_device_hour = 2;
  cluster.carbon_kg_per_kwh = 0.4;
  job.seq_len = 64;
  job.global_batch = global_batch;
  job.tokens = 1e9;
  return job;
}

}  // namespace argosy
