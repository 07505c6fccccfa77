// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/torchtitan_known.h"

#include <algorithm>

#include "planner/spec/check.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

// Sections that decide something, and those that change neither what is computed nor what is kept.
constexpr const char* kSections[] = {
    "model", "optimizer", "training", "parallelism", "activation_checkpoint", "compile"};
constexpr const char* kIgnoredSections[] = {"job",
                                            "profiling",
                                            "metrics",
                                            "checkpoint",
                                            "lr_scheduler",
                                            "comm",
                                            "debug",
                                            "validation",
                                            "quantize" /* by converters */,
                                            "memory_estimation"};

// Keys of the same kind.
constexpr const char* kIgnoredKeys[] = {"hf_assets_path",
                                        "tokenizer_path",
                                        "print_after_conversion",
                                        "lr",
                                        "eps",
                                        "beta1",
                                        "beta2",
                                        "weight_decay",
                                        "dataset",
                                        "dataset_path",
                                        "dataloader",
                                        "steps",
                                        "max_norm",
                                        "gc_freq",
                                        "gc_debug",
                                        "seed",
                                        "deterministic",
                                        "mixed_precision_reduce",
                                        "pipeline_parallel_expert_parallel_overlap",
                                        "per_op_sac_force_recompute_mm_shapes_by_fqns",
                                        "early_stop",
                                        "memory_budget",
                                        "visualize_memory_budget_pareto",
                                        "preserve_rng_state",
                                        "determinism_check",
                                        "debug"};

// A key by these words is a decision under another name (of an older version, or a slip).
constexpr const char* kDecisions[] = {"degree", "batch", "split_points", "schedule"};

// "enable = false", "enable_float8_linear = false"
bool is_off(const Json& section) {
  if (!section.is_object()) return false;
  return std::any_of(section.items().begin(), section.items().end(), [](const auto& item) {
    return item.key().starts_with("enable") && item.value() == Json(false);
  });
}

// Messages name the file and the key.
void note_unknown(const std::string& key, const std::string& where, PeerRun& run) {
  for (const char* word : kDecisions) {
    if (key.find(word) == std::string::npos) continue;
    throw ConfigError(concat(where, ": ", key,
                             " is not known, so that the setup cannot be priced; valid: the keys "
                             "of torchtitan 0.2"));
  }
  run.warnings.push_back(concat(where, ": ", key, " is not modelled"));
}

}  // namespace

std::span<const char* const> torchtitan_sections() {
  return kSections;
}

void note_torchtitan_keys(JsonObject& section, PeerRun& run) {
  for (const char* key : kIgnoredKeys) section.ignore(key);
  for (const std::string& key : section.unknown_keys()) note_unknown(key, section.where(), run);
}

void note_torchtitan_sections(JsonObject& root, PeerRun& run) {
  for (const char* section : kIgnoredSections) root.ignore(section);
  for (const std::string& section : root.unknown_keys()) {
    if (is_off(root.value(section))) continue;
    run.warnings.push_back(concat(root.where(), ": ", section, " is not modelled"));
  }
}

}  // namespace argosy
