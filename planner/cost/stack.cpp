// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/stack.h"

#include <algorithm>
#include <string_view>

#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

double read_share(JsonObject& object, const std::string& key, double fallback) {
  const double share = object.number(key, fallback);
  if (share < 0 || share > 1) object.fail(key, "expected a share between 0 and 1");
  return share;
}

std::vector<StackRule> read_rules(JsonObject& object) {
  std::vector<StackRule> rules;
  for (JsonObject& rule : object.objects("runs")) {
    rules.push_back({rule.text("source", ""), rule.text("notes", ""), rule.text("precision", "")});
    rule.reject_unknown_keys();
  }
  return rules;
}

StackNumbers read_numbers(JsonObject entry, StackNumbers numbers) {
  numbers.matmul_share = entry.positive_number("matmul_share", numbers.matmul_share);
  numbers.attention_share = entry.positive_number("attention_share", numbers.attention_share);
  numbers.low_precision_share =
      entry.positive_number("low_precision_share", numbers.low_precision_share);
  numbers.memory_share = entry.positive_number("memory_share", numbers.memory_share);
  numbers.link_share = entry.positive_number("link_share", numbers.link_share);
  numbers.host_op_s = entry.number("host_op_s", numbers.host_op_s);
  entry.reject_unknown_keys();
  return numbers;
}

std::map<std::string, StackNumbers> read_accelerator_numbers(JsonObject object) {
  std::map<std::string, StackNumbers> all;
  for (const std::string& name : object.keys()) {
    all[name] = read_numbers(object.object(name), StackNumbers{});
  }
  return all;
}

void read_memory(JsonObject& object, StackFacts& facts) {
  facts.accumulated_gradient_bytes = object.number("accumulated_gradient_bytes", 4.0);
  facts.optimizer_bytes = object.number("optimizer_bytes", 12.0);
  facts.update_bytes = object.number("update_bytes", 0.0);
  facts.logit_bytes = object.number("logit_bytes", 8.0);
  facts.table_gradient_bytes = object.number("table_gradient_bytes", 0.0);
  facts.flat_bytes = object.number("flat_bytes", 0.0);
  facts.keeps_products = object.boolean("keeps_products", false);
  facts.reserve_share = object.positive_number("reserve_share", 1.0);
  facts.saved_share = object.positive_number("saved_share", 1.0);
  facts.constant_bytes = object.number("constant_bytes", 0.0);
  for (const char* key : {"accumulated_gradient_bytes", "optimizer_bytes", "update_bytes",
                          "logit_bytes", "table_gradient_bytes", "flat_bytes", "keeps_products",
                          "reserve_share", "saved_share", "constant_bytes"}) {
    facts.states_memory = facts.states_memory || object.has(key);
  }
}

StackFacts read_facts(JsonObject& object) {
  StackFacts facts;
  facts.is_own = facts.runs_own_kernels = false;
  facts.fuses_attention = object.boolean("fuses_attention", true);
  facts.pads_vocabulary = object.boolean("pads_vocabulary", true);
  facts.fuses_experts = object.boolean("fuses_experts", true);
  facts.joins_products = object.boolean("joins_products", true);
  facts.weight_gradient_bytes = object.number("weight_gradient_bytes", 8.0);
  facts.scales_of_tensors = object.boolean("scales_of_tensors", false);
  facts.recomputes_whole_blocks = object.boolean("recomputes_whole_blocks", true);
  facts.expert_bias_passes = object.number("expert_bias_passes", 0.0);
  facts.overlaps_gradients = object.boolean("overlaps_gradients", true);
  facts.overlaps_parameters = object.boolean("overlaps_parameters", true);
  facts.calls_per_layer = object.positive_integer("calls_per_layer", 1);
  facts.overlaps_pipeline = object.boolean("overlaps_pipeline", true);
  facts.is_slowed_by_traffic = object.boolean("is_slowed_by_traffic", false);
  facts.tensor_overlap = read_share(object, "tensor_overlap", 0.0);
  facts.expert_overlap = read_share(object, "expert_overlap", 0.0);
  facts.overlaps_experts_in_nodes = object.boolean("overlaps_experts_in_nodes", true);
  facts.dispatches_once = object.boolean("dispatches_once", false);
  facts.balances_stages = object.boolean("balances_stages", false);
  facts.captures_steps = object.boolean("captures_steps", false);
  facts.gradient_bytes = object.positive_integer("gradient_bytes", 4);
  read_memory(object, facts);
  return facts;
}

void read_unstated(JsonObject object, StackProfile& stack) {
  if (object.has("zero_stage")) stack.zero_stage = static_cast<int>(object.integer("zero_stage"));
  if (object.has("recompute")) {
    stack.recompute = recompute_from_string(object.text("recompute"), object.where());
  }
  if (object.has("micro_batch")) stack.micro_batch = object.positive_integer("micro_batch");
  if (object.has("virtual_stages")) {
    stack.virtual_stages = object.positive_integer("virtual_stages");
  }
  if (object.has("seq_parallel")) {
    stack.sequence_parallel = object.boolean("seq_parallel", false);
  }
  if (object.has("adapter_targets")) stack.adapter_targets = object.texts("adapter_targets");
  stack.spreads_experts = object.boolean("spreads_experts", false);
  object.reject_unknown_keys();
}

// Boards with one chip, which differ in memory, power and links, that the clusters' files have:
// what kernels reach of the rates is alike. H800 and A800 are H100 and A100 with fewer links,
// GH200, GB200 and GB300 are H100, B200 and B300 beside another host (NVIDIA's data sheets).
constexpr std::array<std::array<std::string_view, 5>, 5> kBoardsOfChips = {{
    {"A100-SXM4-80GB", "A100-SXM4-40GB", "A800-SXM4-80GB", "A100-PCIe-80GB"},
    {"H100-SXM5-80GB", "H800-SXM5-80GB", "H100-SXM5-96GB-HBM2e-500W", "H100-PCIe-80GB",
     "GH200-96GB"},
    {"B200", "GB200"},
    {"B300", "GB300"},
    {"V100-SXM3-32GB", "V100-SXM2-32GB", "V100-SXM2-16GB"},
}};

using NumbersByName = std::map<std::string, StackNumbers>;

// Those of the accelerator, else those of the first board in the list that has its chip; null where
// there are none.
const StackNumbers* numbers_of_chip(const NumbersByName& all, const std::string& accelerator) {
  if (const auto own = all.find(accelerator); own != all.end()) return &own->second;
  if (accelerator.empty()) return nullptr;  // shorter lists end with empty names
  for (const auto& boards : kBoardsOfChips) {
    if (std::find(boards.begin(), boards.end(), accelerator) == boards.end()) continue;
    for (const std::string_view board : boards) {
      if (const auto other = all.find(std::string(board)); other != all.end()) {
        return &other->second;
      }
    }
  }
  return nullptr;
}

StackNumbers product(const StackNumbers& numbers, const StackNumbers& factors) {
  StackNumbers result;
  for (const auto number : kStackNumbers) result.*number = numbers.*number * factors.*number;
  return result;
}

}  // namespace

bool is_fitted_on(const std::string& accelerator, const StackFit& fit) {
  return numbers_of_chip(fit.accelerators, accelerator) != nullptr;
}

StackNumbers numbers_on(const std::string& accelerator, const StackFit& own, const StackFit& any) {
  if (const StackNumbers* fitted = numbers_of_chip(own.accelerators, accelerator)) return *fitted;
  const StackNumbers* known = numbers_of_chip(any.accelerators, accelerator);
  return product(known != nullptr ? *known : any.accelerators.at(kOtherAccelerators), own.of_any);
}

StackNumbers numbers_of(const std::vector<StackProfile>& stacks, const StackProfile& stack,
                        const std::string& accelerator) {
  const auto any = std::find_if(stacks.begin(), stacks.end(),
                                [](const StackProfile& s) { return s.name == kAnyStack; });
  CHECK(any != stacks.end(), "read_stacks() requires ", kAnyStack);
  return numbers_on(accelerator, stack, *any);
}

StackProfile read_stack(const std::filesystem::path& path) {
  const std::string where = path.string();
  const Json json = parse_json(read_text_file(path), where);
  JsonObject object(json, where);
  StackProfile stack;
  stack.name = path.stem().string();
  stack.source = object.text("source", "");
  stack.runs = read_rules(object);
  stack.facts = read_facts(object);
  stack.reads_memory_after_update = object.boolean("reads_memory_after_update", false);
  if (object.has("default_for")) stack.default_for = object.texts("default_for");
  if (object.has("unstated")) read_unstated(object.object("unstated"), stack);
  stack.accelerators = read_accelerator_numbers(object.object("accelerators"));
  if (object.has("of_any")) stack.of_any = read_numbers(object.object("of_any"), kNoFactors);
  object.reject_unknown_keys();
  return stack;
}

std::vector<StackProfile> read_stacks(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  if (files.empty()) throw ConfigError(concat(folder.string(), ": no stack profiles (*.json)"));
  std::sort(files.begin(), files.end());
  std::vector<StackProfile> stacks;
  stacks.reserve(files.size());
  for (const auto& file : files) stacks.push_back(read_stack(file));
  const auto is_any = [](const StackProfile& s) {
    return s.name == kAnyStack && s.accelerators.count(kOtherAccelerators) > 0;
  };
  if (std::none_of(stacks.begin(), stacks.end(), is_any)) {
    throw ConfigError(concat(folder.string(), "/", kAnyStack, ".json: missing, or without \"",
                             kOtherAccelerators, "\" accelerators"));
  }
  return stacks;
}

const StackProfile& stack_of_run(const std::vector<StackProfile>& stacks, const std::string& source,
                                 const std::string& notes, const std::string& precision) {
  const StackProfile* best = nullptr;
  size_t best_length = 0;
  for (const StackProfile& stack : stacks) {
    for (const StackRule& rule : stack.runs) {
      const size_t length = rule.source.size() + rule.notes.size() + rule.precision.size();
      if (source.find(rule.source) == std::string::npos) continue;
      if (notes.find(rule.notes) == std::string::npos) continue;
      if (!rule.precision.empty() && rule.precision != precision) continue;
      if (best != nullptr && length <= best_length) continue;
      best = &stack;
      best_length = length;
    }
  }
  if (best == nullptr) throw ConfigError(concat("no stack profile matches source '", source, "'"));
  return *best;
}

const StackProfile* default_stack(const std::vector<StackProfile>& stacks,
                                  const std::string& accelerator) {
  for (const StackProfile& stack : stacks) {
    const std::vector<std::string>& names = stack.default_for;
    if (std::find(names.begin(), names.end(), accelerator) != names.end()) return &stack;
  }
  return nullptr;
}

const StackProfile& stack_named(const std::vector<StackProfile>& stacks, const std::string& name,
                                const std::string& option) {
  for (const StackProfile& stack : stacks) {
    if (stack.name == name) return stack;
  }
  throw ConfigError(concat(option, ": '", name, "'; valid: ", stack_names(stacks)));
}

std::string stack_names(const std::vector<StackProfile>& stacks) {
  std::vector<std::string> names = {kOwnStack};
  for (const StackProfile& stack : stacks) names.push_back(stack.name);
  std::sort(names.begin(), names.end());
  std::string text;
  for (const std::string& name : names) append_listed(text, name);
  return text;
}

}  // namespace argosy
