// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <algorithm>

#include "planner/cost/memory_band.h"
#include "planner/questions/answers.h"
#include "planner/questions/basis.h"
#include "planner/report/plan_text.h"
#include "planner/report/text_table.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr size_t kColumns = 100;
constexpr size_t kMostChanges = 14;
constexpr double kWorthFixing = 0.001;  // of a step

std::string signed_percent(double share) {
  return (share >= 0 ? "+" : "") + format_percent(share);
}

std::string signed_bytes(int64_t bytes) {
  return (bytes >= 0 ? "+" : "") + format_bytes(bytes);
}

TextTable table_of(std::vector<std::string> header) {
  TextTable table;
  table.header = std::move(header);
  table.align.assign(table.header.size(), Align::right);
  table.align.front() = Align::left;
  return table;
}

std::string step_text(const Plan& plan, const std::vector<StepPart>& parts) {
  TextTable table = table_of({"where the step goes", "seconds", "share"});
  for (const StepPart& part : parts) {
    table.rows.push_back({part.name, format_seconds(part.seconds),
                          format_percent(part.seconds / plan.predicted.step_s)});
  }
  table.rows.push_back({"step", format_seconds(plan.predicted.step_s), format_percent(1)});
  return to_text(table);
}

// What is behind the bytes of a category.
std::string byte_detail(const Plan& plan, MemoryCategory category, double bytes) {
  const auto elements = [&](DType dtype) {
    return concat(format_count(bytes / static_cast<double>(size_in_bytes(dtype))), " elements in ",
                  to_string(dtype));
  };
  switch (category) {
    case MemoryCategory::parameters:
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

std::string bytes_text(const Job& job, const Plan& plan) {
  const Prediction& p = plan.predicted;
  TextTable table = table_of({"where the memory goes", "bytes", "what"});
  table.align.back() = Align::left;
  for (int i = 0; i < kNumMemoryCategories; ++i) {
    const MemoryCategory category = static_cast<MemoryCategory>(i);
    const int64_t bytes = p.memory_bytes[static_cast<size_t>(i)];
    table.rows.push_back({std::string(to_string(category)), format_bytes(bytes),
                          byte_detail(plan, category, static_cast<double>(bytes))});
  }
  if (p.host_bytes > 0) {
    table.rows.push_back({"on the host", format_bytes(p.host_bytes),
                          "offload=optimizer: state and gradient of what the device owns"});
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

std::string change_text(const ChangeEffect& e) {
  std::string text =
      concat(e.change, ": ", signed_bytes(e.bytes), ", ", signed_percent(e.time), " time");
  if (e.missing_bytes == 0) return text;
  text += concat("; does not fit, short by ", format_bytes(e.missing_bytes));
  if (e.remedy.empty()) return text + ", and no further change of one decision makes it fit";
  return text + concat("; nearest that does: ", e.remedy, ": ", signed_bytes(e.remedy_bytes), ", ",
                       signed_percent(e.remedy_time), " time");
}

std::string changes_text(const std::vector<ChangeEffect>& changes) {
  std::string text = "one decision changed, fastest first:\n";
  for (size_t i = 0; i < std::min(kMostChanges, changes.size()); ++i) {
    text += wrap("  " + change_text(changes[i]), kColumns, "    ");
  }
  return text;
}

std::string rivals_text(const std::vector<Rival>& rivals) {
  std::string text = "why others lose: the best plan with each other value of a decision\n";
  for (const Rival& r : rivals) {
    text += wrap(concat("  ", r.decision, ": ",
                        r.fits ? concat(signed_percent(r.slower), " time (", r.reason, ")",
                                        r.slower < -kWorthFixing && r.decision != kWithoutFix
                                            ? "; searched only if fixed"
                                            : "")
                               : concat("no plan: ", r.reason)),
                 kColumns, "    ");
  }
  return text;
}

std::string what_if_text(const Questions& questions, const SearchResult& before,
                         const SearchResult& after) {
  std::string text = "what if ";
  for (const MachineChange& change : questions.what_if) {
    text += concat(&change == &questions.what_if.front() ? "" : ", ", change.key, "=", change.text);
  }
  if (after.plans.empty()) return text + ": no plan fits\n";
  const Prediction& a = after.plans.front().predicted;
  text += concat(": ", format_seconds(a.step_s), " a step");
  if (!before.plans.empty()) {
    const Prediction& b = before.plans.front().predicted;
    text += concat(" instead of ", format_seconds(b.step_s), " (",
                   signed_percent(a.step_s / b.step_s - 1), ")");
  }
  text += "\n" + plan_table(after.plans);
  return text + totals_text(after.plans.front());
}

std::string regrets_text(const std::vector<double>& regrets) {
  std::string text = "largest loss against the best of these plans if a rate is off by 10%:";
  for (size_t i = 0; i < regrets.size(); ++i) {
    text += concat(i == 0 ? " " : ", ", "#", i + 1, " ", format_percent(regrets[i]));
  }
  return wrap(text, kColumns, "    ");
}

std::vector<std::string> size_row(const Plan& plan, const std::string& note) {
  const Prediction& p = plan.predicted;
  const Mesh& m = plan.mesh;
  return {format_grouped(m.world_size()),
          format_fixed(p.days, 1),
          format_count(p.cost_usd),
          format_count(p.carbon_kg / 1000),
          format_percent(p.mfu),
          concat("tp=", m.tp, " pp=", m.pp, " dp=", m.dp, " cp=", m.cp, " ep=", m.ep,
                 " mbs=", plan.micro_batch),
          note};
}

std::string pareto_text(const std::vector<ParetoPoint>& points) {
  TextTable table = table_of({"devices", "days", "USD", "t CO2e", "MFU", "plan", "front"});
  table.align[5] = table.align[6] = Align::left;
  for (const ParetoPoint& point : points) {
    table.rows.push_back(size_row(point.plan, point.is_on_front ? "yes" : "-"));
  }
  return "time, money and carbon on parts of the cluster; front: nothing is better in all:\n" +
         to_text(table);
}

std::string phases_text(const std::vector<PlannedPhase>& phases) {
  TextTable table =
      table_of({"phase", "seq", "batch", "tokens", "plan", "step", "MFU", "days", "USD", "t CO2e"});
  table.align[4] = Align::left;
  double days = 0, usd = 0, tonnes = 0;
  std::string reasons;
  for (size_t i = 0; i < phases.size(); ++i) {
    const auto& [phase, plan, reason] = phases[i];
    std::vector<std::string> row = {std::to_string(i + 1), format_grouped(phase.seq_len),
                                    format_grouped(phase.global_batch), format_count(phase.tokens)};
    if (!plan) {
      row.insert(row.end(), {"none", "-", "-", "-", "-", "-"});
      reasons += wrap(concat("phase ", i + 1, ": no plan: ", reason), kColumns, "    ");
    } else {
      const Prediction& p = plan->predicted;
      const Mesh& m = plan->mesh;
      row.insert(row.end(),
                 {concat("tp=", m.tp, " pp=", m.pp, " dp=", m.dp, " cp=", m.cp, " ep=", m.ep),
                  format_seconds(p.step_s), format_percent(p.mfu), format_fixed(p.days, 1),
                  format_count(p.cost_usd), format_count(p.carbon_kg / 1000)});
      days += p.days;
      usd += p.cost_usd;
      tonnes += p.carbon_kg / 1000;
    }
    table.rows.push_back(row);
  }
  table.rows.push_back({"all", "", "", "", "", "", "", format_fixed(days, 1), format_count(usd),
                        format_count(tonnes)});
  return "phases, each with its best plan; checkpoints pass from layout to layout:\n" +
         to_text(table) + reasons;
}

std::string deadline_text(const Job& job, const SearchResult& result, double days,
                          const std::optional<Plan>& plan) {
  const std::string asked = format_fixed(days, 1) + " days";
  if (!plan) {
    std::string text = concat("deadline: the whole cluster needs more than ", asked);
    const char* separator = "; that would take an MFU of ";
    for (Precision precision : {job.precision, Precision::fp8}) {
      const double mfu = needed_mfu(job, result, days, precision);
      if (!(mfu > 0)) continue;
      text += concat(separator, format_percent(mfu), " of the ", to_string(precision), " peak");
      separator = ", ";
    }
    return wrap(text, kColumns, "    ");
  }
  TextTable table = table_of({"devices", "days", "USD", "t CO2e", "MFU", "plan"});
  table.align[5] = Align::left;
  table.rows.push_back(size_row(*plan, ""));
  table.rows.back().pop_back();
  return concat("deadline: the smallest part of the cluster that is done in ", asked, ":\n",
                to_text(table));
}

std::string basis_text(const Job& job, const std::string& corrections) {
  std::string text = "what the figures rest on:\n";
  for (const std::vector<std::string>& row : basis_table(job, corrections).rows) {
    text += wrap(concat(row[0], ": ", row[1]), kColumns, "    ");
  }
  return text;
}

TextTable changes_table(const std::vector<ChangeEffect>& changes) {
  TextTable table = table_of({"change", "memory", "time", "fits"});
  table.align.back() = Align::left;
  for (const ChangeEffect& e : changes) {
    const std::string remedy = e.remedy.empty() ? "" : concat("; would with ", e.remedy);
    table.rows.push_back({e.change, signed_bytes(e.bytes), signed_percent(e.time),
                          e.missing_bytes == 0
                              ? "yes"
                              : concat("short by ", format_bytes(e.missing_bytes), remedy)});
  }
  return table;
}

TextTable rivals_table(const std::vector<Rival>& rivals) {
  TextTable table = table_of({"decision", "time", "why"});
  table.align.back() = Align::left;
  for (const Rival& r : rivals) {
    table.rows.push_back({r.decision, r.fits ? signed_percent(r.slower) : "no plan", r.reason});
  }
  return table;
}

TextTable sensitivity_table(const std::vector<Sensitivity>& rows) {
  TextTable table = table_of({"property", "halved", "doubled", "doubled, best plan for it"});
  for (const Sensitivity& row : rows) {
    table.rows.push_back({row.key,
                          row.half == 0 && row.key == "hbm" ? "-" : signed_percent(row.half),
                          signed_percent(row.twice), signed_percent(row.best_at_twice)});
  }
  return table;
}

}  // namespace

std::string answers_text(const Questions& questions, const Job& job, const SearchResult& result,
                         const Answers& answers) {
  std::string text;
  const auto add = [&text](const std::string& part) { text += "\n" + part; };
  if (!answers.step.empty()) {
    const Plan& best = result.plans.front();
    add(step_text(best, answers.step));
    add(bytes_text(job, best));
    add(changes_text(answers.changes));
    add(rivals_text(answers.rivals));
  }
  if (questions.explain) add(basis_text(job, questions.corrections));
  if (answers.remedy) {
    add(wrap(
        concat("nearest change: --fix ", answers.remedy->decision, ": ", answers.remedy->reason),
        kColumns, "    "));
  }
  if (!answers.regrets.empty()) add(regrets_text(answers.regrets));
  if (answers.what_if) add(what_if_text(questions, result, *answers.what_if));
  if (!answers.sensitivity.empty()) {
    add("time of a step when a property of the machines changes:\n" +
        to_text(sensitivity_table(answers.sensitivity)));
  }
  if (questions.pareto) add(pareto_text(answers.pareto));
  if (!answers.phases.empty()) add(phases_text(answers.phases));
  if (questions.deadline_days > 0)
    add(deadline_text(job, result, questions.deadline_days, answers.in_time));
  return text;
}

PlanReport report_of(const Questions& questions, const Job& job, const SearchResult& result,
                     const Answers& answers) {
  PlanReport report{result.plans, job.cluster, result.summary, {}, {}, {}};
  for (size_t i = 0; i < std::min(kMostPanels, result.plans.size()); ++i) {
    ReportPlan& detail = report.details.emplace_back();
    detail.step = predicted_timeline(result.plans[i]);
    for (const StepPart& part : step_parts(job, result.plans[i])) {
      detail.parts.emplace_back(part.name, part.seconds);
    }
  }
  for (const ParetoPoint& point : answers.pareto) {
    report.points.push_back({point.plan, point.is_on_front});
  }
  const auto add = [&report](const char* title, const TextTable& table) {
    if (!table.rows.empty()) report.tables.emplace_back(title, table);
  };
  add("One decision of the best plan changed", changes_table(answers.changes));
  add("Why others lose: the best plan with each other value of a decision",
      rivals_table(answers.rivals));
  add("What properties of the machines are worth", sensitivity_table(answers.sensitivity));
  add("What the figures rest on", basis_table(job, questions.corrections));
  return report;
}

}  // namespace argosy
