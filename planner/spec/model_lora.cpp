// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Which Linears a LoRA job adapts: PEFT's rule for target_modules, a module's whole path or its
// end behind a dot (https://huggingface.co/docs/peft, LoraConfig).
#include "planner/spec/model_lora.h"

#include <algorithm>
#include <sstream>

#include "planner/spec/check.h"
#include "planner/spec/model.h"
#include "planner/spec/model_names.h"

namespace argosy {

namespace {

constexpr std::string_view kAllLinear = "all-linear";

// The module that PEFT sees: c_attn of GPT-2 is one Linear there.
std::string peft_path(const ModelSpec& model, TensorRole role) {
  std::string path = module_path(model, role);
  if (const size_t fused = path.find("c_attn."); fused != std::string::npos) path.resize(fused + 6);
  return path;
}

bool matches(const std::string& path, const std::string& target) {
  return target == kAllLinear || path == target || path.ends_with("." + target);
}

// Last parts of the adaptable modules' paths, each once: "q_proj, k_proj, ...".
std::string valid_targets(const ModelSpec& model) {
  std::vector<std::string> names = {std::string(kAllLinear)};
  for (const TensorRole role : adaptable_roles(model)) {
    const std::string path = peft_path(model, role);
    const std::string name = path.substr(path.rfind('.') + 1);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  std::string list;
  for (const std::string& name : names) append_listed(list, name);
  return list;
}

}  // namespace

std::vector<std::string> lora_targets_from_string(std::string_view text) {
  std::vector<std::string> targets;
  std::istringstream words{std::string(text)};
  for (std::string word; std::getline(words, word, ',');) {
    if (!word.empty()) targets.push_back(word);
  }
  return targets;
}

bool is_lora_target(const ModelSpec& model, const LoraSpec& lora, TensorRole role) {
  if (lora.rank <= 0) return false;
  const std::vector<TensorRole> roles = adaptable_roles(model);
  if (std::find(roles.begin(), roles.end(), role) == roles.end()) return false;
  const std::string path = peft_path(model, role);
  return std::any_of(lora.targets.begin(), lora.targets.end(),
                     [&](const std::string& target) { return matches(path, target); });
}

BlockProduct block_product(TensorRole role) {
  switch (role) {
    case TensorRole::q:
    case TensorRole::k:
    case TensorRole::v:
    case TensorRole::q_a:
    case TensorRole::q_b:
    case TensorRole::kv_a:
    case TensorRole::kv_b:
      return BlockProduct::qkv;
    case TensorRole::o:
      return BlockProduct::o;
    case TensorRole::router:
    case TensorRole::shared_expert_gate:
      return BlockProduct::router;
    case TensorRole::gate:
    case TensorRole::up:
    case TensorRole::shared_gate_proj:
    case TensorRole::shared_up_proj:
      return BlockProduct::up;
    case TensorRole::down:
    case TensorRole::shared_down_proj:
      return BlockProduct::down;
    case TensorRole::expert_gate:
    case TensorRole::expert_up:
      return BlockProduct::expert_up;
    case TensorRole::expert_down:
      return BlockProduct::expert_down;
    case TensorRole::mtp_projection:
      return BlockProduct::mtp_projection;
    default:
      return BlockProduct::none;
  }
}

bool is_block_product(TensorRole role) {
  const BlockProduct product = block_product(role);
  return product != BlockProduct::none && product != BlockProduct::router;
}

bool is_quantized(const LoraSpec& lora, TensorRole role) {
  return lora.rank > 0 && lora.base_bits != kUnquantizedBits && is_block_product(role);
}

bool is_quantized(const LoraSpec& lora, const TensorSpec& tensor) {
  return tensor.lora == LoraPart::none && is_quantized(lora, tensor.role);
}

void validate_lora(const ModelSpec& model, const LoraSpec& lora) {
  if (lora.rank < 0) {
    throw ConfigError(concat("lora: rank=", lora.rank, ", but a rank is at least 1 (0: no LoRA)"));
  }
  if (lora.rank == 0) return;
  if (!(lora.alpha > 0)) {
    throw ConfigError(concat("lora: alpha=", lora.alpha, ", but alpha is above 0"));
  }
  if (lora.base_bits != kUnquantizedBits && lora.base_bits != 4) {
    throw ConfigError(concat("lora: base_bits=", lora.base_bits,
                             "; valid: 16 (the precision of the run) and 4 (NF4, QLoRA)"));
  }
  const std::vector<TensorRole> roles = adaptable_roles(model);
  if (lora.targets.empty()) {
    throw ConfigError(
        concat("lora: no targets; valid for ", model.model_type, ": ", valid_targets(model)));
  }
  for (const std::string& target : lora.targets) {
    const bool any = std::any_of(roles.begin(), roles.end(), [&](TensorRole role) {
      return matches(peft_path(model, role), target);
    });
    if (!any) {
      throw ConfigError(concat("lora: target '", target, "' matches no Linear of ",
                               model.model_type, "; valid: ", valid_targets(model)));
    }
  }
}

}  // namespace argosy
