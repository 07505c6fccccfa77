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

  // Model, task, numbers: no other plan helps, so that nothing else is worth saying. These first.
  template <typename... What>
  void always_when(bool is_inexpressible, const What&... what) const {
    if (is_inexpressible) fail(concat(what...));
  }
  // What --fix can change: said all together by raise().
  template <typename... What>
  void when(bool is_inexpressible, const What&... what) {
    if (is_inexpressible) reasons_ += concat(reasons_.empty() ? "" : "; also: ", what...);
  }
  void raise() const {
    if (!reasons_.empty()) fail(reasons_);
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw ConfigError(concat("--export ", format_, ": ", why));
  }

  std::string format_, reasons_;
};

// Schedules are of pipelines there: one rank works on a micro-batch forward and backward at once,
// with all its layers as one stage.
inline void refuse_single_rank_schedule(const Plan& plan, Refusal& refuse) {
  const bool is_plain = plan.schedule == ScheduleKind::one_f_one_b && plan.virtual_stages == 1;
  refuse.when(plan.mesh.pp == 1 && !is_plain, "schedule=", to_string(plan.schedule),
              plan.virtual_stages > 1 ? concat(" virtual_stages=", plan.virtual_stages) : "",
              " with pp=1 is not there; valid: --fix schedule=1f1b");
}

// Hybrid sharding: how many groups hold all of ZeRO's shards; 1 without.
inline int64_t num_shard_groups(const Plan& plan) {
  const int64_t shard = plan.mesh.zero_shard;
  return shard > 0 && plan.zero_stage > 0 ? plan.mesh.dp * plan.mesh.cp / shard : 1;
}

inline bool is_recomputed_alike(const Plan& plan) {
  return std::all_of(plan.recompute.begin(), plan.recompute.end(),
                     [&](Recompute r) { return r == plan.recompute.front(); });
}

// "recompute: 18 of 48 layers (full)", of a plan whose layers differ.
inline std::string recomputed_part(const Plan& plan) {
  int64_t num_full = 0, num_selective = 0;
  for (const Recompute r : plan.recompute) {
    num_full += r == Recompute::full ? 1 : 0;
    num_selective += r == Recompute::selective ? 1 : 0;
  }
  const int64_t count = num_full + num_selective;
  const char* kinds = num_selective == 0 ? "full" : num_full == 0 ? "selective" : "mixed";
  return concat("recompute: ", count, " of ", plan.recompute.size(), " layers (", kinds, ")");
}

inline bool is_split_evenly(const Plan& plan) {
  const auto& layers = plan.layers_per_stage;
  return std::all_of(layers.begin(), layers.end(),
                     [&](int64_t count) { return count == layers.front(); });
}

}  // namespace argosy
