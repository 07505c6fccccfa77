// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What must divide what. Each message names the numbers and what would be valid.
#include <algorithm>
#include <numeric>

#include "planner/spec/check.h"
#include "planner/spec/model_lora.h"
#include "planner/spec/plan.h"

namespace argosy {

namespace {

constexpr int64_t kMostOfABatch = INT32_MAX;  // sequences, tokens: their products do not overflow

template <typename... Args>
void require(bool condition, const Args&... message) {
  if (!condition) throw ConfigError(concat("plan: ", message...));
}

// What stands in the way of a degree that must divide a size; "": nothing.
std::string divide_obstacle(const char* degree_name, int64_t degree, const char* size_name,
                            int64_t size) {
  if (size % degree == 0) return "";
  return concat(degree_name, "=", degree, " does not divide ", size_name, "=", size);
}

// "1, 2, 4": the degrees up to `most` that nothing stands in the way of.
template <typename ObstacleOf>
std::string degrees_without(const ObstacleOf& obstacle_of, int64_t most) {
  std::string list;
  for (int64_t degree = 1; degree <= most; ++degree) {
    if (obstacle_of(degree).empty()) append_listed(list, degree);
  }
  return list;
}

// `obstacle_of` has all rules of the degree, so that what is called valid passes each of them.
template <typename ObstacleOf>
void require_degree(const char* name, int64_t degree, int64_t most, const ObstacleOf& obstacle_of,
                    const char* or_else = "") {
  const std::string obstacle = obstacle_of(degree);
  if (obstacle.empty()) return;
  throw ConfigError(concat("plan: ", obstacle, "; valid ", name, ": ",
                           degrees_without(obstacle_of, most), or_else));
}

void require_divides(const char* degree_name, int64_t degree, const char* size_name, int64_t size) {
  require_degree(degree_name, degree, size,
                 [&](int64_t d) { return divide_obstacle(degree_name, d, size_name, size); });
}

void require_supported(const Plan& plan) {
  require(plan.zero_stage >= 0 && plan.zero_stage <= 3, "zero_stage=", plan.zero_stage,
          "; valid: 0, 1, 2, 3");
  require(plan.zero_stage <= 1 || !splits_backward(plan.schedule), "zero_stage=", plan.zero_stage,
          " with schedule=", to_string(plan.schedule),
          " is not supported: a split backward pass would keep the gradients of a whole stage "
          "until their second half; valid: zero_stage=0 or 1, or another schedule");
  require(plan.mesh.zero_shard == 0 || plan.zero_stage >= 1, "zero_shard=", plan.mesh.zero_shard,
          " with zero_stage=0 shards nothing; valid: ", "zero_stage=1, 2 or 3, or zero_shard=0");
}

// Heads, the MLP's width and the vocabulary, which tp cuts.
std::string tp_obstacle(const ModelSpec& model, int64_t tp) {
  std::string heads = divide_obstacle("tp", tp, "num_attention_heads", model.num_heads);
  if (!heads.empty()) return heads;
  const int64_t kv_heads = model.num_kv_heads;
  if (kv_heads % tp != 0 && tp % kv_heads != 0) {
    return concat("tp=", tp, " and num_key_value_heads=", kv_heads, ": one must divide the other");
  }
  if (model.vocab_size < tp) {
    return concat("tp=", tp, " exceeds vocab_size=", model.vocab_size);
  }
  const auto& is_moe = model.layer_is_moe;
  if (std::find(is_moe.begin(), is_moe.end(), false) != is_moe.end()) {
    std::string width = divide_obstacle("tp", tp, "intermediate_size", model.ffn_size);
    if (!width.empty()) return width;
  }
  if (model.moe.shared_ffn_size == 0) return "";
  return divide_obstacle("tp", tp, "shared_expert_intermediate_size", model.moe.shared_ffn_size);
}

void require_model_fits_mesh(const Plan& plan) {
  const ModelSpec& model = plan.model;
  const int64_t tp = plan.mesh.tp;
  require_degree("tp", tp, model.num_heads,
                 [&model](int64_t degree) { return tp_obstacle(model, degree); });
  require(plan.moe_capacity_factor >= 0, "moe_capacity_factor=", plan.moe_capacity_factor,
          "; valid: 0 (dropless) or more");
  if (!model.has_moe()) {
    require(plan.moe_capacity_factor == 0, "moe_capacity_factor=", plan.moe_capacity_factor,
            ", but ", model.name, " has no experts; valid: 0");
    require(plan.mesh.ep == 1, "ep=", plan.mesh.ep, ", but ", model.name,
            " has no experts; valid: 1");
    require(plan.mesh.etp == 1, "etp=", plan.mesh.etp, ", but ", model.name,
            " has no experts; valid: 1");
    return;
  }
  require_divides("ep", plan.mesh.ep, "the number of experts", model.moe.num_experts);
  require_divides("etp", plan.mesh.etp, "the expert's intermediate size", model.moe.ffn_size);
  require(tp == 1 || plan.sequence_parallel, "tp=", tp,
          " with experts needs sequence_parallel=1, or every tensor-parallel rank would route the "
          "same tokens; valid: sequence_parallel=1 or tp=1");
}

void require_batch(const Plan& plan) {
  const auto positive = [](const char* name, int64_t value) {
    require(value >= 1, name, "=", value, "; valid: at least 1");
    require(value <= kMostOfABatch, name, "=", value, "; valid: at most ", kMostOfABatch);
  };
  positive("micro_batch", plan.micro_batch);
  positive("global_batch", plan.global_batch);
  positive("seq_len", plan.seq_len);
  const int64_t unit = plan.mesh.dp * plan.micro_batch;
  require(plan.global_batch % unit == 0, "global_batch=", plan.global_batch,
          " is not a multiple of dp*micro_batch=", plan.mesh.dp, "*", plan.micro_batch, "=", unit,
          "; valid: multiples of ", unit);
  if (plan.sequence_parallel) {
    const int64_t tokens = plan.tokens_per_microbatch();
    require(tokens % plan.mesh.tp == 0, "sequence_parallel: tp=", plan.mesh.tp,
            " does not divide the ", tokens,
            " tokens of a micro-batch (micro_batch=", plan.micro_batch, " x seq_len=", plan.seq_len,
            "); valid: a multiple of ", plan.mesh.tp, " tokens or sequence_parallel=0");
  }
  if (plan.model.position == PositionKind::learned) {
    require(plan.seq_len <= plan.model.max_positions, "seq_len=", plan.seq_len, " exceeds the ",
            plan.model.max_positions, " learned positions of ", plan.model.name,
            "; valid: at most ", plan.model.max_positions);
  }
}

void require_virtual_stages(const Plan& plan) {
  const int64_t count = plan.virtual_stages;
  const std::string given =
      concat("schedule=", to_string(plan.schedule), " with virtual_stages=", count);
  switch (plan.schedule) {
    case ScheduleKind::gpipe:
    case ScheduleKind::one_f_one_b:
    case ScheduleKind::zb_h1:
      require(count == 1, given, "; valid: 1, or schedule=interleaved");
      return;
    case ScheduleKind::interleaved:
      require(count >= 1, given, "; valid: at least 1");
      return;
    case ScheduleKind::zb_v:
      require(count == 2, given, "; valid: 2, one going down the ranks and one coming back");
      return;
  }
}

// Zig-zag deals 2*cp chunks; an exchange of heads deals key/value heads.
void require_context_parallel(const Plan& plan) {
  const int64_t cp = plan.mesh.cp;
  if (cp == 1) return;
  if (plan.cp_kind == ContextParallel::ring) {
    require(plan.seq_len % (2 * cp) == 0, "cp=", cp, ": 2*cp=", 2 * cp,
            " does not divide seq_len=", plan.seq_len, "; valid seq_len: multiples of ", 2 * cp);
    const int64_t window = plan.model.sliding_window;
    require(window == 0 || window >= plan.seq_len, "cp=", cp,
            " with cp_kind=ring and the window of ", window, " tokens of ", plan.model.name,
            " at seq_len=", plan.seq_len,
            " is not supported; valid: cp_kind=ulysses, cp=1 or seq_len up to ", window);
    return;
  }
  const int64_t tp = plan.mesh.tp;
  const int64_t kv_heads = std::max<int64_t>(1, plan.model.num_kv_heads / tp);
  const auto obstacle_of = [&](int64_t degree) {
    std::string tokens = divide_obstacle("cp", degree, "seq_len", plan.seq_len);
    if (!tokens.empty() || kv_heads % degree == 0) return tokens;
    return concat("cp=", degree, " with cp_kind=ulysses deals out the ", kv_heads,
                  " key/value heads of a rank (num_key_value_heads=", plan.model.num_kv_heads,
                  ", tp=", tp, ")");
  };
  require_degree("cp", cp, kv_heads, obstacle_of, "; or cp_kind=ring");
}

void require_stages(const Plan& plan) {
  const std::vector<int64_t>& layers = plan.layers_per_stage;
  require(static_cast<int64_t>(layers.size()) == plan.num_stages(), "layers_per_stage has ",
          layers.size(), " entries; valid: pp*virtual_stages=", plan.mesh.pp, "*",
          plan.virtual_stages, "=", plan.num_stages());
  for (size_t stage = 0; stage < layers.size(); ++stage) {
    require(layers[stage] >= 1, "layers_per_stage[", stage, "]=", layers[stage],
            "; valid: at least 1 layer in each stage");
  }
  const int64_t sum = std::accumulate(layers.begin(), layers.end(), int64_t{0});
  require(sum == plan.model.num_layers, "layers_per_stage sums up to ", sum,
          "; valid: num_hidden_layers=", plan.model.num_layers);
  require(static_cast<int64_t>(plan.recompute.size()) == plan.model.num_layers, "recompute has ",
          plan.recompute.size(), " entries; valid: num_hidden_layers=", plan.model.num_layers);
}

void require_task(const Plan& plan) {
  validate_lora(plan.model, plan.lora);
  require(plan.task == Task::lora || plan.lora.rank == 0, "task=", to_string(plan.task),
          " with lora rank=", plan.lora.rank, "; valid: rank 0, or task=lora");
  require(plan.task != Task::lora || plan.lora.rank >= 1,
          "task=lora with lora rank=", plan.lora.rank, "; valid: at least 1");
  const bool is_quantized = plan.lora.base_bits != kUnquantizedBits;
  require(!is_quantized || plan.task == Task::lora, "base_bits=", plan.lora.base_bits,
          " with task=", to_string(plan.task), "; valid: 16, or task=lora");
  require(!is_quantized || plan.precision != Precision::fp8, "base_bits=", plan.lora.base_bits,
          " with precision=", to_string(plan.precision), "; valid: precision=bf16, fp32 or fp64");
}

}  // namespace

void validate(const Plan& plan) {
  validate(plan.mesh);
  require_supported(plan);
  require_model_fits_mesh(plan);
  require_batch(plan);
  require_virtual_stages(plan);
  require_context_parallel(plan);
  require_stages(plan);
  require_task(plan);
}

}  // namespace argosy
