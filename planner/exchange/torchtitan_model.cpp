// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/torchtitan_model.h"

#include <sstream>
#include <string_view>
#include <vector>

#include "planner/exchange/torchtitan_flavors.h"
#include "planner/exchange/torchtitan_words.h"
#include "planner/spec/check.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

const Json::json_pointer kFloat8Options("/linear/float8");

void warn(const JsonObject& object, const std::string& what, PeerRun& run) {
  run.warnings.push_back(concat(object.where(), ": ", what));
}

// Without what says which kernel attends: "8B_flex", "debugmodel_varlen_attn".
std::string plain_flavor(const JsonObject& section, const std::string& flavor, PeerRun& run) {
  for (const char* kernel : {"_flex_attn", "_varlen_attn", "_flex", "_varlen"}) {
    if (!flavor.ends_with(kernel)) continue;
    std::string plain = flavor.substr(0, flavor.size() - std::string_view(kernel).size());
    warn(section,
         concat("model.flavor: ", flavor, " is priced as ", plain,
                ", whose attention goes over whole sequences"),
         run);
    return plain;
  }
  return flavor;
}

// A list, or words between commas.
std::vector<std::string> converters(JsonObject& section) {
  if (!section.has("converters")) return {};
  if (section.value("converters").is_array()) return section.texts("converters");
  std::vector<std::string> names;
  std::istringstream words(section.text("converters"));
  for (std::string name; std::getline(words, name, ',');) names.push_back(name);
  return names;
}

}  // namespace

TorchtitanModel read_torchtitan_model(JsonObject& section, const ModelSpec* given, PeerRun& run) {
  const std::string name = section.text("name", "llama3");
  const std::string flavor = plain_flavor(section, section.text("flavor", "debugmodel"), run);
  for (const TorchtitanFlavor& f : torchtitan_flavors()) {
    if (name != f.name || flavor != f.flavor) continue;
    if (given == nullptr) {
      run.model_config = f.config;
      if (run.model_config.empty()) run.model_json = flavor_json(f);
      return {name, f.layers, f.experts > 0};
    }
    if (!section.has("flavor")) break;  // its default means nothing
    if (!has_shapes(f, *given)) {
      section.fail("flavor",
                   concat("expected the shapes of --model ", given->name, ", or no --model"));
    }
    return {name, given->num_layers, given->has_moe()};
  }
  if (given == nullptr) {
    section.fail("flavor", concat("expected one of ", torchtitan_flavor_names(), ", or --model"));
  }
  warn(section, concat("model: ", name, " ", flavor, " is taken to be --model ", given->name), run);
  return {name, given->num_layers, given->has_moe()};
}

// Converters of the blocks' Linears, and of experts by one of their own.
void read_torchtitan_converters(JsonObject& root, JsonObject& section, bool has_moe, PeerRun& run) {
  bool has_linears = false, has_experts = false;
  for (const std::string& name : converters(section)) {
    const bool is_experts = name == kFloat8Experts;
    if (!is_experts && name != kFloat8Linears && name != kFloat8) {
      section.fail("converters", concat("expected [] or of \"", kFloat8Linears, "\", \"",
                                        kFloat8Experts, "\", found \"", name, "\""));
    }
    (is_experts ? has_experts : has_linears) = true;
  }
  if (!has_linears && !has_experts) return;
  if (!has_linears || (has_moe && !has_experts)) {
    section.fail("converters",
                 concat("expected \"", kFloat8Linears, "\", and \"", kFloat8Experts,
                        "\" with it where there are experts: a part in 8 bits cannot be priced"));
  }
  if (run.precision != "bf16") {
    section.fail("converters", "expected training.mixed_precision_param = \"bfloat16\" with it");
  }
  run.precision = "fp8";
  const Json linears = root.has("quantize")
                           ? root.value("quantize").value(kFloat8Options, Json::object())
                           : Json::object();
  if (linears.value("enable_fsdp_float8_all_gather", false)) {
    warn(root, "quantize.linear.float8.enable_fsdp_float8_all_gather is not modelled", run);
  }
}

}  // namespace argosy
