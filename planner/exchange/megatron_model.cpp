// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/megatron_model.h"

#include "planner/spec/check.h"
#include "planner/spec/integers.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

constexpr int64_t kVocabUnit = 128;  // Megatron's default of --make-vocab-size-divisible-by
constexpr int64_t kMostVocabUnit = 1'000'000;  // no product overflows

class ModelReader {
 public:
  ModelReader(MegatronFlags& flags, int64_t num_layers, int64_t seq_len, int64_t tp)
      : flags_(flags), num_layers_(num_layers), seq_len_(seq_len), tp_(tp) {}

  MegatronModel read() {
    Json config = Json::object();
    const bool is_llama = flags_.take("--swiglu");
    const std::string norm = flags_.text("--normalization", "LayerNorm");
    const std::string position =
        flags_.text("--position-embedding-type",
                    flags_.take("--use-rotary-position-embeddings") ? "rope" : "learned_absolute");
    const bool is_bias_off = flags_.take("--disable-bias-linear");
    if (flags_.has("--multi-latent-attention"))
      refuse_flag("--multi-latent-attention", "--model CONFIG");
    if (is_llama && norm == "RMSNorm" && position == "rope" && is_bias_off) {
      read_llama(config);
    } else if (!is_llama && norm == "LayerNorm" && position == "learned_absolute" && !is_bias_off) {
      read_gpt2(config);
    } else {
      refuse_flag(
          concat("a model with --normalization ", norm, " --position-embedding-type ", position,
                 is_llama ? " --swiglu" : "", is_bias_off ? " --disable-bias-linear" : ""),
          "llama's (RMSNorm, rope, --swiglu, --disable-bias-linear) or GPT-2's (LayerNorm, "
          "learned_absolute) flags, or --model CONFIG and no flags of the model");
    }
    model_.config_json = config.dump(2);
    return std::move(model_);
  }

 private:
  // As Megatron pads it (_vocab_size_with_padding): so many rows on each of the tp ranks.
  int64_t vocab_size() {
    const char* const flag = "--make-vocab-size-divisible-by";
    const int64_t unit = flags_.count(flag, kVocabUnit);
    if (unit > kMostVocabUnit)
      refuse_flag(concat(flag, " ", unit), concat("at most ", kMostVocabUnit));
    return round_up(flags_.required("--vocab-size"), unit * tp_);
  }

  double norm_epsilon() { return flags_.number("--norm-epsilon", 1e-5); }

  void read_gpt2(Json& config) {
    if (flags_.has("--num-experts"))
      refuse_flag("--num-experts with GPT-2's blocks", "llama's flags");
    if (flags_.take("--untie-embeddings-and-output-weights")) {
      refuse_flag("--untie-embeddings-and-output-weights with GPT-2's blocks", "tied ones");
    }
    const int64_t hidden = flags_.required("--hidden-size");
    const int64_t heads = flags_.required("--num-attention-heads");
    if (flags_.count("--kv-channels", hidden / heads) * heads != hidden) {
      refuse_flag("--kv-channels with GPT-2's blocks", "hidden size over heads");
    }
    config = {{"model_type", "gpt2"},
              {"vocab_size", vocab_size()},
              {"n_positions", flags_.count("--max-position-embeddings", seq_len_)},
              {"n_embd", hidden},
              {"n_layer", num_layers_},
              {"n_head", heads},
              {"n_inner", flags_.count("--ffn-hidden-size", 4 * hidden)},
              {"activation_function", "gelu_new"},
              {"layer_norm_epsilon", norm_epsilon()}};
    ignore_dropout();
  }

  void read_llama(Json& config) {
    const int64_t heads = flags_.required("--num-attention-heads"),
                  hidden = flags_.required("--hidden-size");
    const bool is_grouped = flags_.take("--group-query-attention");
    const bool has_experts = flags_.has("--num-experts");
    const bool qkv_bias = flags_.take("--add-qkv-bias"), qk_norm = flags_.take("--qk-layernorm");
    if (has_experts && (qkv_bias || qk_norm)) {
      refuse_flag("--num-experts with --add-qkv-bias or --qk-layernorm", "--model CONFIG");
    }
    if (qkv_bias && qk_norm) refuse_flag("--add-qkv-bias with --qk-layernorm", "--model CONFIG");
    // Megatron's default width is 4 h, or two thirds of it for gated blocks.
    const int64_t ffn = flags_.count("--ffn-hidden-size", (4 * hidden * 2 / 3) / 64 * 64);
    config = {{"model_type", has_experts ? "mixtral"
                             : qkv_bias  ? "qwen2"
                             : qk_norm   ? "qwen3"
                                         : "llama"},
              {"vocab_size", vocab_size()},
              {"hidden_size", hidden},
              {"intermediate_size", ffn},
              {"num_hidden_layers", num_layers_},
              {"num_attention_heads", heads},
              {"num_key_value_heads", is_grouped ? flags_.count("--num-query-groups", 1) : heads},
              {"head_dim", flags_.count("--kv-channels", hidden / heads)},
              {"hidden_act", "silu"},
              {"max_position_embeddings", flags_.count("--max-position-embeddings", seq_len_)},
              {"tie_word_embeddings", !flags_.take("--untie-embeddings-and-output-weights")}};
    config["rope_theta"] = flags_.number("--rotary-base", 10000.0);
    config["rms_norm_eps"] = norm_epsilon();
    if (flags_.has("--window-size")) refuse_flag("--window-size", "--model CONFIG");
    if (has_experts) read_experts(config, ffn);
    for (const char* flag : {"--use-rope-scaling", "--rotary-seq-len-interpolation-factor",
                             "--rope-scaling-factor", "--rotary-percent", "--num-query-groups"}) {
      flags_.take(flag);  // other angles, the same work
    }
    ignore_dropout();
  }

  void read_experts(Json& config, int64_t ffn) {
    for (const char* flag :
         {"--moe-shared-expert-intermediate-size", "--moe-layer-freq", "--mtp-num-layers"}) {
      if (flags_.has(flag)) refuse_flag(flag, "--model CONFIG and no flags of the model");
    }
    config["num_local_experts"] = flags_.count("--num-experts", 1);
    config["num_experts_per_tok"] = flags_.count("--moe-router-topk", 2);
    config["intermediate_size"] = flags_.count("--moe-ffn-hidden-size", ffn);
    flags_.take("--moe-router-num-groups");
    flags_.take("--moe-router-group-topk");
    model_.capacity_factor = flags_.number("--moe-expert-capacity-factor", 0);
  }

  void ignore_dropout() {
    for (const char* flag : {"--attention-dropout", "--hidden-dropout"}) {
      flags_.take(flag);
    }
  }

  MegatronFlags& flags_;
  int64_t num_layers_, seq_len_, tp_;
  MegatronModel model_;
};

}  // namespace

MegatronModel read_megatron_model(MegatronFlags& flags, int64_t num_layers, int64_t seq_len,
                                  int64_t tp) {
  return ModelReader(flags, num_layers, seq_len, tp).read();
}

}  // namespace argosy
