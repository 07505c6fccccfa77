// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/questions/decisions.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "planner/cost/mesh_search.h"
#include "planner/cost/search_space.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

// "-": says nothing about this plan.
std::vector<std::pair<std::string, std::string>> decisions_of(const Plan& plan) {
  const Mesh& m = plan.mesh;
  const auto number = [](int64_t value) { return std::to_string(value); };
  return {{"tp", number(m.tp)},
          {"pp", number(m.pp)},
          {"dp", number(m.dp)},
          {"cp", number(m.cp)},
          {"cp_kind", m.cp > 1 ? std::string(to_string(plan.cp_kind)) : "-"},
          {"ep", number(m.ep)},
          {"etp", number(m.etp)},
          {"order", m.pp > 1 && m.dp > 1 ? std::string(to_string(m.order)) : "-"},
          {"zero", number(plan.zero_stage)},
          {"zero_shard", plan.zero_stage > 0 ? number(m.zero_shard) : "-"},
          {"micro_batch", number(plan.micro_batch)},
          {"schedule", m.pp > 1 ? std::string(to_string(plan.schedule)) : "-"},
          {"virtual_stages", m.pp > 1 ? number(plan.virtual_stages) : "-"},
          {"recompute", std::string(recompute_word(plan))},
          {"sequence_parallel", m.tp > 1 ? number(plan.sequence_parallel ? 1 : 0) : "-"},
          {"offload", std::string(to_string(plan.offload))}};
}

}  // namespace

std::string decisions_text(const Plan& plan) {
  std::string text;
  for (const auto& [key, value] : decisions_of(plan)) {
    if (value != "-") text += concat(text.empty() ? "" : " ", key, "=", value);
  }
  return text;
}

std::string other_decisions(const std::string& decision, const Plan& plan, const Plan& best) {
  const auto mine = decisions_of(plan), other = decisions_of(best);
  std::string text;
  for (size_t i = 0; i < mine.size(); ++i) {
    const auto& [key, value] = mine[i];
    const bool is_named = decision.starts_with(key + "=");
    if (is_named || value == "-" || value == other[i].second) continue;
    text += concat(text.empty() ? "" : " ", key, "=", value);
  }
  return text;
}

namespace {

// Points are checked in this order: meshes that do not divide are many and say least.
int nearness(const Rejection& rejection) {
  if (rejection.reason == kOutOfMemory) return rejection.nearest.empty() ? 0 : 2;
  return rejection.reason == kBatchReason || rejection.reason == kTokensReason ? 1 : 0;
}

}  // namespace

std::string why_no_plan(const SearchSummary& summary) {
  const auto& rejected = summary.rejected;
  if (rejected.empty()) return "";
  const auto why = std::max_element(
      rejected.begin(), rejected.end(),
      [](const Rejection& a, const Rejection& b) { return nearness(a) < nearness(b); });
  return concat(why->reason, "; nearest: ", why->nearest);
}

}  // namespace argosy
