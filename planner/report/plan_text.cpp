// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/report/plan_text.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "planner/report/units.h"
#include "planner/spec/check.h"
#include "planner/spec/clock.h"
#include "planner/spec/windows.h"

namespace argosy {

std::string schedule_word(const Plan& plan) {
  return plan.schedule == ScheduleKind::interleaved ? concat("1f1b x", plan.virtual_stages)
                                                    : std::string(to_string(plan.schedule));
}

std::string recompute_text(const Plan& plan) {
  if (recompute_word(plan) != "mixed") return std::string(recompute_word(plan));
  const auto count = [&plan](Recompute recompute) {
    return std::count(plan.recompute.begin(), plan.recompute.end(), recompute);
  };
  const auto full = count(Recompute::full), selective = count(Recompute::selective);
  const std::string of = concat("/", plan.recompute.size());
  if (full == 0) return concat("sel. ", selective, of);
  return selective == 0 ? concat("full ", full, of) : concat(full, "f+", selective, "s", of);
}

namespace {

// "5", "4-6": layers of a stage.
std::string layers_text(const Plan& plan) {
  const auto [least, most] =
      std::minmax_element(plan.layers_per_stage.begin(), plan.layers_per_stage.end());
  return *least == *most ? std::to_string(*least) : concat(*least, "-", *most);
}

// Stage, "/" ranks that shard, "+host" where the optimizer's state is in the host's memory.
std::string zero_text(const Plan& plan) {
  const int64_t shard = plan.mesh.zero_shard;
  return concat(plan.zero_stage, shard > 0 ? concat("/", shard) : "",
                plan.offload == Offload::optimizer ? "+host" : "");
}

std::vector<std::string> table_row(size_t number, const Plan& plan) {
  const Prediction& p = plan.predicted;
  const Mesh& m = plan.mesh;
  return {std::to_string(number),
          std::to_string(m.tp),
          std::to_string(m.pp),
          std::to_string(m.dp),
          zero_text(plan),
          plan.sequence_parallel ? "yes" : "no",
          std::to_string(plan.micro_batch),
          schedule_word(plan),
          recompute_text(plan),
          format_seconds(p.step_s),
          format_percent(p.mfu),
          format_count(p.tokens_per_s),
          format_percent(p.bubble_fraction),
          format_bytes(p.peak_bytes),
          p.days > 0 ? format_day_number(p.days) : "-"};
}

// Behind dp, where there are experts: how many ranks share them, and the slices of each.
void add_expert_column(TextTable& table, const std::vector<Plan>& plans) {
  constexpr std::ptrdiff_t kBehindDp = 4;
  const auto has_moe = [](const Plan& plan) { return plan.model.has_moe(); };
  if (std::none_of(plans.begin(), plans.end(), has_moe)) return;
  table.header.insert(table.header.begin() + kBehindDp, "ep");
  for (size_t i = 0; i < plans.size(); ++i) {
    const Mesh& m = plans[i].mesh;
    table.rows[i].insert(table.rows[i].begin() + kBehindDp,
                         m.etp > 1 ? concat(m.ep, "x", m.etp) : std::to_string(m.ep));
  }
}

// Behind dp, where a plan splits sequences: the column says nothing otherwise.
void add_context_column(TextTable& table, const std::vector<Plan>& plans) {
  constexpr std::ptrdiff_t kBehindDp = 4;
  const auto splits = [](const Plan& plan) { return plan.mesh.cp > 1; };
  if (std::none_of(plans.begin(), plans.end(), splits)) return;
  table.header.insert(table.header.begin() + kBehindDp, "cp");
  for (size_t i = 0; i < plans.size(); ++i) {
    const std::string cp = std::to_string(plans[i].mesh.cp);
    table.rows[i].insert(table.rows[i].begin() + kBehindDp,
                         splits(plans[i]) ? concat(cp, " ", to_string(plans[i].cp_kind)) : cp);
  }
}

// In front of the step, where a plan places its ranks otherwise: "pp-dp" of "tp-cp-pp-dp", which
// all orders begin with alike.
void add_order_column(TextTable& table, const std::vector<Plan>& plans) {
  const auto is_usual = [](const Plan& plan) { return plan.mesh.order == RankOrder::tp_cp_dp_pp; };
  if (std::all_of(plans.begin(), plans.end(), is_usual)) return;
  const auto step = std::find(table.header.begin(), table.header.end(), "step");
  const auto column = step - table.header.begin();
  table.header.insert(step, "order");
  for (size_t i = 0; i < plans.size(); ++i) {
    const std::string_view order = to_string(plans[i].mesh.order);
    table.rows[i].insert(table.rows[i].begin() + column,
                         std::string(order.substr(std::string_view("tp-cp-").size())));
  }
}

// Before the days, where it is not certain.
void add_fits_column(TextTable& table, const std::vector<Plan>& plans) {
  const auto is_certain = [](const Plan& plan) { return plan.predicted.fits_probability == 1; };
  if (std::all_of(plans.begin(), plans.end(), is_certain)) return;
  table.header.insert(table.header.end() - 1, "fits");
  for (size_t i = 0; i < plans.size(); ++i) {
    table.rows[i].insert(table.rows[i].end() - 1,
                         probability_text(plans[i].predicted.fits_probability));
  }
}

// Behind the schedule, where stages of a plan differ.
void add_layers_column(TextTable& table, const std::vector<Plan>& plans) {
  const auto is_uneven = [](const Plan& plan) {
    return std::adjacent_find(plan.layers_per_stage.begin(), plan.layers_per_stage.end(),
                              std::not_equal_to<>()) != plan.layers_per_stage.end();
  };
  if (std::none_of(plans.begin(), plans.end(), is_uneven)) return;
  const auto schedule = std::find(table.header.begin(), table.header.end(), "sched");
  const auto behind = schedule - table.header.begin() + 1;
  table.header.insert(table.header.begin() + behind, "L/st");
  for (size_t i = 0; i < plans.size(); ++i) {
    table.rows[i].insert(table.rows[i].begin() + behind, layers_text(plans[i]));
  }
}

bool has_column(const TextTable& table, const char* name) {
  return std::find(table.header.begin(), table.header.end(), name) != table.header.end();
}

void remove_column(TextTable& table, const std::string& name) {
  const auto found = std::find(table.header.begin(), table.header.end(), name);
  if (found == table.header.end()) return;
  const auto column = found - table.header.begin();
  table.header.erase(found);
  table.align.erase(table.align.begin() + column);
  for (std::vector<std::string>& row : table.rows) row.erase(row.begin() + column);
}

std::string category_text(const Prediction& p, MemoryCategory category) {
  return concat(to_string(category), " ",
                format_bytes(p.memory_bytes[static_cast<size_t>(category)]));
}

// Windows of MPI: GPUs communicate by NCCL, whose buffers are in the probability of fitting.
int64_t shared_bytes(const Plan& plan, const ClusterSpec& cluster) {
  if (cluster.device != Device::cpu) return 0;
  return window_bytes(plan, 0, std::max<int64_t>(1, cluster.devices_per_node));
}

bool same_stage(const Plan& plan, size_t a, size_t b) {
  const StageDurations &x = plan.predicted.stages[a], &y = plan.predicted.stages[b];
  return plan.layers_per_stage[a] == plan.layers_per_stage[b] && x.forward_s == y.forward_s &&
         x.backward_s == y.backward_s && x.send_activation_s == y.send_activation_s &&
         x.send_gradient_s == y.send_gradient_s && x.reduce_s == y.reduce_s &&
         x.optimizer_s == y.optimizer_s;
}

// Stages [begin, end), which are equal.
std::vector<std::string> stage_row(const Plan& plan, size_t begin, size_t end) {
  const StageDurations& d = plan.predicted.stages[begin];
  return {end == begin + 1 ? std::to_string(begin) : concat(begin, "-", end - 1),
          std::to_string(plan.layers_per_stage[begin]),
          format_seconds(d.forward_s),
          format_seconds(d.backward_s),
          format_seconds(std::max(d.send_activation_s, d.send_gradient_s)),
          format_seconds(d.reduce_s),
          format_seconds(d.optimizer_s)};
}

}  // namespace

std::string plan_heading(const Plan& plan, const ClusterSpec& cluster) {
  const ParameterCount count = count_parameters(plan.model, plan.lora);
  std::string text =
      concat(plan.model.name, ": ", format_count(static_cast<double>(count.total)), " parameters");
  if (count.active != count.total) {
    text += concat(", ", format_count(static_cast<double>(count.active)), " active");
  }
  if (count.trainable != count.total) {
    text += concat(", ", format_count(static_cast<double>(count.trainable)), " trainable");
  }
  text += concat(" | ", cluster.name, ": ", format_grouped(plan.mesh.world_size()), " x ",
                 cluster.accelerator.name);
  std::string task(to_string(plan.task));
  if (plan.lora.base_bits != kUnquantizedBits) {
    task += concat(" on a base of ", plan.lora.base_bits, " bits");
  }
  const std::string work =
      concat(task, ", ", to_string(plan.precision), ", ", to_string(plan.optimizer), ", ",
             format_counted(plan.global_batch, "sequence"), " of ", format_grouped(plan.seq_len),
             " = ", format_count(static_cast<double>(plan.tokens_per_step())), " tokens a step",
             plan.predicted.stack.empty() ? "" : ", timed as ", plan.predicted.stack);
  return wrap(text, kTextColumns, "    ") + wrap(work, kTextColumns, "    ");
}

std::string probability_text(double probability) {
  if (probability > 0.999) return ">99.9%";
  if (probability < 0.001) return "<0.1%";
  return format_percent(probability);
}

TextTable plan_rows(const std::vector<Plan>& plans) {
  TextTable table;
  table.header = {"#",      "tp",   "pp",  "dp",    "ZeRO",   "SP",     "mbs", "sched",
                  "recomp", "step", "MFU", "tok/s", "bubble", "memory", "days"};
  for (size_t i = 0; i < plans.size(); ++i) table.rows.push_back(table_row(i + 1, plans[i]));
  add_expert_column(table, plans);
  add_context_column(table, plans);
  add_layers_column(table, plans);
  add_order_column(table, plans);
  add_fits_column(table, plans);
  table.align.assign(table.header.size(), Align::right);
  return table;
}

namespace {

// Without what follows from other columns or matters least, until a line has room for the rest;
// --json and the page have it all.
TextTable rows_with_room(const std::vector<Plan>& plans) {
  TextTable table = plan_rows(plans);
  const bool has_days = std::any_of(plans.begin(), plans.end(),
                                    [](const Plan& plan) { return plan.predicted.days > 0; });
  if (!has_days) remove_column(table, "days");
  for (const char* name : {"bubble", "SP", "tok/s", "L/st", "mbs"}) {
    if (to_text(table).find('\n') <= kTextColumns) break;
    remove_column(table, name);
  }
  return table;
}

}  // namespace

std::string plan_table(const std::vector<Plan>& plans) {
  return to_text(rows_with_room(plans));
}

std::string fit_text(const std::vector<Plan>& plans, double asked_probability) {
  constexpr double kSure = 0.9;
  if (plans.empty() || asked_probability > 0) return "";
  const double probability = plans.front().predicted.fits_probability;
  if (probability >= kSure) return "";
  return concat("plan 1 fits with ", probability_text(probability), "\n");
}

std::string legend_text(const std::vector<Plan>& plans) {
  const auto any = [&plans](auto is_so) { return std::any_of(plans.begin(), plans.end(), is_so); };
  std::string text;
  const auto add = [&text](bool occurs, const char* line) {
    if (occurs) text += wrap(line, kTextColumns, "    ");
  };
  add(any([](const Plan& p) { return p.mesh.etp > 1; }),
      "ep 16x2: experts over 16 groups of ranks, each expert cut over 2 of them");
  add(any([](const Plan& p) { return p.mesh.zero_shard > 0; }),
      "ZeRO 3/8: shards within groups of 8 ranks, copies between them");
  add(any([](const Plan& p) { return p.virtual_stages > 1; }),
      "sched 1f1b x4: interleaved, 4 stages on each pipeline rank");
  add(has_column(rows_with_room(plans), "L/st"), "L/st: layers of a stage, least to most");
  add(any([](const Plan& p) { return recompute_word(p) == "mixed"; }),
      "recomp 3f+1s/8: of 8 layers three are computed again, of one attention's scores alone");
  add(any([](const Plan& p) { return p.predicted.fits_probability < 1; }),
      "fits: how surely the fullest device has room, allocator and uneven experts considered");
  return text.empty() ? "" : "columns:\n" + text;
}

std::string offload_text(const std::vector<Plan>& plans) {
  const auto offloads = [](const Plan& plan) { return plan.offload == Offload::optimizer; };
  const auto found = std::find_if(plans.begin(), plans.end(), offloads);
  if (found == plans.end()) return "";
  return wrap(concat("+host: the optimizer's state is in the host's memory, ",
                     format_bytes(found->predicted.host_bytes), " for each device of plan ",
                     found - plans.begin() + 1),
              kTextColumns, "    ");
}

namespace {

std::string format_minutes(double seconds) {
  return format_counted(std::max<int64_t>(1, std::llround(seconds / 60)), "minute");
}

}  // namespace

std::string totals_text(const Plan& plan) {
  const Prediction& p = plan.predicted;
  if (p.days <= 0) return "";
  std::string text = concat("whole run: ", format_days(p.days));
  if (p.goodput < 1) text += concat(" at a goodput of ", format_percent(p.goodput));
  if (p.cost_usd > 0) text += concat(", ", format_amount(p.cost_usd), " USD");
  if (p.energy_kwh > 0) text += concat(", ", format_amount(p.energy_kwh), " kWh");
  if (p.carbon_kg > 0) text += concat(", ", format_kg(p.carbon_kg), " CO2e");
  if (p.embodied_kg > 0) {
    text += concat(" (", format_kg(p.embodied_kg), " of them the machines' making)");
  }
  if (p.checkpoint_interval_s >= p.days * kSecondsPerDay) {
    text += "; one checkpoint, at the end";
  } else if (p.checkpoint_interval_s > 0) {
    text += concat("; a checkpoint every ", format_minutes(p.checkpoint_interval_s), ", ",
                   format_counted(p.spare_nodes, "spare node"));
    if (p.spare_nodes > 0 && p.cost_usd + p.energy_kwh > 0) text += ", which the totals leave out";
  }
  return wrap(text, kTextColumns, "    ");
}

std::string search_text(const SearchSummary& summary) {
  return concat(format_counted(summary.candidates, "candidate"), ", ",
                format_grouped(summary.feasible), " fit, ", format_grouped(summary.evaluated),
                " simulated, in ", format_seconds(summary.seconds), "\n");
}

std::string rejections_text(const SearchSummary& summary) {
  if (summary.rejected.empty()) return "";
  std::string text = "rejected:\n";
  for (const Rejection& rejection : summary.rejected) {
    text += wrap(concat(format_grouped(rejection.count), " x ", rejection.reason,
                        "; nearest: ", rejection.nearest),
                 kTextColumns, "    ");
  }
  return text;
}

std::string breakdown_text(const Plan& plan, const ClusterSpec& cluster) {
  const Prediction& p = plan.predicted;
  std::string text = concat("memory of the fullest rank: ", format_bytes(p.peak_bytes), " of ",
                            format_bytes(cluster.accelerator.memory_bytes), " (",
                            format_bytes(cluster.accelerator.reserved_bytes), " reserved) =");
  for (int i = 0; i < kNumMemoryCategories; ++i) {
    text += concat(i == 0 ? " " : " + ", category_text(p, static_cast<MemoryCategory>(i)));
  }
  if (const int64_t bytes = shared_bytes(plan, cluster); bytes > 0) {
    text += concat("; beside it ", format_bytes(bytes),
                   " are a window of the node's memory, through which its ranks communicate");
  }
  if (p.fits_probability < 1) {
    text += concat("; fits with ", probability_text(p.fits_probability));
  }
  text = wrap(text, kTextColumns, "    ");
  TextTable table;
  table.header = {"stage", "layers", "forward", "backward", "send", "reduce", "update"};
  table.align.assign(table.header.size(), Align::right);
  for (size_t i = 0; i < p.stages.size();) {
    size_t end = i + 1;
    while (end < p.stages.size() && same_stage(plan, i, end)) ++end;
    table.rows.push_back(stage_row(plan, i, end));
    i = end;
  }
  text += concat(format_grouped(plan.num_microbatches()),
                 plan.num_microbatches() == 1 ? " micro-batch" : " micro-batches",
                 " a step; seconds of one micro-batch:\n");
  text += to_text(table);
  return text + wrap(concat("communication that nothing hides: ", format_seconds(p.exposed_comm_s),
                            " of ", format_seconds(p.step_s), "; ",
                            format_fixed(p.tflops_per_device, 1), " TFLOP/s a device; MFU ",
                            format_percent(p.mfu), " (", format_percent(p.mfu_palm),
                            " with full attention), HFU ", format_percent(p.hfu)),
                     kTextColumns, "    ");
}

}  // namespace argosy
