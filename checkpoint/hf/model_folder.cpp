// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/hf/model_folder.h"

#include <optional>
#include <set>
#include <string>
#include <utility>

#include "checkpoint/manifest.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"
#include "planner/spec/model_names.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;

FoundTensors tensors_of_folder(const fs::path& folder) {
  const fs::path single = folder / "model.safetensors";
  const fs::path index = folder / "model.safetensors.index.json";
  if (!fs::exists(index)) {
    if (fs::exists(single)) return read_safetensors(single);
    throw ConfigError(concat(folder.string(), ": neither model.safetensors nor ",
                             "model.safetensors.index.json; other formats are not supported"));
  }
  const Json json = parse_json(read_text_file(index), index.string());
  if (!json.contains("weight_map") || !json["weight_map"].is_object())
    throw ConfigError(concat(index.string(), ": weight_map is missing"));
  std::map<std::string, FoundTensors> files;
  FoundTensors tensors;
  for (const auto& [name, file] : json["weight_map"].items()) {
    const std::string file_name = file.is_string() ? file.get<std::string>() : "";
    if (file_name.empty() || fs::path(file_name).has_parent_path())
      throw ConfigError(concat(index.string(), ": ", name, ": no file's name"));
    if (!files.contains(file_name)) files[file_name] = read_safetensors(folder / file_name);
    const auto found = files[file_name].find(name);
    if (found == files[file_name].end()) {
      throw ConfigError(
          concat(index.string(), ": says that ", name, " is in ", file_name, ", and it is not"));
    }
    tensors.insert(*found);
  }
  return tensors;
}

// GPT-2's files lack the prefix where the bare network was saved.
FoundTensors::const_iterator find(const FoundTensors& found, const std::string& name) {
  constexpr std::string_view kPrefix = "transformer.";
  const auto it = found.find(name);
  if (it != found.end() || !name.starts_with(kPrefix)) return it;
  return found.find(name.substr(kPrefix.size()));
}

// Masks and frequencies that older files hold, and the head of a tied model: nothing to be learnt.
bool may_be_left(const ModelSpec& model, const std::string& name) {
  return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias") ||
         name.ends_with(".rotary_emb.inv_freq") || (model.tied_head && name == "lm_head.weight");
}

// Of a module for multi-token prediction that the model does without. Any other layer behind the
// last would be a block of the network that it has not.
bool is_of_module(const ModelSpec& model, const FoundTensors& found, const std::string& name) {
  const std::optional<int64_t> layer = layer_behind_last(model, name);
  return layer && found.contains(tensor_name(model, TensorRole::mtp_projection, *layer, -1));
}

// Those that gradients move, and what balances routers.
std::vector<TensorSpec> tensors_in_files(const ModelSpec& model) {
  std::vector<TensorSpec> tensors = model_tensors(model);
  for (const int layer : model.moe_layers()) {
    if (!model.moe.has_balancing_bias()) break;
    tensors.push_back({.name = router_state_name(model, layer, kBalancingBias),
                       .rows = model.moe.num_experts,
                       .cols = 1});
  }
  return tensors;
}

// Of a weight in 4 bits, if the folder has its blocks and scales.
std::optional<HfSource> find_packed(const fs::path& folder, const ModelSpec& model,
                                    const TensorSpec& spec, const std::string& stacked,
                                    const FoundTensors& found, std::set<std::string>* used) {
  const Mxfp4Place place = mxfp4_place(model, spec, stacked);
  const auto blocks = found.find(place.blocks), scales = found.find(place.scales);
  const bool is_packed = blocks != found.end() && scales != found.end();
  if (!is_packed || spec.cols % kMxfp4Block != 0) return std::nullopt;
  used->insert({place.blocks, place.scales});
  return packed_source(folder, spec, place, blocks->second, scales->second);
}

}  // namespace

bool is_hf_folder(const fs::path& path) {
  return fs::exists(path / "config.json") && !fs::exists(path / kManifestFile);
}

HfSources find_hf_model(const fs::path& folder, const ModelSpec& model) {
  const FoundTensors found = tensors_of_folder(folder);
  std::set<std::string> used;
  HfSources sources;
  for (const TensorSpec& spec : tensors_in_files(model)) {
    const HfPlace place = hf_place(model, spec);
    const auto it = find(found, place.name);
    if (it == found.end() && !place.is_ours && spec.is_expert() && spec.cols > 1) {
      if (auto packed = find_packed(folder, model, spec, place.name, found, &used)) {
        sources.emplace(spec.name, std::move(*packed));
        continue;
      }
    }
    if (it == found.end()) {
      const bool is_of_module = spec.layer > model.num_layers;
      throw ConfigError(concat(folder.string(), ": no tensor ", place.name, " of the model",
                               is_of_module
                                   ? "'s modules for multi-token prediction; valid: a plan "
                                     "of a config with num_nextn_predict_layers 0"
                                   : ""));
    }
    used.insert(it->first);
    sources.emplace(spec.name, hf_source(folder, spec, place, it->first, it->second));
  }
  for (const TensorCopy& copy : copies_in_modules(model)) {
    const auto it = found.find(copy.name);
    if (it == found.end()) continue;
    // Looked at, not read: what is shared has one value (README_WEIGHTS.md of DeepSeek-V3).
    const HfSource& shared = sources.at(copy.of);
    (void)hf_source(folder, shared.spec, shared.place, copy.name, it->second);
    used.insert(copy.name);
  }
  for (const auto& [name, tensor] : found) {
    if (used.contains(name) || may_be_left(model, name) || is_of_module(model, found, name))
      continue;
    throw ConfigError(concat(folder.string(), ": holds ", name, ", which the model has not"));
  }
  return sources;
}

}  // namespace argosy
