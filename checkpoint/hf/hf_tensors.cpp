// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/hf/hf_tensors.h"

#include <initializer_list>
#include <map>
#include <set>

#include "planner/spec/check.h"

namespace argosy {
namespace {

using StoredByName = std::map<std::string, const StoredTensor*>;  // by full_name()

StoredByName by_full_name(const Manifest& manifest) {
  StoredByName stored;
  for (const StoredTensor& tensor : manifest.tensors) stored[full_name(tensor)] = &tensor;
  return stored;
}

const StoredTensor* find(const StoredByName& stored, const std::string& name,
                         std::initializer_list<const char*> kinds) {
  for (const char* kind : kinds) {
    if (const auto it = stored.find(concat(kind, "/", name)); it != stored.end()) return it->second;
  }
  throw Error(concat("the checkpoint has no tensor ", name, " of its own plan's model"));
}

// A trained factor of a bf16 run is exact in its master alone.
const StoredTensor* find_factor(const StoredByName& stored, const std::string& name) {
  return find(stored, name, {"master", "parameter"});
}

constexpr std::string_view kFused = ".c_attn.";

// GPT-2's Linears and their biases: "Conv1D", (in, out).
bool is_conv1d(const ModelSpec& model, const std::string& name) {
  return model.model_type == "gpt2" &&
         (name.find(".attn.") != std::string::npos || name.find(".mlp.") != std::string::npos);
}

// transformer.h.0.attn.c_attn.q.weight is a part of transformer.h.0.attn.c_attn.weight.
std::string name_there(std::string name) {
  if (const size_t at = name.find(kFused); at != std::string::npos) {
    name.erase(at + kFused.size(), 2);
  }
  return name;
}

void add_factors(const StoredByName& stored, const std::string& name, HfPart* part) {
  constexpr std::string_view kLeaf = ".weight";
  if (!name.ends_with(kLeaf)) return;
  const std::string module = name.substr(0, name.size() - kLeaf.size());
  if (!stored.contains("parameter/" + module + ".lora_A.weight")) return;
  part->lora_a = find_factor(stored, module + ".lora_A.weight");
  part->lora_b = find_factor(stored, module + ".lora_B.weight");
}

void append(const HfPart& part, std::vector<HfTensor>* tensors) {
  const HfPlace& place = part.place;
  if (tensors->empty() || tensors->back().header.name != place.name)
    tensors->push_back({{place.name, part.stored->dtype, place.shape}, {}});
  tensors->back().parts.push_back(part);
}

}  // namespace

HfPlace hf_place(const ModelSpec& model, const TensorSpec& spec) {
  HfPlace place{.name = name_there(spec.name), .shape = {spec.rows}};
  place.transposed = is_conv1d(model, spec.name);
  if (place.name != spec.name) {  // q, k or v: in GPT-2 as large as each other
    const char part = spec.name[spec.name.find(kFused) + kFused.size()];
    place.first_col = spec.rows * (part == 'q' ? 0 : part == 'k' ? 1 : 2);
    place.shape = {3 * spec.rows};
  }
  if (spec.cols > 1)
    place.shape.insert(place.transposed ? place.shape.begin() : place.shape.end(), spec.cols);
  return place;
}

HfPlace peft_place(const TensorSpec& spec) {
  if (spec.name.find(kFused) != std::string::npos) {
    throw ConfigError(concat(spec.name,
                             ": q, k and v have an adapter each, PEFT has one of c_attn; ",
                             "valid: argosy-checkpoint merge, or targets without c_attn"));
  }
  return {.name = "base_model.model." + spec.name, .shape = {spec.rows, spec.cols}};
}

std::vector<HfTensor> hf_tensors(const Plan& plan, const Manifest& manifest) {
  const StoredByName stored = by_full_name(manifest);
  std::vector<HfTensor> tensors, biases;
  std::set<std::string> known;
  for (const TensorSpec& spec : model_tensors(plan.model, plan.lora)) {
    known.insert(spec.name);
    if (spec.lora != LoraPart::none) continue;
    HfPart part{.stored = find(stored, spec.name, {"parameter"}),
                .place = hf_place(plan.model, spec)};
    add_factors(stored, spec.name, &part);
    // Weights and biases of q, k and v come in turns.
    append(part, spec.name.ends_with(".bias") ? &biases : &tensors);
  }
  for (const StoredTensor& tensor : manifest.tensors) {  // balancing biases of routers
    if (tensor.kind == "parameter" && !known.contains(tensor.name))
      append({.stored = &tensor, .place = {.name = tensor.name, .shape = {tensor.rows}}}, &tensors);
  }
  tensors.insert(tensors.end(), biases.begin(), biases.end());
  return tensors;
}

std::vector<HfTensor> peft_tensors(const Plan& plan, const Manifest& manifest) {
  const StoredByName stored = by_full_name(manifest);
  std::vector<HfTensor> tensors;
  for (const TensorSpec& spec : model_tensors(plan.model, plan.lora)) {
    if (spec.lora == LoraPart::none) continue;
    const StoredTensor* factor = find_factor(stored, spec.name);
    const HfPlace place = peft_place(spec);
    tensors.push_back({{place.name, DType::fp32, place.shape}, {{.stored = factor}}});
  }
  return tensors;
}

}  // namespace argosy
