// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/end_to_end/layouts.h"

#include <array>
#include <stdexcept>
#include <string>

#include "planner/spec/check.h"
#include "planner/spec/model.h"
#include "trainer/verify.h"

namespace argosy {

namespace {

constexpr int64_t kGlobalBatch = 12, kSeqLen = 8;
constexpr auto kGpipe = ScheduleKind::gpipe;
constexpr auto k1f1b = ScheduleKind::one_f_one_b;
constexpr auto kInterleaved = ScheduleKind::interleaved;
constexpr auto kNone = Recompute::none;
constexpr auto kSelective = Recompute::selective;
constexpr auto kZbH1 = ScheduleKind::zb_h1;
constexpr auto kZbV = ScheduleKind::zb_v;
constexpr auto kFull = Recompute::full;
constexpr auto kSgd = OptimizerKind::sgd;
constexpr auto kUlysses = ContextParallel::ulysses;

const char* config_of(TinyModel model) {
  switch (model) {
    case TinyModel::llama:
      return R"({"model_type": "llama", "vocab_size": 61, "hidden_size": 12, "intermediate_size": 20,
          "num_hidden_layers": 5, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6,
          "max_position_embeddings": 32, "initializer_range": 0.2})";
    case TinyModel::qwen2_tied:
      return R"({"model_type": "qwen2", "vocab_size": 59, "hidden_size": 24, "intermediate_size": 28,
          "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": true,
          "max_position_embeddings": 32, "initializer_range": 0.2})";
    case TinyModel::qwen3:
      return R"({"model_type": "qwen3", "vocab_size": 61, "hidden_size": 12, "intermediate_size": 20,
          "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 6,
          "max_position_embeddings": 32, "initializer_range": 0.2})";
    case TinyModel::qwen3_moe:
      return R"({"model_type": "qwen3_moe", "vocab_size": 61, "hidden_size": 12, "intermediate_size": 20,
          "moe_intermediate_size": 10, "num_hidden_layers": 2, "num_attention_heads": 4,
          "num_key_value_heads": 2, "head_dim": 6, "num_experts": 4, "num_experts_per_tok": 2,
          "norm_topk_prob": true, "decoder_sparse_step": 1, "mlp_only_layers": [],
          "router_aux_loss_coef": 0.05, "max_position_embeddings": 32, "initializer_range": 0.2})";
    case TinyModel::gpt2:
      return R"({"model_type": "gpt2", "vocab_size": 61, "n_embd": 12, "n_head": 4, "n_layer": 3, "n_positions": 16,
          "initializer_range": 0.2})";
    case TinyModel::mixtral:
      return R"({"model_type": "mixtral", "vocab_size": 61, "hidden_size": 12, "intermediate_size": 28,
          "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6,
          "num_local_experts": 4, "num_experts_per_tok": 2, "router_aux_loss_coef": 0.05,
          "router_z_loss_coef": 0.01, "max_position_embeddings": 32, "initializer_range": 0.2})";
    case TinyModel::qwen2_moe:
    case TinyModel::ungated_moe:
      return R"({"model_type": "qwen2_moe", "vocab_size": 61, "hidden_size": 24, "intermediate_size": 20,
          "moe_intermediate_size": 10, "shared_expert_intermediate_size": 8, "num_hidden_layers": 3,
          "num_attention_heads": 4, "num_key_value_heads": 2, "num_experts": 8, "num_experts_per_tok": 3,
          "norm_topk_prob": false, "decoder_sparse_step": 1, "mlp_only_layers": [1],
          "router_aux_loss_coef": 0.05, "max_position_embeddings": 32, "initializer_range": 0.2})";
    case TinyModel::sigmoid_moe:
      return R"({"model_type": "mixtral", "vocab_size": 61, "hidden_size": 12, "intermediate_size": 12,
          "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6,
          "num_local_experts": 6, "num_experts_per_tok": 2, "router_aux_loss_coef": 0.05,
          "scoring_func": "sigmoid", "n_group": 3, "topk_group": 2, "routed_scaling_factor": 2.5,
          "max_position_embeddings": 32, "initializer_range": 0.2})";
    case TinyModel::two_experts:
      return R"({"model_type": "mixtral", "vocab_size": 61, "hidden_size": 12, "intermediate_size": 12,
          "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6,
          "num_local_experts": 2, "num_experts_per_tok": 1, "router_aux_loss_coef": 0.05,
          "scoring_func": "sigmoid", "norm_topk_prob": false, "max_position_embeddings": 32,
          "initializer_range": 0.2})";
    case TinyModel::five_experts:
      return R"({"model_type": "mixtral", "vocab_size": 61, "hidden_size": 12, "intermediate_size": 12,
          "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6,
          "num_local_experts": 5, "num_experts_per_tok": 1, "router_aux_loss_coef": 0.05,
          "max_position_embeddings": 32, "initializer_range": 0.2})";
    case TinyModel::group_moe:
      return R"({"model_type": "qwen2_moe", "vocab_size": 61, "hidden_size": 24, "intermediate_size": 20,
          "moe_intermediate_size": 12, "shared_expert_intermediate_size": 8, "num_hidden_layers": 3,
          "num_attention_heads": 4, "num_key_value_heads": 2, "num_experts": 12, "num_experts_per_tok": 3,
          "norm_topk_prob": true, "decoder_sparse_step": 1, "mlp_only_layers": [1], "n_group": 4,
          "topk_group": 2, "routed_scaling_factor": 1.5, "router_aux_loss_coef": 0.05,
          "max_position_embeddings": 32, "initializer_range": 0.2})";
  }
  return "";
}

// The tiny model with another number of layers.
std::string config_of(TinyModel model, int64_t num_layers) {
  std::string config = config_of(model);
  if (num_layers == 0) return config;
  const std::string key = model == TinyModel::gpt2 ? "\"n_layer\": " : "\"num_hidden_layers\": ";
  const size_t begin = config.find(key) + key.size();
  CHECK(begin >= key.size(), key, " is missing");
  return config.replace(begin, config.find(',', begin) - begin, std::to_string(num_layers));
}

Layout global_aux_loss(Layout layout) {
  layout.aux_loss_scope = AuxLossScope::global;
  return layout;
}

Layout bias_rate(double rate, Layout layout) {
  layout.router_bias_rate = rate;
  return layout;
}

Layout capacity(double factor, Layout layout) {
  layout.moe_capacity_factor = factor;
  return layout;
}

}  // namespace

const std::vector<Layout>& layouts() {
  using M = TinyModel;
  static const std::vector<Layout> table = {
      // dense, data parallel
      {"accumulate", M::llama, {}, 0, 1},
      {"accumulate_recompute", M::llama, {}, 0, 3, k1f1b, kFull},
      {"gpt2_one_rank", M::gpt2, {}, 0, 4},
      {"dp2", M::llama, {.dp = 2}, 0, 2},
      {"dp3_zero1", M::llama, {.dp = 3}, 1, 2},
      {"dp4_zero1_gpt2", M::gpt2, {.dp = 4}, 1, 1},
      {"dp2_zero1_adamw",
       M::qwen2_tied,
       {.dp = 2},
       1,
       3,
       k1f1b,
       kFull,
       0,
       true,
       OptimizerKind::adamw},
      // tensor parallel, with and without sequence parallelism; kv heads copied when tp > kv heads
      {"tp2", M::llama, {.tp = 2}, 0, 2, k1f1b, Recompute::none, 0, false},
      {"tp2_sp", M::llama, {.tp = 2}, 0, 3},
      {"tp4_sp_kv_copies", M::llama, {.tp = 4}, 0, 1},
      {"tp4_kv_copies", M::llama, {.tp = 4}, 0, 2, k1f1b, Recompute::none, 0, false},
      {"tp2_sp_qwen3_kv_copies", M::qwen3, {.tp = 2}, 0, 2},
      {"tp4_qwen3", M::qwen3, {.tp = 4}, 0, 2, k1f1b, kFull, 0, false},
      {"tp2_gpt2", M::gpt2, {.tp = 2}, 0, 2, k1f1b, Recompute::none, 0, false},
      {"tp2_sp_gpt2", M::gpt2, {.tp = 2}, 0, 2, k1f1b, kFull},
      {"tp2_sp_qwen2_bias", M::qwen2_tied, {.tp = 2}, 0, 2},
      {"tp2_sp_dp2_zero1", M::llama, {.tp = 2, .dp = 2}, 1, 2},
      {"tp4_sp_dp2_zero1_kv_copies", M::llama, {.tp = 4, .dp = 2}, 1, 1},
      // pipeline: both schedules, micro-batches that are no multiple of the stages
      {"pp2_gpipe", M::llama, {.pp = 2}, 0, 4, kGpipe},
      {"pp2_1f1b", M::llama, {.pp = 2}, 0, 4},
      {"pp3_1f1b_fewer_microbatches", M::llama, {.pp = 3}, 0, 6},
      {"pp4_gpipe_recompute", M::llama, {.pp = 4}, 0, 4, kGpipe, kFull},
      {"pp5_1f1b", M::llama, {.pp = 5}, 0, 2},
      {.name = "pp7_1f1b", .mesh = {.pp = 7}, .micro_batch = 2, .num_layers = 7},
      {"pp2_tied", M::qwen2_tied, {.pp = 2}, 0, 4},
      {"pp3_tied_dp2_zero1", M::qwen2_tied, {.pp = 3, .dp = 2}, 1, 2},
      {"pp2_tp2_sp_tied_zero1", M::qwen2_tied, {.tp = 2, .pp = 2, .dp = 2}, 1, 3},
      {"pp2_tp2_dp2_gpt2", M::gpt2, {.tp = 2, .pp = 2, .dp = 2}, 1, 2, kGpipe, kFull},
      // mixture of experts
      {"moe_accumulate", M::mixtral, {}, 0, 1},
      {"moe_recompute", M::mixtral, {}, 0, 2, k1f1b, kFull},
      {"moe_dp2", M::mixtral, {.dp = 2}, 0, 2},
      {"moe_dp2_ep2", M::mixtral, {.dp = 2, .ep = 2}, 0, 2},
      {"moe_dp4_ep2_zero1", M::mixtral, {.dp = 4, .ep = 2}, 1, 1},
      {"moe_dp4_ep4_zero1", M::mixtral, {.dp = 4, .ep = 4}, 1, 3},
      {"moe_tp2_sp", M::mixtral, {.tp = 2}, 0, 2},
      {"moe_tp2_sp_one_sequence", M::mixtral, {.tp = 2}, 0, 1},  // on both ranks
      {"moe_tp2_sp_ep2", M::mixtral, {.tp = 2, .ep = 2}, 0, 2},
      {"moe_tp2_sp_dp2_ep4_zero1", M::mixtral, {.tp = 2, .dp = 2, .ep = 4}, 1, 2},
      {"moe_pp3_dp2_ep2", M::mixtral, {.pp = 3, .dp = 2, .ep = 2}, 0, 2, kGpipe},
      {"moe_pp2_tp2_dp2_ep2_zero1",
       M::mixtral,
       {.tp = 2, .pp = 2, .dp = 2, .ep = 2},
       1,
       2,
       k1f1b,
       kFull},
      {"shared_one_rank", M::qwen2_moe, {}, 0, 3},
      {"shared_tp2_sp_ep2", M::qwen2_moe, {.tp = 2, .ep = 2}, 0, 2, k1f1b, kFull},
      {"shared_dp4_ep2_zero1", M::qwen2_moe, {.dp = 4, .ep = 2}, 1, 1},
      {"shared_pp2_tp2_dp2_ep4", M::qwen2_moe, {.tp = 2, .pp = 2, .dp = 2, .ep = 4}, 1, 1},
      // experts cut by width, alone and under the other axes
      {"moe_dp2_etp2", M::mixtral, {.dp = 2, .etp = 2}, 0, 2},
      {"moe_tp2_sp_etp2", M::mixtral, {.tp = 2, .etp = 2}, 0, 2, k1f1b, kFull},
      {"moe_dp4_etp4_zero1", M::mixtral, {.dp = 4, .etp = 4}, 1, 3},
      {"moe_dp4_ep2_etp2_zero1", M::mixtral, {.dp = 4, .ep = 2, .etp = 2}, 1, 1},
      {"moe_tp4_sp_etp4", M::mixtral, {.tp = 4, .etp = 4}, 0, 2},
      {"moe_tp4_sp_ep2_etp2", M::mixtral, {.tp = 4, .ep = 2, .etp = 2}, 0, 1},
      {"moe_tp2_sp_dp2_ep2_etp2", M::mixtral, {.tp = 2, .dp = 2, .ep = 2, .etp = 2}, 0, 3},
      {"moe_tp4_sp_dp2_etp2_zero1", M::mixtral, {.tp = 4, .dp = 2, .etp = 2}, 1, 2},
      {"moe_tp2_sp_dp4_ep2_etp4_zero1", M::mixtral, {.tp = 2, .dp = 4, .ep = 2, .etp = 4}, 1, 1},
      {"moe_pp2_tp2_dp2_ep2_etp2_zero1",
       M::mixtral,
       {.tp = 2, .pp = 2, .dp = 2, .ep = 2, .etp = 2},
       1,
       2,
       kGpipe,
       kFull},
      {"shared_tp2_sp_etp2", M::qwen2_moe, {.tp = 2, .etp = 2}, 0, 2},
      {"shared_pp3_dp2_etp2", M::qwen2_moe, {.pp = 3, .dp = 2, .etp = 2}, 1, 2, k1f1b, kFull},
      {"lora_moe_tp2_sp_etp2", M::mixtral, {.tp = 2, .etp = 2}, 0, 2, k1f1b, kFull, 2},
      {"lora_moe_dp4_etp2_zero1", M::mixtral, {.dp = 4, .etp = 2}, 1, 1, k1f1b, Recompute::none, 2},
      {"lora_shared_tp2_dp2_ep2_etp2_zero1",
       M::qwen2_moe,
       {.tp = 2, .dp = 2, .ep = 2, .etp = 2},
       1,
       1,
       k1f1b,
       Recompute::none,
       3},
      // other routers: sigmoid scores with a balancing bias, groups, the global auxiliary loss
      {"sigmoid_one_rank_full", M::sigmoid_moe, {}, 0, 3, k1f1b, kFull},
      {"sigmoid_dp2_ep2", M::sigmoid_moe, {.dp = 2, .ep = 2}, 0, 2},
      {"sigmoid_dp3_ep3_zero1", M::sigmoid_moe, {.dp = 3, .ep = 3}, 1, 1},
      {"sigmoid_dp6_ep6_zero1", M::sigmoid_moe, {.dp = 6, .ep = 6}, 1, 2},
      {"sigmoid_dp6_ep3_etp2", M::sigmoid_moe, {.dp = 6, .ep = 3, .etp = 2}, 0, 1},
      {"sigmoid_tp2_sp_ep2", M::sigmoid_moe, {.tp = 2, .ep = 2}, 0, 2, k1f1b, kFull},
      {"sigmoid_tp2_sp_dp2_etp4_zero1", M::sigmoid_moe, {.tp = 2, .dp = 2, .etp = 4}, 1, 3},
      {"sigmoid_pp3_dp2_ep2", M::sigmoid_moe, {.pp = 3, .dp = 2, .ep = 2}, 0, 1},
      {"sigmoid_pp2_tp2_dp2_ep2_etp2_zero1",
       M::sigmoid_moe,
       {.tp = 2, .pp = 2, .dp = 2, .ep = 2, .etp = 2},
       1,
       2,
       kGpipe,
       kFull},
      {"groups_one_rank", M::group_moe, {}, 0, 2},
      {"groups_dp4_ep4_zero1", M::group_moe, {.dp = 4, .ep = 4}, 1, 1},
      {"groups_tp2_sp_dp2_ep2_etp2", M::group_moe, {.tp = 2, .dp = 2, .ep = 2, .etp = 2}, 0, 2},
      {"groups_pp2_tp2_sp_ep2_recompute",
       M::group_moe,
       {.tp = 2, .pp = 2, .ep = 2},
       0,
       2,
       k1f1b,
       kFull},
      {"ungated_one_rank", M::ungated_moe, {}, 0, 2},
      {"ungated_tp2_sp_dp2_ep2_recompute",
       M::ungated_moe,
       {.tp = 2, .dp = 2, .ep = 2},
       0,
       2,
       k1f1b,
       kFull},
      global_aux_loss({"global_dp2", M::mixtral, {.dp = 2}, 0, 2}),
      global_aux_loss(
          {"global_dp4_ep2_etp2_zero1", M::mixtral, {.dp = 4, .ep = 2, .etp = 2}, 1, 1}),
      global_aux_loss({"global_tp2_sp_dp2_ep4", M::qwen2_moe, {.tp = 2, .dp = 2, .ep = 4}, 0, 2}),
      global_aux_loss(
          {"global_pp3_dp2_ep2_sigmoid", M::sigmoid_moe, {.pp = 3, .dp = 2, .ep = 2}, 1, 2}),
      {"lora_sigmoid_tp2_sp_ep2", M::sigmoid_moe, {.tp = 2, .ep = 2}, 0, 2, k1f1b, kFull, 2},
      {"lora_groups_dp4_ep2_etp2_zero1",
       M::group_moe,
       {.dp = 4, .ep = 2, .etp = 2},
       1,
       1,
       k1f1b,
       Recompute::none,
       3},
      // experts without tokens: all tokens go to one expert in the second step, or a rank has
      // fewer tokens than there are experts
      bias_rate(10, {"all_to_one_dp2_ep2", M::two_experts, {.dp = 2, .ep = 2}, 0, 2}),
      bias_rate(10, {"all_to_one_tp2_sp_dp2_ep2_etp2_zero1",
                     M::two_experts,
                     {.tp = 2, .dp = 2, .ep = 2, .etp = 2},
                     1,
                     1,
                     k1f1b,
                     kFull}),
      {"idle_experts_tp4_sp", M::five_experts, {.tp = 4}, 0, 1},
      {"idle_experts_dp6_etp3_zero1", M::five_experts, {.dp = 6, .etp = 3}, 1, 1},
      {"idle_experts_tp2_sp_cp2_etp4", M::five_experts, {.tp = 2, .cp = 2, .etp = 4}, 0, 1},
      // context parallelism
      {"cp2_moe_etp2", M::mixtral, {.cp = 2, .etp = 2}, 0, 2},
      {"cp2_sigmoid_tp2_sp_ep2_etp2", M::sigmoid_moe, {.tp = 2, .cp = 2, .ep = 2, .etp = 2}, 1, 2},
      capacity(0.75, {"cp2_capacity_dp2_ep4_zero1", M::mixtral, {.dp = 2, .cp = 2, .ep = 4}, 1, 3}),
      capacity(1.0, {"cp2_capacity_tp2_sp_ep2", M::mixtral, {.tp = 2, .cp = 2, .ep = 2}, 0, 1}),
      global_aux_loss(
          {"cp2_global_groups_tp2_sp_ep4", M::group_moe, {.tp = 2, .cp = 2, .ep = 4}, 0, 2}),
      // experts with a capacity
      capacity(1.0, {"capacity_one_rank", M::mixtral, {}, 0, 2}),
      capacity(1.0, {"capacity_dp2_ep2", M::mixtral, {.dp = 2, .ep = 2}, 0, 3}),
      capacity(0.5, {"capacity_tp2_sp_ep2", M::mixtral, {.tp = 2, .ep = 2}, 0, 1, k1f1b, kFull}),
      capacity(0.75, {"capacity_tp4_sp_ep2_etp2", M::mixtral, {.tp = 4, .ep = 2, .etp = 2}, 0, 3}),
      capacity(1.25,
               {"capacity_dp4_ep2_etp2_zero1", M::mixtral, {.dp = 4, .ep = 2, .etp = 2}, 1, 1}),
      capacity(1.0, {"capacity_shared_pp2_tp2_dp2_ep4",
                     M::qwen2_moe,
                     {.tp = 2, .pp = 2, .dp = 2, .ep = 4},
                     1,
                     2}),
      capacity(
          1.0,
          {"capacity_sigmoid_tp2_sp_dp3_ep6", M::sigmoid_moe, {.tp = 2, .dp = 3, .ep = 6}, 0, 2}),
      capacity(0.5,
               {"capacity_groups_pp3_dp2_etp2", M::group_moe, {.pp = 3, .dp = 2, .etp = 2}, 0, 3}),
      capacity(0.75,
               {"capacity_lora_tp2_sp_ep2", M::mixtral, {.tp = 2, .ep = 2}, 0, 2, k1f1b, kFull, 2}),
      // LoRA, B nonzero from the start
      {"lora_accumulate", M::llama, {}, 0, 2, k1f1b, Recompute::none, 3},
      {"lora_tp2_sp", M::llama, {.tp = 2}, 0, 2, k1f1b, Recompute::none, 3},
      {"lora_tp4_kv_copies", M::llama, {.tp = 4}, 0, 2, k1f1b, Recompute::none, 3, false},
      {"lora_tp4_sp_dp2_zero1_kv_copies", M::llama, {.tp = 4, .dp = 2}, 1, 2, k1f1b, kFull, 2},
      {"lora_pp2_dp2_zero1", M::gpt2, {.pp = 2, .dp = 2}, 1, 2, k1f1b, Recompute::none, 2},
      {"lora_pp2_tied", M::qwen2_tied, {.pp = 2}, 0, 3, kGpipe, kFull, 2},
      {"lora_moe_tp2_sp_ep2", M::mixtral, {.tp = 2, .ep = 2}, 0, 2, k1f1b, Recompute::none, 2},
      {"lora_moe_dp4_ep2_zero1", M::mixtral, {.dp = 4, .ep = 2}, 1, 1, k1f1b, kFull, 2},
      {"lora_shared_pp2_tp2_ep2",
       M::qwen2_moe,
       {.tp = 2, .pp = 2, .ep = 2},
       0,
       2,
       k1f1b,
       Recompute::none,
       2},
      // interleaved pipeline: micro-batches that are a multiple of the stages, are not, are fewer
      {.name = "il_pp2_v2", .mesh = {.pp = 2}, .schedule = kInterleaved, .virtual_stages = 2},
      {.name = "il_one_rank_v3", .micro_batch = 4, .schedule = kInterleaved, .virtual_stages = 3},
      {.name = "il_pp2_v2_odd_microbatches",
       .mesh = {.pp = 2},
       .micro_batch = 4,
       .schedule = kInterleaved,
       .recompute = kFull,
       .virtual_stages = 2},
      {.name = "il_pp4_v2_fewer_microbatches",
       .mesh = {.pp = 4},
       .micro_batch = 4,
       .schedule = kInterleaved,
       .virtual_stages = 2,
       .num_layers = 8},
      {.name = "il_pp2_v3_uneven_layers",
       .mesh = {.pp = 2},
       .micro_batch = 2,
       .schedule = kInterleaved,
       .virtual_stages = 3,
       .num_layers = 9,
       .layers_per_stage = {2, 1, 3, 1, 1, 1}},
      {.name = "il_pp3_v2_tied",
       .model = M::qwen2_tied,
       .mesh = {.pp = 3},
       .micro_batch = 3,
       .schedule = kInterleaved,
       .virtual_stages = 2,
       .num_layers = 6},
      {.name = "il_pp2_v2_tied_dp2_zero1",
       .model = M::qwen2_tied,
       .mesh = {.pp = 2, .dp = 2},
       .zero_stage = 1,
       .micro_batch = 2,
       .schedule = kInterleaved,
       .optimizer = OptimizerKind::adamw,
       .virtual_stages = 2,
       .num_layers = 4},
      {.name = "il_pp2_v2_tp2_sp_dp2_zero1",
       .mesh = {.tp = 2, .pp = 2, .dp = 2},
       .zero_stage = 1,
       .micro_batch = 2,
       .schedule = kInterleaved,
       .virtual_stages = 2},
      {.name = "il_pp2_v2_gpt2_tp2",
       .model = M::gpt2,
       .mesh = {.tp = 2, .pp = 2},
       .micro_batch = 2,
       .schedule = kInterleaved,
       .recompute = kFull,
       .sequence_parallel = false,
       .virtual_stages = 2,
       .num_layers = 5},
      {.name = "il_moe_pp2_v2_dp2_ep2",
       .model = M::mixtral,
       .mesh = {.pp = 2, .dp = 2, .ep = 2},
       .micro_batch = 2,
       .schedule = kInterleaved,
       .virtual_stages = 2,
       .num_layers = 4},
      {.name = "il_shared_pp2_v2_tp2_ep2_recompute",
       .model = M::qwen2_moe,
       .mesh = {.tp = 2, .pp = 2, .ep = 2},
       .micro_batch = 3,
       .schedule = kInterleaved,
       .recompute = kFull,
       .virtual_stages = 2,
       .num_layers = 5},
      {.name = "il_lora_pp2_v2_tp2_sp",
       .mesh = {.tp = 2, .pp = 2},
       .micro_batch = 2,
       .schedule = kInterleaved,
       .lora_rank = 2,
       .virtual_stages = 2},
      // context parallel: ring
      {"cp2", M::llama, {.cp = 2}, 0, 2},
      {"cp4_zero1", M::llama, {.cp = 4}, 1, 3},
      {"cp2_dp2_zero1", M::llama, {.dp = 2, .cp = 2}, 1, 2},
      {"cp2_tp2", M::llama, {.tp = 2, .cp = 2}, 0, 2, k1f1b, kNone, 0, false},
      {"cp2_tp2_sp_full", M::llama, {.tp = 2, .cp = 2}, 0, 2, k1f1b, kFull},
      {"cp2_tp4_sp_kv_copies_selective", M::llama, {.tp = 4, .cp = 2}, 1, 1, k1f1b, kSelective},
      {"cp2_qwen3_selective", M::qwen3, {.cp = 2}, 0, 3, k1f1b, kSelective},
      {"cp4_tp2_sp_qwen3", M::qwen3, {.tp = 2, .cp = 4}, 0, 2},
      {"cp2_pp2_gpipe", M::llama, {.pp = 2, .cp = 2}, 0, 2, kGpipe},
      {"cp2_pp2_tp2_sp_tied_zero1", M::qwen2_tied, {.tp = 2, .pp = 2, .cp = 2}, 1, 3},
      {"cp2_pp2_dp2_tied_selective",
       M::qwen2_tied,
       {.pp = 2, .dp = 2, .cp = 2},
       1,
       2,
       k1f1b,
       kSelective},
      {"cp4_gpt2", M::gpt2, {.cp = 4}, 0, 2},
      {"cp2_tp2_sp_gpt2", M::gpt2, {.tp = 2, .cp = 2}, 1, 2, k1f1b, kFull},
      {"cp2_moe", M::mixtral, {.cp = 2}, 0, 2},
      {"cp2_moe_ep2_selective", M::mixtral, {.cp = 2, .ep = 2}, 0, 2, k1f1b, kSelective},
      {"cp2_moe_tp2_sp_ep4_zero1", M::mixtral, {.tp = 2, .cp = 2, .ep = 4}, 1, 2},
      {"cp2_moe_tp2_sp_dp2_ep4", M::mixtral, {.tp = 2, .dp = 2, .cp = 2, .ep = 4}, 0, 1},
      {"cp4_shared_ep2_full", M::qwen2_moe, {.cp = 4, .ep = 2}, 1, 2, k1f1b, kFull},
      {"cp2_shared_pp2_ep2", M::qwen2_moe, {.pp = 2, .cp = 2, .ep = 2}, 0, 2, kGpipe},
      {"cp2_lora_tp2_sp", M::llama, {.tp = 2, .cp = 2}, 0, 2, k1f1b, kNone, 3},
      {"cp2_lora_moe_ep2_zero1", M::mixtral, {.cp = 2, .ep = 2}, 1, 2, k1f1b, kSelective, 2},
      // context parallel: exchange of heads
      {"ulysses2", M::llama, {.cp = 2}, 0, 2, k1f1b, kNone, 0, true, kSgd, kUlysses},
      {"ulysses4_gpt2_full", M::gpt2, {.cp = 4}, 0, 3, k1f1b, kFull, 0, true, kSgd, kUlysses},
      {"ulysses2_tp2_sp_gpt2",
       M::gpt2,
       {.tp = 2, .cp = 2},
       1,
       2,
       k1f1b,
       kSelective,
       0,
       true,
       kSgd,
       kUlysses},
      {"ulysses2_tied_pp2_selective",
       M::qwen2_tied,
       {.pp = 2, .cp = 2},
       0,
       3,
       k1f1b,
       kSelective,
       0,
       true,
       kSgd,
       kUlysses},
      {"ulysses2_dp2_zero1_adamw",
       M::llama,
       {.dp = 2, .cp = 2},
       1,
       1,
       k1f1b,
       kNone,
       0,
       true,
       OptimizerKind::adamw,
       kUlysses},
      {"ulysses2_qwen3_two_kv_heads",
       M::qwen3_moe,
       {.cp = 2, .ep = 2},
       0,
       2,
       k1f1b,
       kSelective,
       0,
       true,
       kSgd,
       kUlysses},
      {"ulysses2_moe_dp2_ep4",
       M::mixtral,
       {.dp = 2, .cp = 2, .ep = 4},
       0,
       1,
       k1f1b,
       kFull,
       0,
       true,
       kSgd,
       kUlysses},
      {"ulysses2_lora", M::llama, {.cp = 2}, 0, 2, k1f1b, kNone, 3, true, kSgd, kUlysses},
      // dropout: the masks of one rank, whoever draws them
      {.name = "dropout_accumulate_full", .micro_batch = 2, .recompute = kFull, .dropout = 0.3},
      {.name = "dropout_dp2_zero1_gpt2",
       .model = M::gpt2,
       .mesh = {.dp = 2},
       .zero_stage = 1,
       .micro_batch = 3,
       .dropout = 0.1},
      {.name = "dropout_tp2", .mesh = {.tp = 2}, .sequence_parallel = false, .dropout = 0.3},
      {.name = "dropout_tp2_sp_pp2",
       .model = M::gpt2,
       .mesh = {.tp = 2, .pp = 2},
       .micro_batch = 2,
       .recompute = kFull,
       .dropout = 0.3},
      {.name = "dropout_cp2_tp2_sp_selective",
       .mesh = {.tp = 2, .cp = 2},
       .recompute = kSelective,
       .dropout = 0.3},
      {.name = "dropout_ulysses2_pp2_tied",
       .model = M::qwen2_tied,
       .mesh = {.pp = 2, .cp = 2},
       .cp_kind = kUlysses,
       .dropout = 0.2},
      {.name = "dropout_moe_cp2_ep2",
       .model = M::mixtral,
       .mesh = {.cp = 2, .ep = 2},
       .recompute = kFull,
       .dropout = 0.2},
      {.name = "dropout_lora_dp2",
       .mesh = {.dp = 2},
       .micro_batch = 2,
       .lora_rank = 2,
       .dropout = 0.2},
      {.name = "dropout_zb_h1_pp2_tp2",
       .mesh = {.tp = 2, .pp = 2},
       .schedule = ScheduleKind::zb_h1,
       .sequence_parallel = false,
       .dropout = 0.2},
      // documents: attention ends at their borders, positions restart
      {.name = "documents_accumulate", .micro_batch = 2, .document_mask = true},
      {.name = "documents_tp2_sp_gpt2_full",
       .model = M::gpt2,
       .mesh = {.tp = 2},
       .micro_batch = 3,
       .recompute = kFull,
       .document_mask = true},
      {.name = "documents_cp2_dp2", .mesh = {.dp = 2, .cp = 2}, .document_mask = true},
      {.name = "documents_cp4_gpt2_selective",
       .model = M::gpt2,
       .mesh = {.cp = 4},
       .micro_batch = 2,
       .recompute = kSelective,
       .document_mask = true},
      {.name = "documents_cp2_tp2_sp_pp2_qwen3",
       .model = M::qwen3,
       .mesh = {.tp = 2, .pp = 2, .cp = 2},
       .document_mask = true},
      {.name = "documents_ulysses2_tp2_sp_gpt2",
       .model = M::gpt2,
       .mesh = {.tp = 2, .cp = 2},
       .cp_kind = kUlysses,
       .document_mask = true},
      {.name = "documents_dropout_moe_cp2_tp2_sp_ep4",
       .model = M::mixtral,
       .mesh = {.tp = 2, .cp = 2, .ep = 4},
       .zero_stage = 1,
       .dropout = 0.2,
       .document_mask = true},
      // ring and exchange of heads under split backward passes and virtual stages
      {.name = "cp2_zb_h1_pp2_selective",
       .mesh = {.pp = 2, .cp = 2},
       .schedule = ScheduleKind::zb_h1,
       .recompute = kSelective},
      {.name = "cp2_il_pp2_v2_tp2_sp",
       .mesh = {.tp = 2, .pp = 2, .cp = 2},
       .schedule = kInterleaved,
       .virtual_stages = 2},
      {.name = "ulysses2_zb_v_pp2",
       .mesh = {.pp = 2, .cp = 2},
       .schedule = ScheduleKind::zb_v,
       .cp_kind = kUlysses,
       .virtual_stages = 2},
      // recomputation of the softmax alone
      {"selective_one_rank", M::llama, {}, 0, 2, k1f1b, kSelective},
      {"selective_tp2_sp_qwen3", M::qwen3, {.tp = 2}, 0, 2, k1f1b, kSelective},
      {"selective_pp2_gpt2", M::gpt2, {.pp = 2}, 0, 2, kGpipe, kSelective},
      {"selective_moe_tp2_sp_ep2", M::mixtral, {.tp = 2, .ep = 2}, 0, 2, k1f1b, kSelective},
      {"selective_lora_dp2", M::llama, {.dp = 2}, 1, 2, k1f1b, kSelective, 2},
      // split backward, stages in order
      {.name = "zbh1_one_rank", .micro_batch = 3, .schedule = kZbH1},
      {.name = "zbh1_pp2", .mesh = {.pp = 2}, .micro_batch = 3, .schedule = kZbH1},
      {.name = "zbh1_pp4_fewer_microbatches",
       .mesh = {.pp = 4},
       .micro_batch = 6,
       .schedule = kZbH1},
      {.name = "zbh1_pp3_uneven_layers_recompute",
       .mesh = {.pp = 3},
       .micro_batch = 2,
       .schedule = kZbH1,
       .recompute = kFull,
       .num_layers = 7,
       .layers_per_stage = {2, 4, 1}},
      {.name = "zbh1_pp2_tp2_sp_dp2_zero1",
       .mesh = {.tp = 2, .pp = 2, .dp = 2},
       .zero_stage = 1,
       .micro_batch = 2,
       .schedule = kZbH1},
      {.name = "zbh1_pp2_tp2_gpt2",
       .model = M::gpt2,
       .mesh = {.tp = 2, .pp = 2},
       .micro_batch = 3,
       .schedule = kZbH1,
       .sequence_parallel = false},
      {.name = "zbh1_pp2_tp4_qwen3",
       .model = M::qwen3,
       .mesh = {.tp = 4, .pp = 2},
       .micro_batch = 2,
       .schedule = kZbH1,
       .recompute = kFull},
      {.name = "zbh1_pp2_tied_dp2",
       .model = M::qwen2_tied,
       .mesh = {.pp = 2, .dp = 2},
       .schedule = kZbH1,
       .optimizer = OptimizerKind::adamw},
      {.name = "zbh1_lora_pp2_tp2_sp",
       .mesh = {.tp = 2, .pp = 2},
       .micro_batch = 2,
       .schedule = kZbH1,
       .lora_rank = 3},
      {.name = "zbh1_moe_pp3",
       .model = M::mixtral,
       .mesh = {.pp = 3},
       .micro_batch = 2,
       .schedule = kZbH1},
      {.name = "zbh1_moe_pp2_dp2_ep2_recompute",
       .model = M::mixtral,
       .mesh = {.pp = 2, .dp = 2, .ep = 2},
       .micro_batch = 2,
       .schedule = kZbH1,
       .recompute = kFull},
      {.name = "zbh1_shared_pp2_tp2_ep2",
       .model = M::qwen2_moe,
       .mesh = {.tp = 2, .pp = 2, .ep = 2},
       .micro_batch = 2,
       .schedule = kZbH1},
      {.name = "zbh1_cp2_pp2_selective",
       .mesh = {.pp = 2, .cp = 2},
       .micro_batch = 2,
       .schedule = kZbH1,
       .recompute = kSelective},
      {.name = "zbv_ulysses2_pp2_selective",
       .model = M::gpt2,
       .mesh = {.pp = 2, .cp = 2},
       .micro_batch = 3,
       .schedule = kZbV,
       .recompute = kSelective,
       .cp_kind = kUlysses,
       .virtual_stages = 2,
       .num_layers = 4},
      // split backward, stages in a V
      {.name = "zbv_one_rank", .micro_batch = 4, .schedule = kZbV, .virtual_stages = 2},
      {.name = "zbv_pp2",
       .mesh = {.pp = 2},
       .micro_batch = 3,
       .schedule = kZbV,
       .virtual_stages = 2},
      {.name = "zbv_pp4_fewer_microbatches",
       .mesh = {.pp = 4},
       .micro_batch = 4,
       .schedule = kZbV,
       .virtual_stages = 2,
       .num_layers = 8},
      {.name = "zbv_pp2_uneven_layers_recompute",
       .mesh = {.pp = 2},
       .micro_batch = 2,
       .schedule = kZbV,
       .recompute = kFull,
       .virtual_stages = 2,
       .num_layers = 7,
       .layers_per_stage = {1, 3, 1, 2}},
      {.name = "zbv_pp2_tied",
       .model = M::qwen2_tied,
       .mesh = {.pp = 2},
       .micro_batch = 2,
       .schedule = kZbV,
       .virtual_stages = 2,
       .num_layers = 4},
      {.name = "zbv_pp2_tied_tp2_sp_dp2_zero1",
       .model = M::qwen2_tied,
       .mesh = {.tp = 2, .pp = 2, .dp = 2},
       .zero_stage = 1,
       .micro_batch = 2,
       .schedule = kZbV,
       .virtual_stages = 2,
       .num_layers = 5},
      {.name = "zbv_lora_gpt2_pp2_dp2_zero1",
       .model = M::gpt2,
       .mesh = {.pp = 2, .dp = 2},
       .zero_stage = 1,
       .micro_batch = 2,
       .schedule = kZbV,
       .recompute = kFull,
       .lora_rank = 2,
       .virtual_stages = 2,
       .num_layers = 4},
      {.name = "zbv_lora_moe_pp2_dp2_ep2",
       .model = M::mixtral,
       .mesh = {.pp = 2, .dp = 2, .ep = 2},
       .micro_batch = 3,
       .schedule = kZbV,
       .lora_rank = 2,
       .virtual_stages = 2,
       .num_layers = 4},
      {.name = "zbv_shared_pp2_tp2_ep2",
       .model = M::qwen2_moe,
       .mesh = {.tp = 2, .pp = 2, .ep = 2},
       .micro_batch = 2,
       .schedule = kZbV,
       .virtual_stages = 2,
       .num_layers = 5},
      // gradients in shards (ZeRO 2), and parameters too (ZeRO 3)
      {"zero2_dp2", M::llama, {.dp = 2}, 2, 2},
      {"zero2_dp3_accumulate", M::llama, {.dp = 3}, 2, 1},
      {"zero2_dp4_gpt2", M::gpt2, {.dp = 4}, 2, 1},
      {"zero2_dp6_one_microbatch_full", M::llama, {.dp = 6}, 2, 2, k1f1b, kFull},
      {"zero2_dp2_tied", M::qwen2_tied, {.dp = 2}, 2, 3},
      {"zero2_tp2_sp_dp2", M::llama, {.tp = 2, .dp = 2}, 2, 2},
      {"zero2_tp4_sp_dp2_kv_copies", M::llama, {.tp = 4, .dp = 2}, 2, 1},
      {"zero2_tp2_dp3_gpt2", M::gpt2, {.tp = 2, .dp = 3}, 2, 2},
      {"zero2_pp2_dp2_gpipe", M::llama, {.pp = 2, .dp = 2}, 2, 2, kGpipe},
      {"zero2_pp3_dp2_tied", M::qwen2_tied, {.pp = 3, .dp = 2}, 2, 1},
      {"zero2_pp2_tp2_dp2_gpt2", M::gpt2, {.tp = 2, .pp = 2, .dp = 2}, 2, 2, kGpipe, kFull},
      {"zero2_moe_dp4_ep2", M::mixtral, {.dp = 4, .ep = 2}, 2, 1},
      {"zero2_moe_pp3_dp2", M::mixtral, {.pp = 3, .dp = 2}, 2, 2},
      {"zero2_lora_dp2", M::llama, {.dp = 2}, 2, 2, k1f1b, Recompute::none, 3},
      {"zero2_cp2_dp2", M::llama, {.dp = 2, .cp = 2}, 2, 2},
      {"zero3_dp2", M::llama, {.dp = 2}, 3, 2},
      {"zero3_dp3_accumulate", M::llama, {.dp = 3}, 3, 1},
      {"zero3_dp4_gpt2", M::gpt2, {.dp = 4}, 3, 1},
      {"zero3_dp6_recompute", M::llama, {.dp = 6}, 3, 1, k1f1b, kFull},
      {"zero3_dp2_tied", M::qwen2_tied, {.dp = 2}, 3, 3},
      {"zero3_dp2_tied_adamw",
       M::qwen2_tied,
       {.dp = 2},
       3,
       3,
       k1f1b,
       kFull,
       0,
       true,
       OptimizerKind::adamw},
      {"zero3_tp2_sp_dp2", M::llama, {.tp = 2, .dp = 2}, 3, 2},
      {"zero3_tp4_sp_dp2_kv_copies", M::llama, {.tp = 4, .dp = 2}, 3, 1},
      {"zero3_tp2_dp3_gpt2", M::gpt2, {.tp = 2, .dp = 3}, 3, 2, k1f1b, Recompute::none, 0, false},
      {"zero3_pp2_dp2_gpipe", M::llama, {.pp = 2, .dp = 2}, 3, 2, kGpipe},
      {"zero3_pp3_dp2_tied", M::qwen2_tied, {.pp = 3, .dp = 2}, 3, 1},
      {"zero3_pp2_tp2_dp2_tied", M::qwen2_tied, {.tp = 2, .pp = 2, .dp = 2}, 3, 3, k1f1b, kFull},
      {"zero3_moe_dp4_ep2", M::mixtral, {.dp = 4, .ep = 2}, 3, 1},
      {"zero3_moe_dp4_ep4", M::mixtral, {.dp = 4, .ep = 4}, 3, 3},
      {"zero3_moe_tp2_sp_dp2_ep2", M::mixtral, {.tp = 2, .dp = 2, .ep = 2}, 3, 2, k1f1b, kFull},
      {"zero3_shared_pp2_dp4_ep2", M::qwen2_moe, {.pp = 2, .dp = 4, .ep = 2}, 3, 1},
      {"zero3_lora_dp3", M::llama, {.dp = 3}, 3, 2, k1f1b, Recompute::none, 2},
      {"zero3_lora_pp2_dp2_tied", M::qwen2_tied, {.pp = 2, .dp = 2}, 3, 3, kGpipe, kFull, 2},
      {"zero3_lora_moe_dp4_ep2", M::mixtral, {.dp = 4, .ep = 2}, 3, 1, k1f1b, kFull, 2},
      {"zero3_cp2_dp2", M::llama, {.dp = 2, .cp = 2}, 3, 2},
      {.name = "zero3_interleaved_pp2_dp2",
       .mesh = {.pp = 2, .dp = 2},
       .zero_stage = 3,
       .schedule = ScheduleKind::interleaved,
       .virtual_stages = 2},
      {.name = "zero2_interleaved_pp2_dp2",
       .mesh = {.pp = 2, .dp = 2},
       .zero_stage = 2,
       .micro_batch = 2,
       .schedule = ScheduleKind::interleaved,
       .virtual_stages = 2},
      {.name = "zero1_zbh1_pp2_dp2",
       .mesh = {.pp = 2, .dp = 2},
       .zero_stage = 1,
       .schedule = kZbH1},
      // hybrid sharding: groups of neighbours shard, each holds everything
      {"zero1_shard2_dp4", M::llama, {.dp = 4, .zero_shard = 2}, 1, 1},
      {"zero2_shard3_dp6", M::llama, {.dp = 6, .zero_shard = 3}, 2, 1},
      {"zero3_shard2_dp4_tied", M::qwen2_tied, {.dp = 4, .zero_shard = 2}, 3, 3},
      {"zero3_shard2_tp2_sp_dp4", M::llama, {.tp = 2, .dp = 4, .zero_shard = 2}, 3, 1},
      {"zero1_shard2_cp2_dp2", M::llama, {.dp = 2, .cp = 2, .zero_shard = 2}, 1, 2},
      {"zero3_shard2_pp2_dp4_gpt2", M::gpt2, {.pp = 2, .dp = 4, .zero_shard = 2}, 3, 1, kGpipe},
      {"zero1_shard2_pp2_dp4_tied", M::qwen2_tied, {.pp = 2, .dp = 4, .zero_shard = 2}, 1, 3},
      // experts: whole in each sharding group; sharded inside it; spread over several of them
      {"zero3_shard2_moe_dp4_ep2", M::mixtral, {.dp = 4, .ep = 2, .zero_shard = 2}, 3, 1},
      {"zero2_shard4_moe_dp4_cp2_ep2",
       M::mixtral,
       {.dp = 4, .cp = 2, .ep = 2, .zero_shard = 4},
       2,
       1},
      {"zero3_shard2_moe_dp4_cp2_ep4",
       M::mixtral,
       {.dp = 4, .cp = 2, .ep = 4, .zero_shard = 2},
       3,
       1},
      {"zero3_shard2_lora_dp4", M::llama, {.dp = 4, .zero_shard = 2}, 3, 1, k1f1b, kFull, 2},
      // shards of one element and of none: twelve ranks share a norm of twelve
      {"zero3_dp12", M::llama, {.dp = 12}, 3, 1},
  };
  return table;
}

const Layout& layout_named(std::string_view name) {
  for (const Layout& layout : layouts()) {
    if (layout.name == name) return layout;
  }
  throw std::invalid_argument(concat("no layout of the table is called ", name));
}

Plan plan_of(const Layout& layout) {
  Plan plan;
  plan.model = parse_model(config_of(layout.model, layout.num_layers), "tiny",
                           "tests/end_to_end/layouts.cpp")
                   .model;
  // Of no config that can be trained yet: DeepSeek's and GLM's.
  if (layout.model == TinyModel::ungated_moe) plan.model.moe.shared_gate = false;
  plan.cluster = "local-cpu";
  plan.mesh = layout.mesh;
  plan.zero_stage = layout.zero_stage;
  plan.sequence_parallel = layout.sequence_parallel && layout.mesh.tp > 1;
  plan.cp_kind = layout.cp_kind;
  plan.micro_batch = layout.micro_batch;
  plan.global_batch = kGlobalBatch;
  plan.seq_len = kSeqLen;
  plan.precision = Precision::fp64;
  plan.schedule = layout.schedule;
  plan.virtual_stages = layout.virtual_stages;
  plan.layers_per_stage = layout.layers_per_stage;
  if (plan.layers_per_stage.empty()) {
    plan.layers_per_stage = default_layers_per_stage(plan.model.num_layers, plan.num_stages());
  }
  plan.recompute.assign(static_cast<size_t>(plan.model.num_layers), layout.recompute);
  if (layout.mixed_recompute) {
    for (size_t i = 0; i < plan.recompute.size(); ++i)
      plan.recompute[i] = std::array{kNone, kSelective, kFull}[i % 3];
  }
  plan.optimizer = layout.optimizer;
  plan.moe_capacity_factor = layout.moe_capacity_factor;
  if (layout.lora_rank > 0) {
    plan.task = Task::lora;
    plan.lora = {.rank = layout.lora_rank, .alpha = 5.0, .targets = {"all-linear"}};
  }
  validate(plan);
  return plan;
}

TrainerSettings settings_of(const Layout& layout) {
  return {.optimizer = {.weight_decay = 0.1},
          .clip = 0,
          .check_replicas_every = 1,
          .check_collectives_every = 1,
          .layers = {.dropout = layout.dropout,
                     .document_mask = layout.document_mask,
                     .end_of_text = 7},
          .aux_loss_scope = layout.aux_loss_scope,
          .router_bias_rate = layout.router_bias_rate};
}

Plan reference_plan_of(const Layout& layout) {
  Plan plan = single_rank(plan_of(layout));
  plan.micro_batch = kGlobalBatch;
  return plan;
}

}  // namespace argosy
