// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <algorithm>
#include <string>

#include "planner/spec/check.h"
#include "planner/spec/plan.h"

namespace argosy {

// What a format cannot say is a mistake of the user's choice: "--export deepspeed: pp=4 ...".
class Refusal {
 public:
  explicit Refusal(std::string format) : format_(std::move(format)) {}

  template <typename... What>
  void when(bool is_inexpressible, const What&... what) const {
    if (is_inexpressible) throw ConfigError(concat("--export ", format_, ": ", what...));
  }

 private:
  std::string format_;
};

// Hybrid sharding: how many groups hold all of ZeRO's shards; 1 without.
inline int64_t num_shard_groups(const Plan& plan) {
  const int64_t shard = plan.mesh.zero_shard;
  return shard > 0 && plan.zero_stage > 0 ? plan.mesh.dp * plan.mesh.cp / shard : 1;
}

inline bool is_recomputed_alike(const Plan& plan) {
  return std::all_of(plan.recompute.begin(), plan.recompute.end(),
                     [&](Recompute r) { return r == plan.recompute.front(); });
}

inline bool is_split_evenly(const Plan& plan) {
  const auto& layers = plan.layers_per_stage;
  return std::all_of(layers.begin(), layers.end(),
                     [&](int64_t count) { return count == layers.front(); });
}

}  // namespace argosy
