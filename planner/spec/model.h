// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the network is: a Hugging Face config.json, read as it is, and every tensor that follows
// from it. Nothing here knows how the network is split; layout.h does that.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace argosy {

enum class NormKind { rms, layer };
enum class PositionKind { rope, learned };
enum class MlpKind { swiglu, gelu };  // gelu: tanh approximation, as GPT-2 ("gelu_new")

// softmax_then_topk: weights are the softmax over all experts, then (normalize_topk) rescaled to
// sum to one (Qwen-MoE). topk_then_softmax: softmax over the k chosen logits (Mixtral; equal to the
// former with normalize_topk).
enum class RouterOrder { softmax_then_topk, topk_then_softmax };
// What makes scores of logits. sigmoid: DeepSeek-V3's router (arXiv:2412.19437, section 2.1.2): a
// balancing bias joins the scores for the choice alone, weights come from the bare scores.
enum class ScoringFunction { softmax, sigmoid };

// Rotary embedding, half-split layout. inv_freq follows Hugging Face's `rope_type`s.
struct RopeSpec {
  double theta = 10000.0;
  std::string type = "default";  // default, linear, llama3, yarn
  double factor = 1.0;
  double low_freq_factor = 1.0, high_freq_factor = 4.0;  // llama3
  int64_t original_max_positions = 0;                    // llama3, yarn
  double beta_fast = 32.0, beta_slow = 1.0;              // yarn
  double attention_factor = 1.0;                         // yarn: multiplies cos and sin
  double score_factor = 1.0;  // yarn, with latent attention: multiplies the scale of the scores
  double turning_part = 1.0;  // of a head's elements, from its first on (GLM-4.5: half)
  bool truncates = true;      // yarn: the dimensions between which it blends are whole numbers
};
// D/2 angular frequencies for heads of which D elements turn.
std::vector<double> rope_inverse_frequencies(const RopeSpec& rope, int64_t turning_dim);

struct MoeSpec {
  int64_t num_experts = 0, top_k = 0;
  int64_t ffn_size = 0;         // of one expert
  int64_t shared_ffn_size = 0;  // of all shared experts together; 0: none
  bool shared_gate = false;     // Qwen2-MoE: the shared output is scaled by sigmoid(x . gate)
  RouterOrder order = RouterOrder::softmax_then_topk;
  bool normalize_topk = true;
  ScoringFunction scoring = ScoringFunction::softmax;
  int64_t num_groups = 1, top_groups = 1;  // experts are chosen from the best groups alone
  double routed_scaling = 1.0;             // multiplies the weights of the choices
  bool has_biases = false;                 // on the router and on every expert's Linears (gpt-oss)
  // gpt-oss' activation: gate at most the limit, up within +-limit and one more, and the sigmoid of
  // alpha times the gate. 0: SwiGLU.
  double swiglu_limit = 0.0, swiglu_alpha = 1.0;
  double aux_loss_coef = 0.0, z_loss_coef = 0.0;

  bool has_balancing_bias() const { return scoring == ScoringFunction::sigmoid; }
};

// Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434 section 2.1): keys and values of all
// heads are made from one small vector a token, queries (unless q_rank is 0) from another. Head
// sizes: queries and keys nope_dim + rope_dim, of which the last part turns and is shared by all
// heads in the keys; values value_dim.
struct LatentAttention {
  int64_t q_rank = 0, kv_rank = 0;
  int64_t nope_dim = 0, rope_dim = 0, value_dim = 0;
  bool rope_interleaved = true;  // neighbours turn together, not elements half a part apart
};
// Of the norms of latents, whatever rms_norm_eps is: as Transformers' DeepseekV3Attention.
inline constexpr double kLatentNormEps = 1e-6;

struct ModelSpec {
  std::string name;         // file name without .json, or the folder's name
  std::string model_type;   // as in config.json: llama, qwen3_moe, gpt2 ...
  std::string config_json;  // the text as read; a plan embeds it

  int64_t vocab_size = 0, hidden_size = 0, num_layers = 0, max_positions = 0;
  int64_t num_heads = 0, num_kv_heads = 0, head_dim = 0;
  int64_t ffn_size = 0;  // of the dense MLP
  NormKind norm = NormKind::rms;
  double norm_eps = 1e-5;
  PositionKind position = PositionKind::rope;
  RopeSpec rope;
  MlpKind mlp = MlpKind::swiglu;
  bool tied_head = false;
  bool qkv_bias = false, attention_output_bias = false, mlp_bias = false;
  bool qk_norm = false;           // RMS norm on q and k before RoPE: per head (Qwen3), or
  bool qk_norm_is_whole = false;  // over all heads of a token together (OLMoE)
  bool attention_sinks = false;   // a learned logit a head joins the softmax (gpt-oss)
  int64_t sliding_window = 0;     // a query of a windowed layer sees at most this many keys, itself
                                  // included; 0: every layer sees all before it
  std::vector<bool> windowed_layers;  // [num_layers]; empty: with a window, all are windowed
  // Modules for multi-token prediction behind the last layer (DeepSeek-V3, arXiv:2412.19437 section
  // 2.2): each a block of its own and another pass through embedding and head, in training alone.
  int64_t num_mtp_modules = 0;
  double init_std = 0.02;
  LatentAttention latent;  // kv_rank 0: none. head_dim is then that of queries and keys
  MoeSpec moe;
  std::vector<bool> layer_is_moe;  // [num_layers]

  bool has_moe() const;
  bool has_latent_attention() const { return latent.kv_rank > 0; }
  // `layer` here and below: TensorSpec::layer of a block. A module's is of the kind of the last
  // one.
  int64_t kind_layer(int64_t layer) const { return layer < num_layers ? layer : num_layers - 1; }
  int mtp_layer(int64_t module) const { return static_cast<int>(num_layers + 1 + module); }
  // What names of tensors call it: modules count on from the layers.
  int64_t number_in_names(int64_t layer) const { return layer > num_layers ? layer - 1 : layer; }
  std::vector<int> moe_layers() const;  // blocks with experts, in the order of the network
  bool is_windowed(int64_t layer) const;
  bool has_windowed_layer() const;
  // The last stage uses the token embedding too: for a tied head, or to predict further tokens.
  bool needs_embedding_at_end() const { return tied_head || num_mtp_modules > 0; }
  int64_t value_dim() const { return has_latent_attention() ? latent.value_dim : head_dim; }
  // Elements of a query's head that turn with its position.
  int64_t turning_dim() const;
  double attention_scale() const;  // of q . k, before the softmax
};

struct ModelReading {
  ModelSpec model;
  std::vector<std::string> warnings;  // unknown keys, dropout keys that stay off
};

// Reads config.json or the folder that holds it. Throws ConfigError naming file and key when a
// value is missing, of the wrong type, or asks for an architecture that cannot be represented.
ModelReading read_model(const std::filesystem::path& path);
ModelReading parse_model(std::string_view json_text, const std::string& name,
                         const std::string& where);

// --- tensors

enum class TensorRole {
  embedding,
  position_embedding,
  attention_norm,
  attention_norm_bias,
  mlp_norm,
  mlp_norm_bias,
  final_norm,
  final_norm_bias,
  q,
  k,
  v,
  q_bias,
  k_bias,
  v_bias,
  q_norm,
  k_norm,
  sinks,
  q_a,
  q_a_norm,
  q_b,
  kv_a,
  kv_a_norm,
  kv_b,  // latent attention; q without q_rank
  o,
  o_bias,
  gate,
  up,
  up_bias,
  down,
  down_bias,  // dense MLP; GPT-2: up = c_fc, down = c_proj
  router,
  router_bias,
  expert_gate,
  expert_gate_bias,
  expert_up,
  expert_up_bias,
  expert_down,
  expert_down_bias,
  shared_gate_proj,
  shared_up_proj,
  shared_down_proj,
  shared_expert_gate,
  head,
  mtp_embedding_norm,
  mtp_hidden_norm,
  mtp_projection,  // of both normed vectors, side by side, to one
  mtp_final_norm,
};

// How the attention grid's tp, or for experts etp, cuts a tensor.
//   rows      dim 0 (outputs of a column-parallel Linear)        cols   dim 1 (inputs of a
//   row-parallel Linear) kv_rows   dim 0 by key/value heads: tp > num_kv_heads leaves
//   tp/num_kv_heads copies of each vocab     dim 0, ragged (split_range)
enum class Shard { replicated, rows, cols, kv_rows, vocab };

enum class Init {
  zeros,
  ones,
  normal,
  kaiming_uniform
};  // normal: mean 0; kaiming_uniform: U(-1/sqrt(cols), 1/sqrt(cols))

// Which LoRA factor a tensor is.
enum class LoraPart { none, a, b };

// One logical tensor, named as Hugging Face names it. Matrices are (rows = outputs, cols = inputs),
// vectors (rows, 1). GPT-2 stores c_attn as one (H, 3H) matrix and all Linears transposed
// ("Conv1D"); here every Linear is (out, in), and c_attn is three tensors named ...c_attn.q.weight,
// .k., .v.; reading and writing HF files is where the two are matched. gpt-oss stacks its experts
// in experts.gate_up_proj (E, H, 2F) and experts.down_proj (E, F, H), gate and up in turn; here
// they are experts.gate_up_proj.{expert}.gate and .up, experts.down_proj.{expert}.
struct TensorSpec {
  std::string name;
  int64_t rows = 0, cols = 1;
  int layer = 0;  // -1: embedding, num_layers: final norm and head, beyond: multi-token prediction
  TensorRole role = TensorRole::embedding;
  int64_t expert = -1;  // >= 0: lives on the experts' grid
  Shard shard = Shard::replicated;
  Init init = Init::zeros;
  double init_std = 0.0;
  bool decay = false;  // weight decay applies (matrices, not norms and biases)
  bool trainable = true;
  LoraPart lora = LoraPart::none;

  int64_t size() const { return rows * cols; }
  bool is_expert() const { return expert >= 0; }
};

inline constexpr int64_t kUnquantizedBits = 16;  // the base is kept in the compute dtype

// What a LoRA job adds. rank 0: no LoRA, everything is trainable.
struct LoraSpec {
  int64_t rank = 0;
  double alpha = 16.0;
  std::vector<std::string>
      targets;  // module names as in PEFT (q_proj, down_proj, c_attn ...), or "all-linear"
  int64_t base_bits = kUnquantizedBits;  // 4: the blocks' frozen matrices are in NF4 (QLoRA)
  double scale() const { return rank > 0 ? alpha / static_cast<double>(rank) : 0.0; }
  auto operator<=>(const LoraSpec&) const = default;
};

// Every tensor in the order of the network: embedding, layers 0..L-1, final norm, head. With
// lora.rank > 0 the base is frozen and each targeted Linear is followed by its two factors, named
// as PEFT names them without the leading "base_model.model.". Throws ConfigError for a target that
// matches nothing (naming what would match). A tied head has no tensor of its own.
std::vector<TensorSpec> model_tensors(const ModelSpec& model, const LoraSpec& lora = {});

// The products of a block with weights: a kernel each where q, k and v, or gate and up, are one, in
// the order in which they run.
enum class BlockProduct { qkv, o, router, up, down, expert_up, expert_down, mtp_projection, none };
BlockProduct block_product(TensorRole role);
// True for the weights that blocks multiply activations with, the router's and gates' aside: those
// that frameworks keep in NF4 (bitsandbytes) or multiply in 8 bits (Transformer Engine). Embedding,
// head, norms and biases stay in the compute dtype, adapters too.
bool is_block_product(TensorRole role);
// True if this weight is kept in NF4 (planner/spec/nf4.h) under `lora`.
bool is_quantized(const LoraSpec& lora, TensorRole role);
bool is_quantized(const LoraSpec& lora, const TensorSpec& tensor);

// True if the Linear of this role carries an adapter under `lora`.
bool is_lora_target(const ModelSpec& model, const LoraSpec& lora, TensorRole role);

struct ParameterCount {
  int64_t total = 0;   // each logical tensor once; a tied head counts once
  int64_t active = 0;  // used to generate one token: top_k of the experts, no module of `mtp`
  int64_t mtp = 0;     // in modules for multi-token prediction
  int64_t trainable = 0;
  int64_t embedding = 0;  // token (and position) embeddings; an untied head is not among them
};
ParameterCount count_parameters(const ModelSpec& model, const LoraSpec& lora = {});

}  // namespace argosy
