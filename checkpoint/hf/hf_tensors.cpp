// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/hf/hf_tensors.h"

#include <initializer_list>
#include <map>
#include <set>
#include <utility>

#include "planner/spec/check.h"
#include "planner/spec/model_names.h"

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

void add_factors(const StoredByName& stored, const std::string& name, HfPart* part) {
  constexpr std::string_view kLeaf = ".weight";
  if (!name.ends_with(kLeaf)) return;
  const std::string module = name.substr(0, name.size() - kLeaf.size());
  if (!stored.contains("parameter/" + module + ".lora_A.weight")) return;
  part->lora_a = find_factor(stored, module + ".lora_A.weight");
  part->lora_b = find_factor(stored, module + ".lora_B.weight");
}

// Parts of a tensor come one by one, with those of others between.
class TensorList {
 public:
  void append(const HfPart& part) {
    const HfPlace& place = part.place;
    const auto [it, is_new] = index_.emplace(place.name, tensors_.size());
    if (is_new) tensors_.push_back({{place.name, part.stored->dtype, place.shape}, {}});
    tensors_[it->second].parts.push_back(part);
  }
  std::vector<HfTensor> take() { return std::move(tensors_); }

 private:
  std::vector<HfTensor> tensors_;
  std::map<std::string, size_t> index_;  // by name
};

}  // namespace

std::vector<HfTensor> hf_tensors(const Plan& plan, const Manifest& manifest) {
  const StoredByName stored = by_full_name(manifest);
  TensorList tensors;
  std::set<std::string> known;
  for (const TensorSpec& spec : model_tensors(plan.model, plan.lora)) {
    known.insert(spec.name);
    if (spec.lora != LoraPart::none) continue;
    HfPart part{.stored = find(stored, spec.name, {"parameter"}),
                .place = hf_place(plan.model, spec)};
    add_factors(stored, spec.name, &part);
    tensors.append(part);
  }
  for (const TensorCopy& copy : copies_in_modules(plan.model)) {
    const StoredTensor* shared = find(stored, copy.of, {"parameter"});
    tensors.append(
        {.stored = shared, .place = {.name = copy.name, .shape = {shared->rows, shared->cols}}});
  }
  for (const StoredTensor& tensor : manifest.tensors) {  // balancing biases of routers
    if (tensor.kind == "parameter" && !known.contains(tensor.name))
      tensors.append({.stored = &tensor, .place = {.name = tensor.name, .shape = {tensor.rows}}});
  }
  return tensors.take();
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
