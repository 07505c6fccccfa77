// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <algorithm>

#include "planner/questions/answers.h"
#include "planner/questions/basis.h"
#include "planner/questions/explain_text.h"
#include "planner/report/plan_text.h"
#include "planner/report/text_table.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr const char* kBestAtTwice = "doubled, best plan for it";

// ", 2.1M USD instead of 1.9M (+10.5%)"; nothing where it stays as it was, or is not known.
std::string change_text(double now, double before, std::string (*format)(double),
                        const char* unit) {
  if (before <= 0 || now == before) return "";
  return concat(", ", format(now), unit, " instead of ", format(before), " (",
                format_signed_percent(now / before - 1), ")");
}

std::string what_if_text(const Questions& questions, const SearchResult& before,
                         const SearchResult& after) {
  std::string text = what_if_phrase(questions.what_if);
  if (after.plans.empty()) return wrap(text + ": no plan fits", kTextColumns, "    ");
  const Prediction& a = after.plans.front().predicted;
  text += concat(": ", format_seconds(a.step_s), " a step");
  if (!before.plans.empty()) {
    const Prediction& b = before.plans.front().predicted;
    text += concat(" instead of ", format_seconds(b.step_s), " (",
                   format_signed_percent(a.step_s / b.step_s - 1), ")");
    text += change_text(a.cost_usd, b.cost_usd, format_count, " USD");
    text += change_text(a.energy_kwh, b.energy_kwh, format_count, " kWh");
    text += change_text(a.carbon_kg, b.carbon_kg, format_kg, " CO2e");
  }
  return wrap(text, kTextColumns, "    ") + plan_table(after.plans) +
         totals_text(after.plans.front());
}

std::string regrets_text(const std::vector<double>& regrets) {
  std::string text = "largest loss against the best of these plans if a rate is off by 10%:";
  for (size_t i = 0; i < regrets.size(); ++i) {
    text += concat(i == 0 ? " " : ", ", "#", i + 1, " ", format_percent(regrets[i]));
  }
  return wrap(text, kTextColumns, "    ");
}

// "tp=8 pp=4 dp=64 zero=1 mbs=4 1f1b": degrees of 1 say nothing.
std::string plan_words(const Plan& plan) {
  const Mesh& m = plan.mesh;
  std::string words;
  for (const auto& [name, degree] :
       {std::pair("tp", m.tp), {"pp", m.pp}, {"cp", m.cp}, {"ep", m.ep}, {"etp", m.etp}}) {
    if (degree > 1) words += concat(name, "=", degree, " ");
  }
  words += concat("dp=", m.dp);
  if (plan.zero_stage > 0) words += concat(" zero=", plan.zero_stage);
  words += concat(" mbs=", plan.micro_batch);
  if (m.pp > 1) words += concat(" ", schedule_word(plan));
  return words;
}

// Four digits: sizes differ by a percent. Where the cluster says nothing of it, nothing is said.
std::string total_text(double amount) {
  return amount > 0 ? format_four(amount) : "-";
}

std::vector<std::string> size_row(const Plan& plan, const std::string& note) {
  const Prediction& p = plan.predicted;
  const int64_t devices = plan.mesh.world_size();
  return {format_grouped(devices),
          format_grouped(plan.global_batch),
          format_day_number(p.days),
          total_text(p.cost_usd),
          total_text(p.carbon_kg / 1000),
          format_percent(p.mfu),
          plan_words(plan),
          note};
}

std::string pareto_text(const std::vector<ParetoPoint>& points) {
  if (points.empty()) return "time, money and carbon: no plan fits, on no part of the cluster\n";
  TextTable table =
      labelled_table({"devices", "batch", "days", "USD", "t CO2e", "MFU", "plan", "front"});
  table.align[6] = table.align[7] = Align::left;
  for (const ParetoPoint& point : points) {
    table.rows.push_back(size_row(point.plan, point.is_on_front ? "yes" : "-"));
  }
  return "time, money and carbon on parts of the cluster; front: nothing is better in all:\n" +
         to_text(table);
}

// A long ramp: its beginning and its end.
void elide_middle(TextTable& table) {
  constexpr size_t kMostRows = 24, kAtAnEnd = 4;
  auto& rows = table.rows;
  if (rows.size() <= kMostRows) return;
  rows.erase(rows.begin() + kAtAnEnd + 1, rows.end() - kAtAnEnd);
  rows[kAtAnEnd].assign(table.header.size(), "");
  rows[kAtAnEnd].front() = "...";
}

std::vector<std::string> phase_row(size_t number, const PlannedPhase& part) {
  const Phase& phase = part.phase;
  std::vector<std::string> row = {std::to_string(number), format_grouped(phase.seq_len),
                                  format_grouped(phase.global_batch), format_count(phase.tokens)};
  if (!part.plan) {
    row.insert(row.end(), {"none", "-", "-", "-", "-", "-"});
    return row;
  }
  const Prediction& p = part.plan->predicted;
  row.insert(row.end(),
             {plan_words(*part.plan), format_seconds(p.step_s), format_percent(p.mfu),
              format_day_number(p.days), total_text(p.cost_usd), total_text(p.carbon_kg / 1000)});
  return row;
}

// A row each, and their sum.
TextTable phases_table(const std::vector<PlannedPhase>& phases) {
  TextTable table = labelled_table(
      {"phase", "seq", "batch", "tokens", "plan", "step", "MFU", "days", "USD", "t CO2e"});
  table.align[4] = Align::left;
  double days = 0, usd = 0, tonnes = 0;
  for (const PlannedPhase& part : phases) {
    table.rows.push_back(phase_row(table.rows.size() + 1, part));
    if (!part.plan) continue;
    days += part.plan->predicted.days;
    usd += part.plan->predicted.cost_usd;
    tonnes += part.plan->predicted.carbon_kg / 1000;
  }
  elide_middle(table);
  if (!phases.empty()) {
    table.rows.push_back({"all", "", "", "", "", "", "", format_day_number(days), total_text(usd),
                          total_text(tonnes)});
  }
  return table;
}

std::string phases_text(const std::vector<PlannedPhase>& phases) {
  std::string reasons;
  for (size_t i = 0; i < phases.size(); ++i) {
    if (phases[i].plan) continue;
    reasons += wrap(concat("phase ", i + 1, ": no plan: ", phases[i].reason), kTextColumns, "    ");
  }
  return "phases, each with its best plan; checkpoints pass from layout to layout:\n" +
         to_text(phases_table(phases)) + reasons;
}

std::string deadline_text(const Job& job, const SearchResult& result, double days,
                          const std::optional<Plan>& plan) {
  const std::string asked = format_days(days);
  if (!plan && result.plans.empty()) return "deadline: no plan fits, on no part of the cluster\n";
  if (!plan) {
    std::string text = concat("deadline: the whole cluster needs more than ", asked);
    const char* separator = "; that would take ";
    for (Precision precision : {job.precision, Precision::fp8}) {
      const double mfu = needed_mfu(job, result, days, precision);
      if (!(mfu > 0)) continue;
      const std::string share =
          mfu <= 1 ? concat("an MFU of ", format_percent(mfu), " of") : "more than";
      text += concat(separator, share, " the ", to_string(precision), " peak");
      separator = ", ";
    }
    if (!result.plans.empty()) {
      const double more = result.plans.front().predicted.days / days;
      const double devices = more * static_cast<double>(job.num_devices());
      text += concat("; or ", format_fixed(more, 1), " times the devices, ", format_count(devices),
                     ", at the efficiency of the best plan here");
    }
    return wrap(text, kTextColumns, "    ");
  }
  TextTable table = labelled_table({"devices", "batch", "days", "USD", "t CO2e", "MFU", "plan"});
  table.align[6] = Align::left;
  table.rows.push_back(size_row(*plan, ""));
  table.rows.back().pop_back();
  return concat("deadline: the smallest part of the cluster that is done in ", asked, ":\n",
                to_text(table));
}

}  // namespace

std::string answers_text(const Questions& questions, const Job& job, const SearchResult& result,
                         const Answers& answers) {
  std::string text;
  const auto add = [&text](const std::string& part) { text += "\n" + part; };
  if (!answers.step.empty()) {
    const Plan& best = result.plans.front();
    add(step_text(best, answers.step) + host_text(job, best, answers.step));
    add(bytes_text(job, best));
    add(changes_text(answers.changes));
    add(rivals_text(answers.rivals));
  }
  if (questions.explain) add(basis_text(job, questions.corrections));
  if (!answers.remedies.empty()) add(remedies_text(answers.remedies));
  if (!answers.regrets.empty()) add(regrets_text(answers.regrets));
  if (answers.what_if) add(what_if_text(questions, result, *answers.what_if));
  if (!answers.sensitivity.empty()) {
    add("time of a step when a property of the machines changes:\n" +
        to_text(sensitivity_table(answers.sensitivity, kBestAtTwice)));
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
  add("Phases of the run, each with its best plan", phases_table(answers.phases));
  add("One decision of the best plan changed", changes_table(answers.changes));
  add("Why others lose: the best plan with each other value of a decision",
      rivals_table(answers.rivals));
  add("What properties of the machines are worth",
      sensitivity_table(answers.sensitivity, kBestAtTwice));
  add("What the figures rest on", basis_table(job, questions.corrections));
  return report;
}

}  // namespace argosy
