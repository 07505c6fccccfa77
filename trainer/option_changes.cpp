// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/option_changes.h"

#include <map>
#include <optional>

#include "planner/spec/check.h"
#include "planner/spec/config_text.h"
#include "planner/spec/number_text.h"
#include "trainer/data/packing.h"

namespace argosy {

namespace {

using Values = std::map<std::string, std::string>;

constexpr const char* kUnset = "unset";

constexpr const char* kOfSteps[] = {"lr",
                                    "min-lr",
                                    "warmup",
                                    "warmup-ratio",
                                    "lr-schedule",
                                    "beta1",
                                    "beta2",
                                    "eps",
                                    "weight-decay",
                                    "clip",
                                    "dropout",
                                    "lora-alpha",
                                    "precision",
                                    "document-mask",
                                    "end-of-text",
                                    "packing",
                                    "eval-fraction",
                                    "chat-template-kwargs",
                                    "router-aux-loss-coef",
                                    "allow-tf32",
                                    "router-aux-loss",
                                    "router-bias-update-rate",
                                    "mtp-loss-scaling-factor"};

Values values_of(std::string_view run_cfg) {
  Values values;
  for (const ConfigOption& option : parse_config_text(run_cfg, "run.cfg"))
    values[option.key] = option.value;
  return values;
}

// Where older runs have an option not at all, it is as they were.
std::string value_of(const Values& values, const std::string& key) {
  const auto it = values.find(key);
  if (it != values.end()) return it->second;
  if (key == "packing") return std::string(to_string(Packing::stream));
  return key == "warmup" ? "0" : kUnset;
}

// 3e-4 and 0.0003 are one number.
bool is_same(const std::string& a, const std::string& b) {
  const auto number = number_in<double>(a);
  return a == b || (number && number == number_in<double>(b));
}

}  // namespace

std::string changed_options(std::string_view before, std::string_view now) {
  const Values old_values = values_of(before), new_values = values_of(now);
  std::string changes;
  const auto compare = [&](const char* key) {
    const std::string then = value_of(old_values, key), here = value_of(new_values, key);
    if (!is_same(then, here)) append_listed(changes, key, " ", then, " -> ", here);
  };
  for (const char* key : kOfSteps) compare(key);
  // Where the rate falls, it falls until the last step.
  if (value_of(new_values, "lr-schedule") != "constant") {
    compare("steps");
    compare("epochs");
  }
  return changes;
}

}  // namespace argosy
