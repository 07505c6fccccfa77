// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A score as a table for people and as JSON for tools.
#include "planner/report/text_table.h"
#include "planner/report/units.h"
#include "planner/score/score.h"
#include "planner/spec/check.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

constexpr size_t kColumns = 100;

std::string signed_percent(double fraction) {
  return (fraction < 0 ? "" : "+") + format_percent(fraction);
}

std::vector<std::string> table_row(const std::string& name, const GroupScore& group) {
  const ErrorStatistics& e = group.errors;
  const std::string unrepresented =
      group.unrepresented > 0 ? std::to_string(group.unrepresented) : "";
  if (e.n == 0) return {name, "0", "", "", "", "", "", unrepresented};
  return {name,
          std::to_string(e.n),
          format_percent(e.mape),
          format_percent(e.median),
          format_percent(e.p90),
          signed_percent(e.bias),
          format_fixed(group.tau, 2),
          unrepresented};
}

Json group_json(const GroupScore& group) {
  const ErrorStatistics& e = group.errors;
  return {{"n", e.n},          {"mape", e.mape},   {"bias", e.bias},
          {"p90", e.p90},      {"tau", group.tau}, {"unrepresented", group.unrepresented},
          {"median", e.median}};
}

Json row_json(const RunScore& row) {
  Json json = {{"id", row.id}};
  if (!row.reason.empty()) {
    json["unrepresented"] = row.reason;
    return json;
  }
  json["stack"] = row.stack;
  json["predicted_step_s"] = row.predicted_step_s;
  if (row.has_step()) {
    json["measured_step_s"] = row.measured_step_s;
    json["error"] = row.error();
  }
  if (row.has_memory()) {
    json["predicted_bytes"] = row.predicted_bytes;
    json["measured_bytes"] = row.measured_bytes;
    json["memory_error"] = row.memory_error();
  }
  return json;
}

}  // namespace

std::string score_text(const Score& score) {
  TextTable table;
  table.header = {"source", "n", "MAPE", "median", "p90", "bias", "tau", "not represented"};
  table.align.assign(table.header.size(), Align::right);
  table.align.front() = Align::left;
  for (const auto& [name, group] : score.groups) table.rows.push_back(table_row(name, group));
  table.rows.push_back(table_row("total", score.total));
  std::string text = to_text(table);
  if (score.memory.n > 0) {
    text += concat("\nmemory: ", score.memory.n, " rows, MAPE ", format_percent(score.memory.mape),
                   ", bias ", signed_percent(score.memory.bias), "\n");
  }
  std::map<std::string, std::string> ids;
  for (const RunScore& row : score.rows) {
    if (!row.reason.empty()) ids[row.reason] += " " + row.id;
  }
  if (!ids.empty()) text += "\nNot represented:\n";
  for (const auto& [reason, names] : ids)
    text += wrap(concat(reason, ":", names), kColumns, "    ");
  return text;
}

std::string score_json(const Score& score) {
  Json sources = Json::object(), rows = Json::array();
  for (const auto& [name, group] : score.groups) sources[name] = group_json(group);
  for (const RunScore& row : score.rows) rows.push_back(row_json(row));
  const Json json = {
      {"total", group_json(score.total)},
      {"sources", sources},
      {"memory", {{"n", score.memory.n}, {"mape", score.memory.mape}, {"bias", score.memory.bias}}},
      {"rows", rows}};
  return json.dump(1) + "\n";
}

}  // namespace argosy
