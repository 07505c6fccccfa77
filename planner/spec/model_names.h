// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// How Hugging Face names the modules of each model type. For .cpp files only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/spec/model.h"

namespace argosy {

// Types whose router has sigmoid scores and a balancing bias, with DeepSeek's names.
bool is_like_deepseek(const std::string& model_type);

// Path of a role's module within its layer ("self_attn.q_proj"), "{}" standing for the expert's
// number; of roles outside of the layers the whole path ("model.embed_tokens"). Biases share the
// path of their weight. CHECK fails for a role that the model type does not have.
std::string module_path(const ModelSpec& model, TensorRole role);

// Name of a tensor: prefix of the layer (ModelSpec::number_in_names), module path, "weight" or
// "bias".
std::string tensor_name(const ModelSpec& model, TensorRole role, int64_t layer, int64_t expert);

// What modules for multi-token prediction share with the model stands once more in each of them, as
// in released files (README_WEIGHTS.md of DeepSeek-V3): a name there, and of which tensor.
struct TensorCopy {
  std::string name, of;
};
std::vector<TensorCopy> copies_in_modules(const ModelSpec& model);
// Of a tensor in a layer behind the last, where modules for multi-token prediction are: the layer's
// number in its name. None with such modules, and in models that know none.
std::optional<int64_t> layer_behind_last(const ModelSpec& model, std::string_view name);

// Of a vector (E) beside the router of a block, `layer` as in TensorSpec: no tensor of
// model_tensors(), as no gradient moves it.
std::string router_state_name(const ModelSpec& model, int64_t layer, std::string_view leaf);
// What balances it (MoeSpec::has_balancing_bias), as Hugging Face's files call it.
inline constexpr std::string_view kBalancingBias = "e_score_correction_bias";
// Shares of the step before, where the auxiliary loss is global; our checkpoints' alone.
inline constexpr std::string_view kRouterShares = "shares";

// Linears that may carry an adapter, in the order of the network; the router, embeddings and the
// head are not among them.
std::vector<TensorRole> adaptable_roles(const ModelSpec& model);

}  // namespace argosy
