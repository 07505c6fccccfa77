// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Every tensor of the network, in its order, and the counts that follow.
#include <algorithm>
#include <cmath>

#include "planner/spec/check.h"
#include "planner/spec/model.h"
#include "planner/spec/model_lora.h"
#include "planner/spec/model_names.h"

namespace argosy {

namespace {

// Appends tensors in the order of the network. Shapes are (rows = outputs, cols = inputs).
class TensorList {
 public:
  TensorList(const ModelSpec& model, const LoraSpec& lora) : model_(model), lora_(lora) {}

  void enter_layer(int64_t layer, int64_t number_in_names) {
    layer_ = layer;
    number_in_names_ = number_in_names;
  }
  void enter_expert(int64_t expert) { expert_ = expert; }

  // A gain (ones) and, for LayerNorm, its bias (zeros).
  void norm(TensorRole gain, TensorRole bias) {
    vector(gain, model_.hidden_size, Init::ones);
    if (model_.norm == NormKind::layer) vector(bias, model_.hidden_size, Init::zeros);
  }

  void vector(TensorRole role, int64_t size, Init init, Shard shard = Shard::replicated) {
    add(role, size, 1, shard).init = init;
  }

  void matrix(TensorRole role, int64_t rows, int64_t cols, Shard shard) {
    TensorSpec& tensor = add(role, rows, cols, shard);
    tensor.init = Init::normal;
    tensor.init_std = model_.init_std;
    tensor.decay = true;
  }

  // A Linear with its bias (if `has_bias`) and its adapter (if `lora` wants one).
  void linear(TensorRole role, int64_t rows, int64_t cols, Shard shard, bool has_bias = false,
              TensorRole bias = TensorRole::q_bias) {
    matrix(role, rows, cols, shard);
    // The residual stream sums 2L outputs: GPT-2 scales these down to keep its variance (Radford et
    // al. 2019, section 2.3).
    if (shard == Shard::cols) {
      tensors_.back().init_std /= std::sqrt(2.0 * static_cast<double>(model_.num_layers));
    }
    const std::string name = tensors_.back().name;
    if (has_bias) {
      vector(bias, rows, Init::zeros, shard == Shard::cols ? Shard::replicated : shard);
    }
    if (is_lora_target(model_, lora_, role)) adapter(name, role, rows, cols, shard);
  }

  std::vector<TensorSpec> take() { return std::move(tensors_); }

 private:
  // y = W x + (alpha/r) B (A x). An adapter's output is in the same parallel state as that of its
  // base: column-parallel W shards B, row-parallel W shards A.
  void adapter(const std::string& base_name, TensorRole role, int64_t rows, int64_t cols,
               Shard shard) {
    const std::string module =
        base_name.substr(0, base_name.size() - std::string(".weight").size());
    const bool row_parallel = shard == Shard::cols;
    TensorSpec& a = add(role, lora_.rank, cols, row_parallel ? Shard::cols : Shard::replicated);
    a.name = module + ".lora_A.weight";
    a.init = Init::kaiming_uniform;
    a.lora = LoraPart::a;
    a.decay = a.trainable = true;
    TensorSpec& b = add(role, rows, lora_.rank, row_parallel ? Shard::replicated : shard);
    b.name = module + ".lora_B.weight";
    b.init = Init::zeros;
    b.lora = LoraPart::b;
    b.decay = b.trainable = true;
  }

  TensorSpec& add(TensorRole role, int64_t rows, int64_t cols, Shard shard) {
    TensorSpec tensor;
    tensor.name = tensor_name(model_, role, number_in_names_, expert_);
    tensor.rows = rows;
    tensor.cols = cols;
    tensor.layer = static_cast<int>(layer_);
    tensor.role = role;
    tensor.expert = expert_;
    tensor.shard = shard;
    tensor.trainable = lora_.rank == 0;
    return tensors_.emplace_back(std::move(tensor));
  }

  const ModelSpec& model_;
  const LoraSpec& lora_;
  std::vector<TensorSpec> tensors_;
  int64_t layer_ = -1, number_in_names_ = -1, expert_ = -1;
};

// The small vectors are made on every rank of a tensor-parallel group, heads from them are cut.
void add_latent_attention(const ModelSpec& model, TensorList& list) {
  const LatentAttention& latent = model.latent;
  const int64_t hidden = model.hidden_size, heads = model.num_heads;
  list.norm(TensorRole::attention_norm, TensorRole::attention_norm_bias);
  if (latent.q_rank > 0) {
    list.linear(TensorRole::q_a, latent.q_rank, hidden, Shard::replicated);
    list.vector(TensorRole::q_a_norm, latent.q_rank, Init::ones);
    list.linear(TensorRole::q_b, heads * model.head_dim, latent.q_rank, Shard::rows);
  } else {
    list.linear(TensorRole::q, heads * model.head_dim, hidden, Shard::rows);
  }
  list.linear(TensorRole::kv_a, latent.kv_rank + latent.rope_dim, hidden, Shard::replicated);
  list.vector(TensorRole::kv_a_norm, latent.kv_rank, Init::ones);
  list.linear(TensorRole::kv_b, heads * (latent.nope_dim + latent.value_dim), latent.kv_rank,
              Shard::rows);
  list.linear(TensorRole::o, hidden, heads * latent.value_dim, Shard::cols);
}

void add_attention(const ModelSpec& model, TensorList& list) {
  const int64_t hidden = model.hidden_size;
  const int64_t q_rows = model.num_heads * model.head_dim;
  const int64_t kv_rows = model.num_kv_heads * model.head_dim;
  list.norm(TensorRole::attention_norm, TensorRole::attention_norm_bias);
  list.linear(TensorRole::q, q_rows, hidden, Shard::rows, model.qkv_bias, TensorRole::q_bias);
  list.linear(TensorRole::k, kv_rows, hidden, Shard::kv_rows, model.qkv_bias, TensorRole::k_bias);
  list.linear(TensorRole::v, kv_rows, hidden, Shard::kv_rows, model.qkv_bias, TensorRole::v_bias);
  if (model.qk_norm && model.qk_norm_is_whole) {
    list.vector(TensorRole::q_norm, q_rows, Init::ones, Shard::rows);
    list.vector(TensorRole::k_norm, kv_rows, Init::ones, Shard::kv_rows);
  } else if (model.qk_norm) {
    list.vector(TensorRole::q_norm, model.head_dim, Init::ones);
    list.vector(TensorRole::k_norm, model.head_dim, Init::ones);
  }
  if (model.attention_sinks) {
    list.vector(TensorRole::sinks, model.num_heads, Init::zeros, Shard::rows);
  }
  list.linear(TensorRole::o, hidden, q_rows, Shard::cols, model.attention_output_bias,
              TensorRole::o_bias);
}

void add_dense_mlp(const ModelSpec& model, TensorList& list) {
  const int64_t hidden = model.hidden_size, ffn = model.ffn_size;
  if (model.mlp == MlpKind::swiglu) list.linear(TensorRole::gate, ffn, hidden, Shard::rows);
  list.linear(TensorRole::up, ffn, hidden, Shard::rows, model.mlp_bias, TensorRole::up_bias);
  list.linear(TensorRole::down, hidden, ffn, Shard::cols, model.mlp_bias, TensorRole::down_bias);
}

void add_moe(const ModelSpec& model, TensorList& list) {
  const MoeSpec& moe = model.moe;
  const int64_t hidden = model.hidden_size;
  const bool bias = moe.has_biases;
  list.matrix(TensorRole::router, moe.num_experts, hidden, Shard::replicated);
  if (bias) list.vector(TensorRole::router_bias, moe.num_experts, Init::zeros);
  for (int64_t expert = 0; expert < moe.num_experts; ++expert) {
    list.enter_expert(expert);
    list.linear(TensorRole::expert_gate, moe.ffn_size, hidden, Shard::rows, bias,
                TensorRole::expert_gate_bias);
    list.linear(TensorRole::expert_up, moe.ffn_size, hidden, Shard::rows, bias,
                TensorRole::expert_up_bias);
    list.linear(TensorRole::expert_down, hidden, moe.ffn_size, Shard::cols, bias,
                TensorRole::expert_down_bias);
  }
  list.enter_expert(-1);
  if (moe.shared_ffn_size == 0) return;
  list.linear(TensorRole::shared_gate_proj, moe.shared_ffn_size, hidden, Shard::rows);
  list.linear(TensorRole::shared_up_proj, moe.shared_ffn_size, hidden, Shard::rows);
  list.linear(TensorRole::shared_down_proj, hidden, moe.shared_ffn_size, Shard::cols);
  if (moe.shared_gate) list.matrix(TensorRole::shared_expert_gate, 1, hidden, Shard::replicated);
}

void add_block(const ModelSpec& model, bool is_moe, TensorList& list) {
  if (model.has_latent_attention()) {
    add_latent_attention(model, list);
  } else {
    add_attention(model, list);
  }
  list.norm(TensorRole::mlp_norm, TensorRole::mlp_norm_bias);
  if (is_moe) {
    add_moe(model, list);
  } else {
    add_dense_mlp(model, list);
  }
}

// Embedding and head are those of the model; the block is as its last layer. Names count on from
// the layers (model.layers.61 of DeepSeek-V3), layers from the head.
void add_mtp_module(const ModelSpec& model, int64_t module, TensorList& list) {
  const int64_t hidden = model.hidden_size;
  const int layer = model.mtp_layer(module);
  list.enter_layer(layer, model.number_in_names(layer));
  list.vector(TensorRole::mtp_embedding_norm, hidden, Init::ones);
  list.vector(TensorRole::mtp_hidden_norm, hidden, Init::ones);
  list.linear(TensorRole::mtp_projection, hidden, 2 * hidden, Shard::replicated);
  add_block(model, model.layer_is_moe.back(), list);
  list.vector(TensorRole::mtp_final_norm, hidden, Init::ones);
}

}  // namespace

std::vector<TensorSpec> model_tensors(const ModelSpec& model, const LoraSpec& lora) {
  validate_lora(model, lora);
  TensorList list(model, lora);
  list.matrix(TensorRole::embedding, model.vocab_size, model.hidden_size, Shard::vocab);
  if (model.position == PositionKind::learned) {
    list.matrix(TensorRole::position_embedding, model.max_positions, model.hidden_size,
                Shard::replicated);
  }
  for (int64_t layer = 0; layer < model.num_layers; ++layer) {
    list.enter_layer(layer, layer);
    add_block(model, model.layer_is_moe.at(static_cast<size_t>(layer)), list);
  }
  list.enter_layer(model.num_layers, model.num_layers);
  list.norm(TensorRole::final_norm, TensorRole::final_norm_bias);
  if (!model.tied_head) {
    list.matrix(TensorRole::head, model.vocab_size, model.hidden_size, Shard::vocab);
  }
  for (int64_t module = 0; module < model.num_mtp_modules; ++module) {
    add_mtp_module(model, module, list);
  }
  return list.take();
}

namespace {

// One layer with experts, one without, as far as the model has them; the kind of its last layer at
// the end, because modules behind it are as it is.
ModelSpec one_layer_of_each_kind(const ModelSpec& model) {
  ModelSpec small = model;
  const auto& kinds = model.layer_is_moe;
  if (kinds.empty()) return small;
  const bool last = kinds.back();
  const bool has_both = std::find(kinds.begin(), kinds.end(), !last) != kinds.end();
  small.layer_is_moe = has_both ? std::vector<bool>{!last, last} : std::vector<bool>{last};
  small.num_layers = static_cast<int64_t>(small.layer_is_moe.size());
  return small;
}

}  // namespace

// Layers of a kind have tensors of the same sizes: those of one layer, as often as it is there.
ParameterCount count_parameters(const ModelSpec& model, const LoraSpec& lora) {
  const ModelSpec small = one_layer_of_each_kind(model);
  const auto num_alike = [&](int layer) -> int64_t {
    if (layer < 0 || layer >= small.num_layers) return 1;
    return std::count(model.layer_is_moe.begin(), model.layer_is_moe.end(),
                      small.layer_is_moe[static_cast<size_t>(layer)]);
  };
  ParameterCount count;
  int64_t experts = 0;
  for (const TensorSpec& tensor : model_tensors(small, lora)) {
    const int64_t size = tensor.size() * num_alike(tensor.layer);
    count.total += size;
    if (tensor.layer > small.num_layers) {
      count.mtp += size;
    } else if (tensor.is_expert()) {
      experts += size;
    }
    if (tensor.trainable) count.trainable += size;
    if (tensor.layer < 0) count.embedding += size;
  }
  count.active = count.total - count.mtp;
  // All experts are of one size, so the share is exact.
  if (experts > 0)
    count.active -= experts / model.moe.num_experts * (model.moe.num_experts - model.moe.top_k);
  return count;
}

}  // namespace argosy
