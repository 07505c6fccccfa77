// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/questions/basis.h"

#include "planner/cost/memory_band.h"
#include "planner/cost/reliability.h"
#include "planner/cost/stage_time.h"
#include "planner/cost/totals.h"
#include "planner/report/plan_text.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"
#include "planner/spec/clock.h"

namespace argosy {

namespace {

std::string stack_text(const Job& job) {
  const Stack& stack = job.stack;
  const StackNumbers& n = stack.numbers;
  std::string text = concat(stack.name, ": argosy-train's own ops, one by one");
  if (!stack.facts.is_own) {
    text = concat("stack ", stack.name, ": ", format_fixed(n.matmul_share, 2),
                  " of the products' curve, ", format_fixed(n.attention_share, 2),
                  " of attention's, ", format_fixed(n.memory_share, 2), " of memory's, ",
                  format_fixed(n.link_share, 2), " of the links'");
  }
  if (host_op_seconds(job) > 0 && !stack.facts.captures_steps) {
    text += concat("; the host takes ", format_seconds(host_op_seconds(job)), " an op");
  }
  if (stack.facts.captures_steps) text += "; CUDA graphs: nothing waits for the host";
  return text;
}

std::string memory_text(const Job& job) {
  std::string whose = "argosy-train's ledger, byte by byte";
  if (job.stack.keeps_memory) whose = concat("as ", job.stack.name, " keeps tensors");
  if (job.stack.keeps_memory && !job.stack.facts.states_memory) {
    whose = concat("tensors of argosy-train, states and logits of PyTorch: the profile ",
                   job.stack.name, " says nothing of its own");
  }
  if (job.fit_probability > 0) {
    return concat(whose, "; must fit with ", probability_text(job.fit_probability));
  }
  return concat(whose, "; ", format_bytes(job.cluster.accelerator.reserved_bytes),
                " of a device are reserved");
}

std::string power_text(const ClusterSpec& cluster) {
  std::string text =
      concat(format_fixed(cluster.device_power_w, 0), " W a device computing, ",
             format_fixed(cluster.communication_power_w, 0), " W communicating, ",
             format_fixed(cluster.idle_power_w, 0), " W waiting, host and network included");
  if (!cluster.node_parts.empty()) {
    text += concat("; making the machines spread over ",
                   format_fixed(cluster.hardware_life_years, 0), " years");
  }
  return text;
}

std::string failures_text(const Job& job) {
  const Reliability r = reliability(job.cluster, checkpoint_bytes(job));
  if (r.mtbf_s <= 0) return "none: the file of the cluster has no device_mtbf_hours";
  return concat(
      "one every ", format_days(r.mtbf_s / kSecondsPerDay), "; a checkpoint stalls the step ",
      format_seconds(r.checkpoint.stall_s), " and is written in ",
      format_seconds(r.checkpoint.write_s), ", a restart takes ",
      format_seconds(r.checkpoint.restart_s),
      "; the best interval after Young and Daly: ", format_seconds(r.checkpoint_interval_s));
}

std::string straggler_text(const Job& job) {
  const double factor = straggler_factor(job);
  if (factor == 1) return "none: one node";
  return concat("a step waits for the slowest node: ", format_signed_percent(factor - 1),
                " time, in all of its seconds");
}

// Files of accelerators say nothing of either.
std::string money_text(const ClusterSpec& cluster) {
  if (cluster.usd_per_device_hour + cluster.carbon_kg_per_kwh <= 0) {
    return "not in the file of the cluster: no totals of them";
  }
  return concat(format_fixed(cluster.usd_per_device_hour, 2), " USD a device and hour, PUE ",
                format_fixed(cluster.pue, 2), ", ", format_fixed(cluster.carbon_kg_per_kwh, 3),
                " kg CO2e a kWh");
}

}  // namespace

TextTable basis_table(const Job& job, const std::string& corrections) {
  const ClusterSpec& cluster = job.cluster;
  TextTable table;
  table.header = {"figure", "rests on"};
  table.align = {Align::left, Align::left};
  table.rows.push_back({"seconds", stack_text(job)});
  table.rows.push_back(
      {"corrections", corrections.empty() ? "none: no past runs were learned from" : corrections});
  table.rows.push_back({"memory", memory_text(job)});
  table.rows.push_back({"machines", concat(cluster.name,
                                           ": peaks, curves and links with a source "
                                           "each in its file")});
  table.rows.push_back({"money and carbon", money_text(cluster)});
  table.rows.push_back({"power", power_text(cluster)});
  table.rows.push_back({"stragglers", straggler_text(job)});
  table.rows.push_back({"failures", failures_text(job)});
  return table;
}

}  // namespace argosy
