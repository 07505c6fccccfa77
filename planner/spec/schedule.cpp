// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/schedule.h"

#include "planner/spec/check.h"
#include "planner/spec/schedule_play.h"

namespace argosy {

Action counterpart(const Action& transfer) {
  const auto [kind, stage, microbatch] = transfer;
  switch (kind) {
    case ActionKind::send_activation:
      return {ActionKind::recv_activation, stage + 1, microbatch};
    case ActionKind::recv_activation:
      return {ActionKind::send_activation, stage - 1, microbatch};
    case ActionKind::send_gradient:
      return {ActionKind::recv_gradient, stage - 1, microbatch};
    case ActionKind::recv_gradient:
      return {ActionKind::send_gradient, stage + 1, microbatch};
    case ActionKind::forward:
    case ActionKind::backward:
    case ActionKind::backward_input:
    case ActionKind::backward_weight:
      break;
  }
  CHECK(false, to_string(transfer), " is no transfer");
  return {};
}

std::vector<Action> prerequisites(const Action& action, const Schedule& schedule) {
  std::vector<Action> all;
  for_each_prerequisite(action, schedule, [&](const Action& needed) { all.push_back(needed); });
  return all;
}

}  // namespace argosy
