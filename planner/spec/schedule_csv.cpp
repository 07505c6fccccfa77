// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Schedules as text, in the notation of torch.distributed.pipelining (_Action and the CSV files of
// _PipelineScheduleRuntime): a line a rank, a cell an action.
#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "planner/spec/check.h"
#include "planner/spec/schedule.h"

namespace argosy {

namespace {

// In the order of ActionKind.
constexpr std::array<std::string_view, kNumActionKinds> kKindNames = {
    "F", "B", "SEND_F", "RECV_F", "SEND_B", "RECV_B", "I", "W"};

// An action and where it stands; line and column count from 1.
struct Cell {
  Action action;
  size_t line = 0, column = 0;
};
using Rows = std::vector<std::vector<Cell>>;  // [line - 1], empty cells left out

[[noreturn]] void refuse(size_t line, size_t column, std::string_view text,
                         const std::string& why) {
  throw ConfigError(
      concat("schedule CSV, line ", line, ", column ", column, ": '", text, "' ", why));
}

[[noreturn]] void refuse(const Cell& cell, const std::string& why) {
  refuse(cell.line, cell.column, to_string(cell.action), why);
}

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

// One cell, "<stage><kind><microbatch>".
Cell parse_cell(std::string_view text, size_t line, size_t column) {
  std::string_view rest = text;
  const int stage = take_number(rest);
  const size_t length = std::min(rest.find_first_of("0123456789"), rest.size());
  const auto kind = std::find(kKindNames.begin(), kKindNames.end(), rest.substr(0, length));
  rest.remove_prefix(length);
  const int microbatch = take_number(rest);
  constexpr int kMax = std::numeric_limits<int>::max();  // the count is one more than the index
  if (stage < 0 || stage == kMax || microbatch < 0 || microbatch == kMax || !rest.empty() ||
      kind == kKindNames.end()) {
    refuse(line, column, text,
           "is not an action; one is stage, kind (F, B, I, W, SEND_F, RECV_F, SEND_B, RECV_B) and "
           "micro-batch, as 1RECV_F0");
  }
  return {{static_cast<ActionKind>(kind - kKindNames.begin()), stage, microbatch}, line, column};
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

std::vector<Cell> parse_line(std::string_view text, size_t line) {
  std::vector<Cell> cells;
  for (size_t column = 1; !text.empty(); ++column) {
    const std::string_view cell = trim(take_until(text, ','));
    if (!cell.empty()) cells.push_back(parse_cell(cell, line, column));
  }
  return cells;
}

Rows parse_lines(std::string_view text) {
  Rows rows;
  while (!text.empty()) rows.push_back(parse_line(take_until(text, '\n'), rows.size() + 1));
  while (!rows.empty() && rows.back().empty()) rows.pop_back();  // blank lines at the end of a file
  if (rows.empty()) throw ConfigError("schedule CSV: no actions in it");
  return rows;
}

// Every stage and micro-batch has an action at least, so larger numbers are typing mistakes.
void check_ranges(const Rows& rows) {
  int64_t num_actions = 0;
  for (const std::vector<Cell>& cells : rows) num_actions += static_cast<int64_t>(cells.size());
  for (const std::vector<Cell>& cells : rows) {
    for (const Cell& cell : cells) {
      if (std::max(cell.action.stage, cell.action.microbatch) < num_actions) continue;
      refuse(cell, concat("is out of range: ", num_actions,
                          " actions cannot cover all stages and micro-batches before it"));
    }
  }
}

// Who has which stage: a stage is on one line.
std::vector<int> ranks_of_stages(const Rows& rows, int num_stages) {
  std::vector<int> rank_of_stage(static_cast<size_t>(num_stages), -1);
  for (size_t rank = 0; rank < rows.size(); ++rank) {
    for (const Cell& cell : rows[rank]) {
      int& owner = rank_of_stage[static_cast<size_t>(cell.action.stage)];
      if (owner >= 0 && owner != static_cast<int>(rank)) {
        refuse(cell, concat("but stage ", cell.action.stage, " is on line ", owner + 1));
      }
      owner = static_cast<int>(rank);
    }
  }
  const auto missing = std::find(rank_of_stage.begin(), rank_of_stage.end(), -1);
  if (missing != rank_of_stage.end()) {
    throw ConfigError(concat("schedule CSV: no action of stage ", missing - rank_of_stage.begin(),
                             " although there is stage ", num_stages - 1));
  }
  return rank_of_stage;
}

}  // namespace

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
  const Rows rows = parse_lines(text);
  check_ranges(rows);
  Schedule schedule;
  for (const std::vector<Cell>& cells : rows) {
    std::vector<Action>& actions = schedule.actions.emplace_back();
    for (const Cell& cell : cells) {
      actions.push_back(cell.action);
      schedule.num_stages = std::max(schedule.num_stages, cell.action.stage + 1);
      schedule.num_microbatches = std::max(schedule.num_microbatches, cell.action.microbatch + 1);
      schedule.splits_backward |= cell.action.kind == ActionKind::backward_input;
    }
  }
  schedule.rank_of_stage = ranks_of_stages(rows, schedule.num_stages);
  return schedule;
}

}  // namespace argosy
