// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/plan.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

#include "planner/spec/check.h"

namespace argosy {

namespace {

template <typename Enum>
Enum enum_from_string(std::string_view text, std::string_view where, const char* what,
                      std::initializer_list<Enum> values) {
  std::string valid;
  for (const Enum value : values) {
    if (text == to_string(value)) return value;
    append_listed(valid, to_string(value));
  }
  throw ConfigError(concat(where, ": '", text, "' is not ", what, "; valid: ", valid));
}

}  // namespace

std::string_view to_string(ScheduleKind kind) {
  switch (kind) {
    case ScheduleKind::gpipe:
      return "gpipe";
    case ScheduleKind::one_f_one_b:
      return "1f1b";
    case ScheduleKind::interleaved:
      return "interleaved";
    case ScheduleKind::zb_h1:
      return "zb-h1";
    case ScheduleKind::zb_v:
      return "zb-v";
  }
  return "?";
}
std::string_view to_string(Recompute recompute) {
  switch (recompute) {
    case Recompute::none:
      return "none";
    case Recompute::selective:
      return "selective";
    case Recompute::full:
      return "full";
  }
  return "";
}
std::string_view to_string(ContextParallel kind) {
  return kind == ContextParallel::ring ? "ring" : "ulysses";
}
std::string_view to_string(Task task) {
  if (task == Task::lora) return "lora";
  return task == Task::pretrain ? "pretrain" : "finetune";
}
std::string_view to_string(Offload offload) {
  return offload == Offload::none ? "none" : "optimizer";
}
std::string_view to_string(OptimizerKind kind) {
  return kind == OptimizerKind::adamw ? "adamw" : "sgd";
}

ScheduleKind schedule_from_string(std::string_view text, std::string_view where) {
  return enum_from_string(text, where, "a schedule",
                          {ScheduleKind::gpipe, ScheduleKind::one_f_one_b,
                           ScheduleKind::interleaved, ScheduleKind::zb_h1, ScheduleKind::zb_v});
}
Recompute recompute_from_string(std::string_view text, std::string_view where) {
  return enum_from_string(text, where, "a recomputation",
                          {Recompute::none, Recompute::selective, Recompute::full});
}
ContextParallel context_parallel_from_string(std::string_view text, std::string_view where) {
  return enum_from_string(text, where, "a kind of context parallelism",
                          {ContextParallel::ring, ContextParallel::ulysses});
}
Task task_from_string(std::string_view text, std::string_view where) {
  return enum_from_string(text, where, "a task", {Task::pretrain, Task::finetune, Task::lora});
}
Offload offload_from_string(std::string_view text, std::string_view where) {
  return enum_from_string(text, where, "an offload", {Offload::none, Offload::optimizer});
}
OptimizerKind optimizer_from_string(std::string_view text, std::string_view where) {
  return enum_from_string(text, where, "an optimizer", {OptimizerKind::adamw, OptimizerKind::sgd});
}

std::vector<int64_t> default_layers_per_stage(int64_t num_layers, int64_t num_stages) {
  if (num_stages < 1 || num_stages > num_layers) {
    throw ConfigError(concat("plan: ", num_layers, " layers cannot fill ", num_stages,
                             " pipeline stages; valid: 1 to ", num_layers, " stages"));
  }
  const int64_t base = num_layers / num_stages, num_longer = num_layers % num_stages;
  std::vector<int64_t> sizes(static_cast<size_t>(num_stages), base);
  const int64_t last = num_stages - 1;
  for (int64_t stage = last - num_longer; stage < last; ++stage)
    ++sizes[static_cast<size_t>(stage)];
  return sizes;
}

std::string_view recompute_word(const Plan& plan) {
  const Recompute first = plan.recompute.empty() ? Recompute::none : plan.recompute.front();
  const auto same = std::count(plan.recompute.begin(), plan.recompute.end(), first);
  return same == static_cast<std::ptrdiff_t>(plan.recompute.size()) ? to_string(first) : "mixed";
}

Range layers_of_stage(const Plan& plan, int64_t stage) {
  CHECK(stage >= 0 && stage < static_cast<int64_t>(plan.layers_per_stage.size()), "stage ", stage,
        " of ", plan.layers_per_stage.size());
  int64_t begin = 0;
  for (int64_t s = 0; s < stage; ++s) begin += plan.layers_per_stage[static_cast<size_t>(s)];
  return {begin, begin + plan.layers_per_stage[static_cast<size_t>(stage)]};
}

int64_t stage_of_layer(const Plan& plan, int64_t layer) {
  CHECK(layer >= 0, "layer ", layer);
  int64_t end = 0;
  for (size_t stage = 0; stage < plan.layers_per_stage.size(); ++stage) {
    end += plan.layers_per_stage[stage];
    if (layer < end) return static_cast<int64_t>(stage);
  }
  CHECK(false, "layer ", layer, " of ", end);
  return 0;
}

int64_t pipeline_rank_of_stage(ScheduleKind schedule, int64_t pp, int64_t stage) {
  const int64_t index = stage % pp;
  const bool upwards = schedule == ScheduleKind::zb_v && stage / pp % 2 == 1;
  return upwards ? pp - 1 - index : index;
}

int64_t pipeline_rank_of_stage(const Plan& plan, int64_t stage) {
  return pipeline_rank_of_stage(plan.schedule, plan.mesh.pp, stage);
}

std::vector<int64_t> stages_of_pipeline_rank(const Plan& plan, int64_t pipeline_rank) {
  std::vector<int64_t> stages;
  for (int64_t stage = 0; stage < plan.num_stages(); ++stage) {
    if (pipeline_rank_of_stage(plan, stage) == pipeline_rank) stages.push_back(stage);
  }
  return stages;
}

bool has_tied_copy(const Plan& plan) {
  return plan.model.needs_embedding_at_end() &&
         pipeline_rank_of_stage(plan, 0) != pipeline_rank_of_stage(plan, plan.num_stages() - 1);
}

}  // namespace argosy
