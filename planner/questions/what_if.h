// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Other machines than those of the cluster file: --what-if.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "planner/spec/cluster.h"

namespace argosy {

// "inter_bw=2x", "hbm=141GB", "price=1", "mtbf=-10%".
struct MachineChange {
  std::string key, text;  // as written
  double value = 0;
  bool is_factor = false;  // of what the file says
};

// Throws ConfigError naming key and value, and the keys that there are.
std::vector<MachineChange> parse_machine_changes(std::string_view text);

// Throws ConfigError where the result makes no sense: more reserved than memory, no such tier.
ClusterSpec with_changes(ClusterSpec cluster, const std::vector<MachineChange>& changes);

// "what if inter_bw=2x, price=1".
std::string what_if_phrase(const std::vector<MachineChange>& changes);
// {"inter_bw": "2x", "price": "1"}
std::string changes_json(const std::vector<MachineChange>& changes);

// The keys of what acts on the time of a step and is there on this cluster.
std::vector<std::string> time_properties(const ClusterSpec& cluster);

}  // namespace argosy
