// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/serve/decode_model.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "planner/spec/kv_cache.h"

namespace argosy {

namespace {

void add(const TensorSpec& tensor, const ModelSpec& model, WeightProduct& product) {
  const double size = static_cast<double>(tensor.size());
  if (tensor.shard == Shard::replicated) {
    product.replicated_elements += size;
  } else if (tensor.shard == Shard::kv_rows) {
    product.kv_elements += size;
  } else {
    product.split_elements += size;
  }
  if (tensor.is_expert()) {
    product.share_per_token =
        static_cast<double>(model.moe.top_k) / static_cast<double>(model.moe.num_experts);
  }
}

// Two norms, RoPE, the cache's append, the activation; a mixture also sorts and combines rows.
int64_t small_ops(bool is_moe) {
  return is_moe ? 8 : 5;
}

DecodeLayer decode_layer(const std::vector<TensorSpec>& tensors, const ModelSpec& model,
                         int64_t layer) {
  std::map<BlockProduct, WeightProduct> products;  // a kernel each, in their order
  for (const TensorSpec& tensor : tensors) {
    const BlockProduct product = block_product(tensor.role);
    if (tensor.layer == layer && product != BlockProduct::none) {
      add(tensor, model, products[product]);
    }
  }
  DecodeLayer result;
  for (const auto& [kernel, product] : products) result.products.push_back(product);
  result.num_small_ops = small_ops(model.layer_is_moe[static_cast<size_t>(layer)]);
  return result;
}

}  // namespace

DecodeModel decode_model(const ModelSpec& model) {
  const std::vector<TensorSpec> tensors = model_tensors(model);
  DecodeModel decode;
  const ParameterCount count = count_parameters(model);
  decode.parameters = static_cast<double>(count.total - count.mtp);
  decode.kv_elements_per_layer = kv_elements_per_layer(model);
  decode.is_table_the_head = model.tied_head;
  for (const TensorSpec& tensor : tensors) {
    const bool is_table = tensor.role == TensorRole::embedding;
    if (is_table || tensor.role == TensorRole::position_embedding) {
      decode.table_parameters += static_cast<double>(tensor.size());
    }
    if (tensor.role == TensorRole::head || (is_table && model.tied_head)) {
      decode.head.split_elements += static_cast<double>(tensor.size());
    }
  }
  std::map<std::pair<bool, bool>, DecodeLayer> kinds;
  for (int64_t i = 0; i < model.num_layers; ++i) {
    const bool is_windowed = model.is_windowed(i);
    DecodeLayer& layer = kinds[{model.layer_is_moe[static_cast<size_t>(i)], is_windowed}];
    if (layer.count == 0) layer = decode_layer(tensors, model, i);
    layer.window = is_windowed ? model.sliding_window : 0;
    ++layer.count;
  }
  for (auto& [kind, layer] : kinds) decode.layers.push_back(std::move(layer));
  return decode;
}

double DecodeLayer::seen_keys(double keys) const {
  return window > 0 ? std::min(static_cast<double>(window), keys) : keys;
}

double DecodeModel::cached_tokens(double keys) const {
  double tokens = 0;
  for (const DecodeLayer& layer : layers) {
    tokens += static_cast<double>(layer.count) * layer.seen_keys(keys);
  }
  return tokens;
}

double used_share(const WeightProduct& product, double tokens) {
  return 1 - std::pow(1 - product.share_per_token, tokens);
}

ModelSpec resized(const ModelSpec& model, double parameters, int64_t head_multiple) {
  const double total = static_cast<double>(count_parameters(model).total);
  const double scale = std::cbrt(parameters / total);
  const auto rounded = [&](int64_t value, double factor, int64_t multiple) {
    const double units = static_cast<double>(value) * factor / static_cast<double>(multiple);
    return std::max<int64_t>(1, std::llround(units)) * multiple;
  };
  ModelSpec small = model;
  small.num_heads = rounded(model.num_heads, scale, head_multiple);
  const double width = static_cast<double>(small.num_heads) / static_cast<double>(model.num_heads);
  const bool is_grouped = model.num_kv_heads < model.num_heads;
  if (!is_grouped) small.num_kv_heads = small.num_heads;
  small.hidden_size = rounded(model.hidden_size, width, head_multiple);
  small.ffn_size = rounded(model.ffn_size, width, head_multiple);
  if (model.has_moe()) {
    small.moe.ffn_size = rounded(model.moe.ffn_size, width, head_multiple);
    if (model.moe.shared_ffn_size > 0) {
      small.moe.shared_ffn_size = rounded(model.moe.shared_ffn_size, width, head_multiple);
    }
  }
  const double here = static_cast<double>(count_parameters(small).total);
  const double per_layer = here / static_cast<double>(model.num_layers);  // tables are small
  small.num_layers = std::max<int64_t>(1, std::llround(parameters / per_layer));
  small.layer_is_moe.clear();
  small.windowed_layers.clear();
  for (int64_t i = 0; i < small.num_layers; ++i) {
    const int64_t source = i * model.num_layers / small.num_layers;
    small.layer_is_moe.push_back(model.layer_is_moe[static_cast<size_t>(source)]);
    if (!model.windowed_layers.empty()) small.windowed_layers.push_back(model.is_windowed(source));
  }
  return small;
}

}  // namespace argosy
