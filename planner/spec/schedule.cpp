// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/schedule.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "planner/spec/check.h"
#include "planner/spec/schedule_play.h"

namespace argosy {

namespace {

// In the order of ActionKind.
constexpr std::array<std::string_view, kNumActionKinds> kKindNames = {
    "F", "B", "SEND_F", "RECV_F", "SEND_B", "RECV_B", "I", "W"};

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Leading decimal number of `text`, which is moved behind it; -1 if there is none.
int take_number(std::string_view& text) {
  int value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || !is_digit(text.front())) return -1;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

// One cell of the CSV, "<stage><kind><microbatch>".
Action parse_action(std::string_view cell, size_t line) {
  std::string_view rest = cell;
  const int stage = take_number(rest);
  const size_t length = std::min(rest.find_first_of("0123456789"), rest.size());
  const auto kind = std::find(kKindNames.begin(), kKindNames.end(), rest.substr(0, length));
  rest.remove_prefix(length);
  const int microbatch = take_number(rest);
  constexpr int kMax = std::numeric_limits<int>::max();  // the count is one more than the index
  if (stage < 0 || stage == kMax || microbatch < 0 || microbatch == kMax || !rest.empty() ||
      kind == kKindNames.end()) {
    throw ConfigError(concat(
        "schedule CSV, line ", line, ": '", cell,
        "' is not an action; one is stage, kind (F, B, I, W, SEND_F, RECV_F, SEND_B, RECV_B) "
        "and micro-batch, as 1RECV_F0"));
  }
  return {static_cast<ActionKind>(kind - kKindNames.begin()), stage, microbatch};
}

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// The part of `text` before `separator`; `text` is moved behind it.
std::string_view take_until(std::string_view& text, char separator) {
  const size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

std::vector<Action> parse_line(std::string_view text, size_t line) {
  std::vector<Action> actions;
  while (!text.empty()) {
    const std::string_view cell = trim(take_until(text, ','));
    if (!cell.empty()) actions.push_back(parse_action(cell, line));
  }
  return actions;
}

// Fills what follows from the actions: how many stages and micro-batches, and who has which stage.
void count_stages(Schedule& schedule) {
  int64_t num_actions = 0;
  for (const std::vector<Action>& actions : schedule.actions) {
    num_actions += static_cast<int64_t>(actions.size());
    for (const Action& action : actions) {
      schedule.num_stages = std::max(schedule.num_stages, action.stage + 1);
      schedule.num_microbatches = std::max(schedule.num_microbatches, action.microbatch + 1);
      schedule.splits_backward |= action.kind == ActionKind::backward_input;
    }
  }
  // Every stage and micro-batch has an action at least, so larger numbers are typing mistakes.
  if (std::max(schedule.num_stages, schedule.num_microbatches) > num_actions) {
    throw ConfigError(concat("schedule CSV: stage ", schedule.num_stages - 1, " or micro-batch ",
                             schedule.num_microbatches - 1, " is out of range: ", num_actions,
                             " actions cannot cover all before it"));
  }
  schedule.rank_of_stage.assign(static_cast<size_t>(schedule.num_stages), -1);
  for (size_t rank = 0; rank < schedule.actions.size(); ++rank) {
    for (const Action& action : schedule.actions[rank]) {
      int& owner = schedule.rank_of_stage[static_cast<size_t>(action.stage)];
      if (owner >= 0 && owner != static_cast<int>(rank)) {
        throw ConfigError(concat("schedule CSV, line ", rank + 1, ": '", to_string(action),
                                 "' but stage ", action.stage, " is on line ", owner + 1));
      }
      owner = static_cast<int>(rank);
    }
  }
  const auto missing = std::find(schedule.rank_of_stage.begin(), schedule.rank_of_stage.end(), -1);
  if (missing != schedule.rank_of_stage.end()) {
    throw ConfigError(concat("schedule CSV: no action of stage ",
                             missing - schedule.rank_of_stage.begin(), " although there is stage ",
                             schedule.num_stages - 1));
  }
}

}  // namespace

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

std::string to_string(const Action& action) {
  std::string text = std::to_string(action.stage);
  text += kKindNames[static_cast<size_t>(action.kind)];
  text += std::to_string(action.microbatch);
  return text;
}

std::string to_csv(const Schedule& schedule) {
  std::string text;
  for (const std::vector<Action>& actions : schedule.actions) {
    for (size_t i = 0; i < actions.size(); ++i) {
      if (i > 0) text += ',';
      text += to_string(actions[i]);
    }
    text += '\n';
  }
  return text;
}

Schedule parse_schedule_csv(std::string_view text) {
  Schedule schedule;
  while (!text.empty()) {
    const size_t line = schedule.actions.size() + 1;
    schedule.actions.push_back(parse_line(take_until(text, '\n'), line));
  }
  while (!schedule.actions.empty() && schedule.actions.back().empty()) {
    schedule.actions.pop_back();  // blank lines at the end of a file
  }
  if (schedule.actions.empty()) throw ConfigError("schedule CSV: no actions in it");
  count_stages(schedule);
  return schedule;
}

}  // namespace argosy
