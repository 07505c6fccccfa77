// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/questions/explain_text.h"

#include <algorithm>
#include <string_view>

#include "planner/cost/memory_band.h"
#include "planner/cost/traffic.h"
#include "planner/questions/basis.h"
#include "planner/report/plan_text.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"
#include "planner/spec/graphs.h"

namespace argosy {

namespace {

constexpr size_t kMostChanges = 14;
constexpr double kWorthFixing = 0.001;  // of a step

// What is behind the bytes of a category.
std::string byte_detail(const Plan& plan, MemoryCategory category, double bytes) {
  const auto elements = [&](DType dtype) {
    return concat(format_count(bytes / static_cast<double>(size_in_bytes(dtype))), " elements in ",
                  to_string(dtype));
  };
  switch (category) {
    case MemoryCategory::parameters:
      if (plan.lora.base_bits != kUnquantizedBits) {
        return concat("frozen matrices of the blocks in ", plan.lora.base_bits,
                      " bits (NF4), the rest in ", to_string(compute_dtype(plan.precision)));
      }
      return elements(compute_dtype(plan.precision));
    case MemoryCategory::gradients:
      return elements(gradient_dtype(plan.precision));
    case MemoryCategory::optimizer:
      return concat(format_count(bytes / static_cast<double>(optimizer_bytes_per_element(plan))),
                    " elements of ", optimizer_bytes_per_element(plan), " bytes, ZeRO ",
                    plan.zero_stage);
    case MemoryCategory::activations:
      return concat("kept for backward by the micro-batches in flight, recompute ",
                    recompute_word(plan));
    case MemoryCategory::buffers:
      return "ids, the tensors between layers and stages";
    case MemoryCategory::workspace:
      return "scratch of the largest op";
  }
  return "";
}

std::string change_text(const ChangeEffect& e) {
  std::string text =
      concat(e.change, e.recompute.empty() ? "" : " with recompute ", e.recompute, ": ",
             format_signed_bytes(e.bytes), ", ", format_signed_percent(e.time), " time");
  if (e.missing_bytes == 0) return text;
  text += concat("; does not fit, short by ", format_bytes(e.missing_bytes));
  if (e.remedy.empty()) return text + ", and no further change of one decision makes it fit";
  return text + concat("; with ", e.remedy,
                       " as well it does: ", format_signed_bytes(e.remedy_bytes), ", ",
                       format_signed_percent(e.remedy_time), " time");
}

// "out of memory" of "out of memory; nearest: ...".
std::string_view cause(const Rival& rival) {
  return std::string_view(rival.reason).substr(0, rival.reason.find(';'));
}

// Values of one decision that have no plan for one reason follow each other: "tp=3, 6, 12", with
// the nearest of the first.
std::vector<Rival> in_one_line(const std::vector<Rival>& rivals) {
  std::vector<Rival> lines;
  std::string key;  // "tp=" of the last line
  for (const Rival& r : rivals) {
    const size_t value = r.decision.find('=') + 1;
    const bool is_same = !r.fits && !lines.empty() && !lines.back().fits && value > 0 &&
                         r.decision.substr(0, value) == key && cause(r) == cause(lines.back());
    if (is_same) {
      lines.back().decision += concat(", ", r.decision.substr(value));
      continue;
    }
    key = r.decision.substr(0, value);
    lines.push_back(r);
  }
  return lines;
}

}  // namespace

std::string step_text(const Plan& plan, const std::vector<StepPart>& parts) {
  TextTable table = labelled_table({"where the step goes", "seconds", "share"});
  for (const StepPart& part : parts) {
    table.rows.push_back({part.name, format_seconds(part.seconds),
                          format_percent(part.seconds / plan.predicted.step_s)});
  }
  table.rows.push_back({"step", format_seconds(plan.predicted.step_s), format_percent(1)});
  return to_text(table);
}

std::string host_text(const Job& job, const Plan& plan, const std::vector<StepPart>& parts) {
  const auto found = std::find_if(parts.begin(), parts.end(), [](const StepPart& part) {
    return std::string_view(part.name) == kHostPart;
  });
  if (found == parts.end()) return "";
  std::string text = concat("the GPU waits for the host, which launches an op in ",
                            format_seconds(host_op_seconds(job)), ": longer micro-batches hide it");
  if (!job.stack.keeps_memory) {  // the plan is argosy-train's
    const std::string obstacle = obstacle_to_graphs(plan);
    text += obstacle.empty()
                ? concat("; argosy-train --cuda-graphs auto launches steps whole: ",
                         format_signed_percent(-found->seconds / plan.predicted.step_s), " time")
                : concat("; CUDA graphs cannot: ", obstacle);
  }
  return wrap(text, kTextColumns, "    ");
}

std::string bytes_text(const Job& job, const Plan& plan) {
  const Prediction& p = plan.predicted;
  TextTable table = labelled_table({"where the memory goes", "bytes", "what"});
  table.align.back() = Align::left;
  for (int i = 0; i < kNumMemoryCategories; ++i) {
    const MemoryCategory category = static_cast<MemoryCategory>(i);
    const int64_t bytes = p.memory_bytes[static_cast<size_t>(i)];
    table.rows.push_back({std::string(to_string(category)), format_bytes(bytes),
                          byte_detail(plan, category, static_cast<double>(bytes))});
  }
  if (p.host_bytes > 0) {
    table.rows.push_back({"on the host", format_bytes(p.host_bytes),
                          "offload=optimizer: state of what the device owns"});
  }
  const int64_t free = unreserved_bytes(job.cluster.accelerator) - p.peak_bytes;
  table.rows.push_back({"free", format_bytes(free),
                        concat(format_bytes(job.cluster.accelerator.reserved_bytes),
                               " more are reserved for context, buffers, fragmentation")});
  if (has_memory_band(job.cluster)) {
    table.rows.push_back(
        {"fits", probability_text(p.fits_probability),
         concat("context ", format_bytes(job.cluster.accelerator.context_bytes), ", communicators ",
                format_bytes(communicator_bytes(job, plan.mesh)), ", fragments ",
                format_percent(kFragmentationMean), " +- ",
                format_percent(kFragmentationDeviation))});
  }
  return to_text(table);
}

std::string changes_text(const std::vector<ChangeEffect>& changes) {
  std::string text = "one decision changed, fastest first:\n";
  for (size_t i = 0; i < std::min(kMostChanges, changes.size()); ++i) {
    text += wrap("  " + change_text(changes[i]), kTextColumns, "    ");
  }
  return text;
}

std::string rivals_text(const std::vector<Rival>& rivals) {
  std::string text = "why others lose: the best plan with each other value of a decision\n";
  for (const Rival& r : in_one_line(rivals)) {
    std::string line = concat("  ", r.decision, ": ");
    if (r.fits) {
      line += concat(format_signed_percent(r.slower), " time", r.others.empty() ? "" : " with ",
                     r.others, " (", r.reason, ")");
      const bool is_faster = r.slower < -kWorthFixing && r.decision != kWithoutFix;
      if (is_faster) line += "; searched only if fixed";
    } else {
      line += concat("no plan: ", r.reason);
    }
    text += wrap(line, kTextColumns, "    ");
  }
  return text;
}

std::string remedies_text(const std::vector<Remedy>& remedies) {
  std::string text = "what one change alone would do:\n";
  for (const Remedy& r : remedies) {
    text += wrap(concat("  ", r.decision, ": ", r.reason), kTextColumns, "    ");
  }
  return text;
}

std::string basis_text(const Job& job, const std::string& corrections) {
  std::string text = "what the figures rest on:\n";
  for (const std::vector<std::string>& row : basis_table(job, corrections).rows) {
    text += wrap(concat(row[0], ": ", row[1]), kTextColumns, "    ");
  }
  return text;
}

TextTable changes_table(const std::vector<ChangeEffect>& changes) {
  TextTable table = labelled_table({"change", "memory", "time", "fits"});
  table.align.back() = Align::left;
  for (const ChangeEffect& e : changes) {
    const std::string remedy = e.remedy.empty() ? "" : concat("; would with ", e.remedy);
    const std::string recompute = e.recompute.empty() ? "" : concat(", recompute ", e.recompute);
    table.rows.push_back(
        {e.change + recompute, format_signed_bytes(e.bytes), format_signed_percent(e.time),
         e.missing_bytes == 0 ? "yes"
                              : concat("short by ", format_bytes(e.missing_bytes), remedy)});
  }
  return table;
}

TextTable rivals_table(const std::vector<Rival>& rivals) {
  TextTable table = labelled_table({"decision", "time", "with", "why"});
  table.align[2] = table.align.back() = Align::left;
  for (const Rival& r : rivals) {
    table.rows.push_back(
        {r.decision, r.fits ? format_signed_percent(r.slower) : "no plan", r.others, r.reason});
  }
  return table;
}

}  // namespace argosy
