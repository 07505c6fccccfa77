// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Plans and searches as text for a terminal of 100 columns, and as JSON for programs.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "planner/report/search_summary.h"
#include "planner/report/text_table.h"
#include "planner/spec/cluster.h"
#include "planner/spec/plan.h"

namespace argosy {

// Model, cluster and job in two lines.
std::string plan_heading(const Plan& plan, const ClusterSpec& cluster);

// "zb-v"; interleaved 1F1B says how many stages a rank has: "1f1b x4".
std::string schedule_word(const Plan& plan);

// "full", "full 3/8": of 8 layers; "3f+1s/8": three in full, one selectively.
std::string recompute_text(const Plan& plan);

// What is short in the rows of these plans, spelled out; a line for each that occurs.
std::string legend_text(const std::vector<Plan>& plans);

// One line a plan: mesh, ZeRO, micro-batch, schedule, recomputation and what is predicted.
TextTable plan_rows(const std::vector<Plan>& plans);
// Where the first plan is no sure thing and nobody asked for one: how to ask; else "".
std::string fit_text(const std::vector<Plan>& plans, double asked_probability);
// A line on what plans keep in the host's memory; empty: none does.
std::string offload_text(const std::vector<Plan>& plans);

// The rows in 100 columns: of what does not find room the bubble goes first.
std::string plan_table(const std::vector<Plan>& plans);

// "97.2%", ">99.9%".
std::string probability_text(double probability);

// Run totals of a plan with --tokens: days, money, energy; empty without.
std::string totals_text(const Plan& plan);

// "412,160 candidates, ... in 0.8 s".
std::string search_text(const SearchSummary& summary);

// Why candidates were rejected, most frequent first, with the one that came closest.
std::string rejections_text(const SearchSummary& summary);

// Where the memory and the time of a plan go.
std::string breakdown_text(const Plan& plan, const ClusterSpec& cluster);

// A network's size, and the machines, for tools that read no configurations.
std::string model_json(const ModelSpec& model, const LoraSpec& lora);
std::string cluster_json(const ClusterSpec& cluster);

// Of predicted: days, cost_usd, energy_kwh and carbon_kg are those of the mesh's devices, without
// spare_nodes.
// {"plans": [...], "search": {...}, "rejected": [...]}; the shape that scripts rely on. `sections`:
// more keys with JSON texts as values.
std::string plans_json(const std::vector<Plan>& plans, const SearchSummary& summary,
                       const std::vector<std::pair<std::string, std::string>>& sections = {});

// {"error": "..."}: what --json prints where there is nothing else to print.
std::string error_json(const std::string& message);

// One of those plans: its decisions and what is predicted.
std::string plan_summary_json(const Plan& plan);

}  // namespace argosy
