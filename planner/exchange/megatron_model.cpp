// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/megatron_model.h"

#include "planner/exchange/megatron_experts.h"
#include "planner/exchange/megatron_gpt_oss.h"
#include "planner/exchange/megatron_vocabulary.h"
#include "planner/spec/check.h"
#include "planner/spec/json.h"
#include "planner/spec/model_names.h"

namespace argosy {

namespace {

class ModelReader {
 public:
  ModelReader(MegatronFlags& flags, int64_t num_layers, int64_t seq_len, int64_t tp)
      : flags_(flags), num_layers_(num_layers), seq_len_(seq_len), tp_(tp) {}

  MegatronModel read() {
    Json config = Json::object();
    const bool is_llama = flags_.take("--swiglu");
    const std::string norm = flags_.text("--normalization", "LayerNorm");
    const bool is_gpt_oss = flags_.has("--quick-geglu");
    const char* const other = flags_.has("--enable-gpt-oss") ? "yarn" : "learned_absolute";
    const std::string position =
        flags_.text("--position-embedding-type",
                    flags_.take("--use-rotary-position-embeddings") ? "rope" : other);
    const bool is_bias_off = flags_.take("--disable-bias-linear");
    const bool is_rotary = norm == "RMSNorm" && (position == "rope" || position == "yarn");
    if (is_rotary && is_llama != is_gpt_oss && (is_bias_off || is_gpt_oss)) {
      has_biases_ = !is_bias_off;
      read_llama(config);
      if (position == "yarn") read_yarn(config);
      flags_.take("--rotary-scaling-factor");  // as the others: of latent attention
    } else if (!is_llama && norm == "LayerNorm" && position == "learned_absolute" && !is_bias_off) {
      read_gpt2(config);
    } else {
      refuse_flag(
          concat("a model with --normalization ", norm, " --position-embedding-type ", position,
                 is_llama ? " --swiglu" : "", is_bias_off ? " --disable-bias-linear" : ""),
          "llama's (RMSNorm, rope, --swiglu, --disable-bias-linear), gpt-oss's (RMSNorm, rope or "
          "yarn, "
          "--quick-geglu) or GPT-2's (LayerNorm, learned_absolute) flags, or --model CONFIG and no "
          "flags of the model");
    }
    model_.config_json = config.dump(2);
    return std::move(model_);
  }

 private:
  double norm_epsilon() { return flags_.number("--norm-epsilon", 1e-5); }

  void read_gpt2(Json& config) {
    if (flags_.has("--num-experts"))
      refuse_flag("--num-experts with GPT-2's blocks", "llama's flags");
    if (flags_.has("--no-position-embedding")) {
      refuse_flag("--no-position-embedding with learned_absolute", "without it");
    }
    const int64_t hidden = flags_.required("--hidden-size");
    const int64_t heads = flags_.required("--num-attention-heads");
    if (flags_.count("--kv-channels", hidden / heads) * heads != hidden) {
      refuse_flag("--kv-channels with GPT-2's blocks", "hidden size over heads");
    }
    config = {{"model_type", "gpt2"},
              {"vocab_size", read_megatron_vocabulary(flags_, tp_, model_.warnings)},
              {"n_positions", flags_.count("--max-position-embeddings", seq_len_)},
              {"n_embd", hidden},
              {"n_layer", num_layers_},
              {"n_head", heads},
              {"n_inner", flags_.count("--ffn-hidden-size", 4 * hidden)},
              {"activation_function", "gelu_new"},
              {"tie_word_embeddings", !flags_.take("--untie-embeddings-and-output-weights")},
              {"layer_norm_epsilon", norm_epsilon()}};
    ignore_dropout();
  }

  void read_llama(Json& config) {
    const int64_t hidden = flags_.required("--hidden-size");
    // Megatron's default width is 4 h, or two thirds of it for gated blocks.
    const int64_t ffn = flags_.count("--ffn-hidden-size", (4 * hidden * 2 / 3) / 64 * 64);
    const MegatronExperts experts = read_megatron_experts(flags_, num_layers_, ffn);
    warn_of_idle(experts.idle_flags, "--num-experts");
    const bool is_latent = flags_.take("--multi-latent-attention");
    if (!is_latent) {
      warn_of_idle(flags_.take_all({"--q-lora-rank", "--kv-lora-rank", "--qk-head-dim",
                                    "--qk-pos-emb-head-dim", "--v-head-dim"}),
                   "--multi-latent-attention");
    }
    model_.capacity_factor = experts.capacity_factor;
    config = {{"vocab_size", read_megatron_vocabulary(flags_, tp_, model_.warnings)},
              {"hidden_size", hidden},
              {"intermediate_size", ffn},
              {"num_hidden_layers", num_layers_},
              {"num_attention_heads", flags_.required("--num-attention-heads")},
              {"hidden_act", "silu"},
              {"max_position_embeddings", flags_.count("--max-position-embeddings", seq_len_)},
              {"tie_word_embeddings", !flags_.take("--untie-embeddings-and-output-weights")},
              {"rope_theta", flags_.number("--rotary-base", 10000.0)},
              {"rms_norm_eps", norm_epsilon()}};
    if (is_latent && flags_.has("--quick-geglu")) {
      refuse_flag("--multi-latent-attention with --quick-geglu", "--swiglu");
    }
    is_latent ? read_latent_attention(experts, config) : read_attention(experts, config);
    if (experts.num_experts > 0) add_choice(experts, config);
    add_window(config);
    for (const char* flag : {"--use-rope-scaling", "--rotary-seq-len-interpolation-factor",
                             "--rope-scaling-factor", "--rotary-percent", "--group-query-attention",
                             "--num-query-groups", "--rope-type", "--no-position-embedding"}) {
      flags_.take(flag);  // other angles, the same work; latent attention has no groups
    }
    ignore_dropout();
  }

  void warn_of_idle(const std::string& flags, const char* without) {
    if (flags.empty()) return;
    model_.warnings.push_back(concat(flags, ": without influence, as there is no ", without));
  }

  // Keys and values of heads, and the type of model whose blocks are built so.
  void read_attention(const MegatronExperts& experts, Json& config) {
    const int64_t heads = config["num_attention_heads"], hidden = config["hidden_size"];
    const bool is_grouped = flags_.take("--group-query-attention");
    config["num_key_value_heads"] = is_grouped ? flags_.count("--num-query-groups", 1) : heads;
    config["head_dim"] = flags_.count("--kv-channels", hidden / heads);
    if (flags_.has("--quick-geglu")) {
      read_gpt_oss(experts, config);
      return;
    }
    const bool qkv_bias = flags_.take("--add-qkv-bias"), qk_norm = flags_.take("--qk-layernorm");
    const bool has_experts = experts.num_experts > 0, has_shared = experts.shared_ffn_size > 0;
    const bool is_qwen2_moe = has_experts && qkv_bias && !qk_norm && has_shared &&
                              experts.has_shared_gate && !flags_.has("--mtp-num-layers");
    const bool is_like_glm = flags_.has("--mtp-num-layers") || (qkv_bias && qk_norm) ||
                             (has_experts && (has_shared || qkv_bias)) ||
                             (!qk_norm && has_experts && experts.num_dense_layers() > 0);
    if (is_qwen2_moe) {
      config["model_type"] = "qwen2_moe";
      config["shared_expert_intermediate_size"] = experts.shared_ffn_size;
      add_qwen_experts(experts, config);
    } else if (is_like_glm) {
      config["model_type"] = "glm4_moe";
      config["attention_bias"] = qkv_bias;
      config["use_qk_norm"] = qk_norm;
      config["partial_rotary_factor"] = flags_.number("--rotary-percent", 1.0);
      add_deepseek_experts(experts, config);
    } else if (!has_experts) {
      config["model_type"] = qkv_bias ? "qwen2" : qk_norm ? "qwen3" : "llama";
    } else if (qk_norm) {
      config["model_type"] = "qwen3_moe";
      add_qwen_experts(experts, config);
    } else {
      config["model_type"] = "mixtral";
      add_mixtral_experts(experts, config);
    }
  }

  void read_gpt_oss(const MegatronExperts& experts, Json& config) {
    const MegatronGptOss gpt_oss = read_megatron_gpt_oss(flags_, experts, !has_biases_);
    for (const std::string& warning : gpt_oss.warnings) model_.warnings.push_back(warning);
    config["model_type"] = "gpt_oss";
    config["attention_bias"] = gpt_oss.has_attention_bias;
    config["sliding_window"] = nullptr;  // unless a flag says one
    // Else it would be gpt-oss' own YaRN. Flags of another come behind.
    config["rope_scaling"] = {{"rope_type", "default"}};
    if (gpt_oss.clamp > 0) config["swiglu_limit"] = gpt_oss.clamp;
    add_mixtral_experts(experts, config);
  }

  // Angles of longer contexts, with Megatron's defaults for what is left out.
  void read_yarn(Json& config) {
    config["rope_scaling"] = {
        {"rope_type", "yarn"},
        {"factor", flags_.number("--rotary-scaling-factor", 1)},
        {"original_max_position_embeddings",
         flags_.count("--yarn-original-max-position-embeddings",
                      config["max_position_embeddings"].get<int64_t>())},
        {"beta_fast", flags_.number("--yarn-beta-fast", 32)},
        {"beta_slow", flags_.number("--yarn-beta-slow", 1)},
        {"truncate", !flags_.take("--no-yarn-correction-range-round-to-int")}};
  }

  void add_mixtral_experts(const MegatronExperts& experts, Json& config) {
    config["num_local_experts"] = experts.num_experts;
    config["intermediate_size"] = experts.ffn_size;
  }

  void add_qwen_experts(const MegatronExperts& experts, Json& config) {
    config["num_experts"] = experts.num_experts;
    config["moe_intermediate_size"] = experts.ffn_size;
    config["mlp_only_layers"] = Json::array();
    for (size_t layer = 0; layer < experts.layer_is_moe.size(); ++layer) {
      if (!experts.layer_is_moe[layer]) config["mlp_only_layers"].push_back(layer);
    }
  }

  // DeepSeek's blocks; without experts all layers are dense ones.
  void read_latent_attention(const MegatronExperts& experts, Json& config) {
    if (flags_.take("--add-qkv-bias")) {
      refuse_flag("--add-qkv-bias with --multi-latent-attention", "without it");
    }
    flags_.take("--qk-layernorm");  // norms of the small vectors: they are always priced
    flags_.take("--kv-channels");   // of no meaning here
    config["model_type"] = "deepseek_v3";
    if (flags_.has("--q-lora-rank")) config["q_lora_rank"] = flags_.count("--q-lora-rank", 1);
    // Megatron's defaults.
    config["kv_lora_rank"] = flags_.count("--kv-lora-rank", 32);
    config["qk_nope_head_dim"] = flags_.count("--qk-head-dim", 128);
    config["qk_rope_head_dim"] = flags_.count("--qk-pos-emb-head-dim", 64);
    config["v_head_dim"] = flags_.count("--v-head-dim", 128);
    add_deepseek_experts(experts, config);
  }

  // Dense layers first, shared experts without a gate, modules for multi-token prediction; without
  // experts all layers are dense ones.
  void add_deepseek_experts(const MegatronExperts& experts, Json& config) {
    if (flags_.has("--mtp-num-layers")) {
      config["num_nextn_predict_layers"] = flags_.count("--mtp-num-layers", 1);
    }
    const bool is_dense = experts.num_experts == 0;
    config["n_routed_experts"] = is_dense ? 1 : experts.num_experts;
    config["moe_intermediate_size"] =
        is_dense ? int64_t{config["intermediate_size"]} : experts.ffn_size;
    config["num_experts_per_tok"] = 1;
    config["first_k_dense_replace"] = is_dense ? num_layers_ : experts.num_dense_layers();
    if (is_dense) return;
    if (!experts.is_dense_first()) {
      refuse_flag("--moe-layer-freq with dense layers behind experts",
                  "a list whose dense layers come first, as ([0]*3+[1]*58), or --qk-layernorm "
                  "without shared experts (Qwen3-MoE)");
    }
    if (experts.has_shared_gate) {
      refuse_flag("--moe-shared-expert-gate in blocks of another kind than Qwen2-MoE's",
                  "without it, or with --add-qkv-bias and all layers with experts");
    }
    if (experts.shared_ffn_size % experts.ffn_size != 0) {
      refuse_flag(concat("--moe-shared-expert-intermediate-size ", experts.shared_ffn_size),
                  concat("a multiple of --moe-ffn-hidden-size ", experts.ffn_size));
    }
    config["n_shared_experts"] = experts.shared_ffn_size / experts.ffn_size;
    if (!experts.is_sigmoid) {
      model_.warnings.emplace_back("--moe-router-score-function softmax is priced as sigmoid");
    }
  }

  // How experts are chosen.
  void add_choice(const MegatronExperts& experts, Json& config) {
    const std::string type = config["model_type"];
    config["num_experts_per_tok"] = experts.top_k;
    config["scoring_func"] = is_like_deepseek(type) || experts.is_sigmoid ? "sigmoid" : "softmax";
    // Mixtral's and gpt-oss's weights always sum to one, whatever is said.
    const bool is_like_mixtral = type == "mixtral" || type == "gpt_oss";
    if (!is_like_mixtral || experts.is_sigmoid) {
      config["norm_topk_prob"] = experts.rescales_weights;
    }
    if (experts.num_groups > 1) {
      config["n_group"] = experts.num_groups;
      config["topk_group"] = experts.top_groups;
    }
    if (experts.routed_scaling != 1) config["routed_scaling_factor"] = experts.routed_scaling;
  }

  void add_window(Json& config) {
    const MegatronWindow window = read_megatron_window(flags_, num_layers_);
    if (window.keys == 0) return;
    config["sliding_window"] = window.keys;
    if (config["model_type"].get<std::string>().starts_with("qwen")) {
      config["use_sliding_window"] = true;
    }
    config["layer_types"] = Json::array();
    for (const bool has_it : window.layer_has_it) {
      config["layer_types"].push_back(has_it ? "sliding_attention" : "full_attention");
    }
  }

  void ignore_dropout() {
    for (const char* flag : {"--attention-dropout", "--hidden-dropout"}) {
      flags_.take(flag);
    }
  }

  MegatronFlags& flags_;
  int64_t num_layers_, seq_len_, tp_;
  bool has_biases_ = false;  // on all Linears
  MegatronModel model_;
};

}  // namespace

MegatronModel read_megatron_model(MegatronFlags& flags, int64_t num_layers, int64_t seq_len,
                                  int64_t tp) {
  return ModelReader(flags, num_layers, seq_len, tp).read();
}

}  // namespace argosy
