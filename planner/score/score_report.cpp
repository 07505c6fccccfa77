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

std::string signed_percent(double fraction) {
  return (fraction < 0 ? "" : "+") + format_percent(fraction);
}

std::string percent_or_none(double fraction, int64_t n) {
  return n > 0 ? format_percent(fraction) : "";
}

std::vector<std::string> table_row(const std::string& name, const GroupScore& group) {
  const ErrorStatistics &e = group.errors, &m = group.memory;
  const std::string unrepresented =
      group.unrepresented > 0 ? std::to_string(group.unrepresented) : "";
  return {name,
          std::to_string(e.n),
          percent_or_none(e.mape, e.n),
          percent_or_none(e.median, e.n),
          percent_or_none(e.p90, e.n),
          e.n > 0 ? signed_percent(e.bias) : "",
          e.n > 0 ? format_fixed(group.tau, 2) : "",
          percent_or_none(group.mean_regret, group.num_picks),
          percent_or_none(group.max_regret, group.num_picks),
          m.n > 0 ? std::to_string(m.n) : "",
          percent_or_none(m.mape, m.n),
          m.n > 0 ? signed_percent(m.bias) : "",
          unrepresented};
}

Json memory_json(const ErrorStatistics& m) {
  return {{"n", m.n}, {"mape", m.mape}, {"bias", m.bias}, {"p90", m.p90}};
}

Json group_json(const GroupScore& group) {
  const ErrorStatistics& e = group.errors;
  return {
      {"n", e.n},
      {"mape", e.mape},
      {"bias", e.bias},
      {"p90", e.p90},
      {"tau", group.tau},
      {"unrepresented", group.unrepresented},
      {"median", e.median},
      {"regret", {{"n", group.num_picks}, {"mean", group.mean_regret}, {"max", group.max_regret}}},
      {"memory", memory_json(group.memory)}};
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
  table.header = {"source", "n",       "MAPE",  "median", "p90",  "bias",   "tau",
                  "regret", "at most", "mem n", "MAPE",   "bias", "omitted"};
  table.align.assign(table.header.size(), Align::right);
  table.align.front() = Align::left;
  for (const auto& [name, group] : score.groups) table.rows.push_back(table_row(name, group));
  table.rows.push_back(table_row("total", score.total));
  if (score.lora.errors.n > 0 || score.lora.memory.n > 0) {
    table.rows.push_back(table_row("LoRA", score.lora));
  }
  std::string text = to_text(table);
  std::map<std::string, std::string> ids;
  for (const RunScore& row : score.rows) {
    if (!row.reason.empty()) ids[row.reason] += " " + row.id;
  }
  if (!ids.empty()) text += "\nNot represented:\n";
  for (const auto& [reason, names] : ids)
    text += wrap(concat(reason, ":", names), kTextColumns, "    ");
  return text;
}

std::string score_json(const Score& score) {
  Json sources = Json::object(), rows = Json::array();
  for (const auto& [name, group] : score.groups) sources[name] = group_json(group);
  for (const RunScore& row : score.rows) rows.push_back(row_json(row));
  const Json json = {{"total", group_json(score.total)},
                     {"sources", sources},
                     {"lora", group_json(score.lora)},
                     {"memory", memory_json(score.total.memory)},
                     {"rows", rows}};
  return json.dump(1) + "\n";
}

}  // namespace argosy
