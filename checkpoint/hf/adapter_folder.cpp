// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/hf/adapter_folder.h"

#include <set>
#include <string>

#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"
#include "planner/spec/model_names.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;

// Keys that ask for what plain LoRA has not, and what says that they do not
// (github.com/huggingface/peft, LoraConfig).
constexpr struct {
  const char *key, *unset;
} kBeyondPlainLora[] = {{"use_dora", "false"},
                        {"use_rslora", "false"},
                        {"use_qalora", "false"},
                        {"lora_bias", "false"},
                        {"bias", "\"none\""},
                        {"rank_pattern", "{}"},
                        {"alpha_pattern", "{}"},
                        {"modules_to_save", "null"},
                        {"layers_to_transform", "null"},
                        {"layers_pattern", "null"},
                        {"layer_replication", "null"},
                        {"exclude_modules", "null"},
                        {"target_parameters", "null"},
                        {"trainable_token_indices", "null"},
                        {"alora_invocation_tokens", "null"}};

// Of a key whose absence, null, false and emptiness all say that nothing is asked for.
bool is_unset(const Json& config, const char* key) {
  if (!config.contains(key)) return true;
  const Json& value = config[key];
  if (value.is_string()) {
    const auto word = value.get<std::string>();
    return word.empty() || word == "none";
  }
  return value.is_null() || value == false || (value.is_structured() && value.empty());
}

// Factors that began so stand on weights that are the base's own. Others (PiSSA, OLoRA, CorDA,
// LoftQ) took out of the base's weights what the factors had at first, or rounded them.
bool keeps_base(const Json& config) {
  const Json init = config.value("init_lora_weights", Json());
  return init.is_null() || init.is_boolean() || init == "gaussian" || init == "eva" ||
         init == "orthogonal";
}

[[noreturn]] void refuse(const fs::path& path, const Json& config, const char* key,
                         const std::string& valid) {
  throw ConfigError(concat(path.string(), ": ", key, " is ",
                           config.contains(key) ? config[key].dump() : "missing",
                           "; valid: ", valid));
}

void check_is_plain(const fs::path& path, const Json& config) {
  const auto refuse_value = [&](const char* key, const char* valid) {
    throw ConfigError(concat(path.string(), ": ", key, " is ", config[key].dump(),
                             ": not supported; valid: ", valid));
  };
  for (const auto& [key, unset] : kBeyondPlainLora) {
    if (!is_unset(config, key)) refuse_value(key, unset);
  }
  if (!keeps_base(config)) {
    refuse_value("init_lora_weights", R"(true, false, "gaussian", "eva", "orthogonal")");
  }
  // Either is right: factors lie alike, and PEFT itself sees how a module's weights do.
  const Json lies_across = config.value("fan_in_fan_out", Json());
  if (!lies_across.is_null() && !lies_across.is_boolean())
    refuse_value("fan_in_fan_out", "true, false");
}

void check_config(const fs::path& path, const Plan& plan) {
  const Json config = parse_json(read_text_file(path), path.string());
  const auto expect = [&](const char* key, const auto& value) {
    if (config.contains(key) && config[key] == value) return;
    refuse(path, config, key, Json(value).dump() + ", as in the plan");
  };
  expect("peft_type", "LORA");
  expect("r", plan.lora.rank);
  expect("lora_alpha", plan.lora.alpha);
  check_is_plain(path, config);
}

}  // namespace

bool is_peft_folder(const fs::path& folder) {
  return fs::exists(folder / "adapter_config.json");
}

LoraSpec read_peft_lora(const fs::path& folder) {
  const fs::path path = folder / "adapter_config.json";
  const Json config = parse_json(read_text_file(path), path.string());
  const auto value = [&](const char* key) { return config.contains(key) ? config[key] : Json(); };
  if (value("peft_type") != "LORA") refuse(path, config, "peft_type", "\"LORA\"");
  const Json rank = value("r"), alpha = value("lora_alpha"), targets = value("target_modules");
  if (!rank.is_number_integer() || rank.get<int64_t>() < 1) refuse(path, config, "r", "1 or more");
  if (!alpha.is_number() || alpha.get<double>() <= 0)
    refuse(path, config, "lora_alpha", "a number above 0");
  LoraSpec lora;
  lora.rank = rank.get<int64_t>();
  lora.alpha = alpha.get<double>();
  if (targets.is_string()) {
    lora.targets = {targets.get<std::string>()};  // all-linear; patterns match no module
  } else if (targets.is_array() && !targets.empty()) {
    for (const Json& target : targets) {
      if (!target.is_string()) refuse(path, config, "target_modules", "names of modules");
      lora.targets.push_back(target.get<std::string>());
    }
  } else {
    refuse(path, config, "target_modules", "names of modules");
  }
  check_is_plain(path, config);
  return lora;
}

HfSources find_peft_adapter(const fs::path& folder, const Plan& plan) {
  check_config(folder / "adapter_config.json", plan);
  const fs::path file = folder / "adapter_model.safetensors";
  const FoundTensors found = read_safetensors(file);
  HfSources sources;
  std::set<std::string> used;
  for (const TensorSpec& spec : model_tensors(plan.model, plan.lora)) {
    if (spec.lora == LoraPart::none) continue;
    const HfPlace place = peft_place(spec);
    const auto it = found.find(place.name);
    if (it == found.end()) {
      const bool is_of_module = spec.layer > plan.model.num_layers;
      throw ConfigError(concat(file.string(), ": no tensor ", place.name,
                               " of the plan's adapters; valid: a plan ",
                               is_of_module ? "of a config with num_nextn_predict_layers 0: PEFT "
                                              "knows no modules for multi-token prediction"
                                            : "with --lora-targets of the adapter's "
                                              "target_modules"));
    }
    used.insert(it->first);
    sources.emplace(spec.name, hf_source(folder, spec, place, it->first, it->second));
  }
  for (const auto& [name, tensor] : found) {
    const bool is_left = name.starts_with(kPeftPrefix) &&
                         layer_behind_last(plan.model, name.substr(kPeftPrefix.size()));
    if (used.contains(name) || is_left) continue;
    throw ConfigError(concat(file.string(), ": holds ", name,
                             ", which the plan's adapters have not; valid: a plan with "
                             "--lora-targets of the adapter's target_modules"));
  }
  return sources;
}

}  // namespace argosy
