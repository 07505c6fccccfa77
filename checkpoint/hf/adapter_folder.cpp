// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/hf/adapter_folder.h"

#include <set>
#include <string>

#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;

// Of a key whose absence, null, false and emptiness all say that nothing is asked for.
bool is_unset(const Json& config, const char* key) {
  if (!config.contains(key)) return true;
  const Json& value = config[key];
  return value.is_null() || value == false || value == "none" ||
         (value.is_structured() && value.empty());
}

[[noreturn]] void refuse(const fs::path& path, const Json& config, const char* key,
                         const std::string& valid) {
  throw ConfigError(concat(path.string(), ": ", key, " is ",
                           config.contains(key) ? config[key].dump() : "missing",
                           "; valid: ", valid));
}

// Keys that ask for what plain LoRA has not.
void check_is_plain(const fs::path& path, const Json& config) {
  for (const char* key : {"use_dora", "use_rslora", "bias", "rank_pattern", "alpha_pattern",
                          "modules_to_save", "lora_bias", "layer_replication"}) {
    if (is_unset(config, key)) continue;
    throw ConfigError(concat(path.string(), ": ", key, " is ", config[key].dump(),
                             ": not supported; valid: an adapter of plain LoRA"));
  }
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
      throw ConfigError(concat(file.string(), ": no tensor ", place.name,
                               " of the plan's adapters; valid: a plan with --lora-targets of the "
                               "adapter's target_modules"));
    }
    used.insert(it->first);
    sources.emplace(spec.name, hf_source(folder, spec, place, it->first, it->second));
  }
  for (const auto& [name, tensor] : found) {
    if (used.contains(name)) continue;
    throw ConfigError(concat(file.string(), ": holds ", name,
                             ", which the plan's adapters have not; valid: a plan with "
                             "--lora-targets of the adapter's target_modules"));
  }
  return sources;
}

}  // namespace argosy
