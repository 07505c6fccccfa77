// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/questions/answers.h"
#include "planner/report/plan_text.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

Json plan_json(const Plan& plan) {
  return parse_json(plan_summary_json(plan), "plan");
}

Json plans_array(const std::vector<Plan>& plans) {
  Json array = Json::array();
  for (const Plan& plan : plans) array.push_back(plan_json(plan));
  return array;
}

Json explain_json(const Answers& answers) {
  Json step = Json::array(), changes = Json::array(), lost = Json::array();
  for (const StepPart& part : answers.step) {
    step.push_back({{"name", part.name}, {"seconds", part.seconds}});
  }
  for (const ChangeEffect& e : answers.changes) {
    Json change = {{"change", e.change},
                   {"bytes", e.bytes},
                   {"time", e.time},
                   {"missing_bytes", e.missing_bytes}};
    if (!e.recompute.empty()) change["recompute"] = e.recompute;
    if (!e.remedy.empty()) {
      change["remedy"] = {{"change", e.remedy}, {"bytes", e.remedy_bytes}, {"time", e.remedy_time}};
    }
    changes.push_back(std::move(change));
  }
  for (const Rival& r : answers.rivals) {
    lost.push_back({{"decision", r.decision},
                    {"fits", r.fits},
                    {"slower", r.slower},
                    {"others", r.others},
                    {"reason", r.reason}});
  }
  return {{"step", step}, {"changes", changes}, {"rivals", lost}};
}

Json what_if_json(const Questions& questions, const SearchResult& result) {
  return {{"changes", parse_json(changes_json(questions.what_if), "changes")},
          {"plans", plans_array(result.plans)}};
}

Json pareto_json(const std::vector<ParetoPoint>& points) {
  Json array = Json::array();
  for (const ParetoPoint& point : points) {
    array.push_back({{"devices", point.plan.mesh.world_size()},
                     {"is_on_front", point.is_on_front},
                     {"plan", plan_json(point.plan)}});
  }
  return array;
}

Json phases_json(const std::vector<PlannedPhase>& phases) {
  Json array = Json::array();
  for (const PlannedPhase& part : phases) {
    Json phase = {{"seq_len", part.phase.seq_len},
                  {"global_batch", part.phase.global_batch},
                  {"tokens", part.phase.tokens}};
    if (part.plan) {
      phase["plan"] = plan_json(*part.plan);
    } else {
      phase["reason"] = part.reason;
    }
    array.push_back(std::move(phase));
  }
  return array;
}

Json deadline_json(const Job& job, const SearchResult& result, double days,
                   const std::optional<Plan>& plan) {
  Json json = {{"days", days}, {"devices", nullptr}};
  for (Precision precision : {job.precision, Precision::fp8}) {
    const double mfu = needed_mfu(job, result, days, precision);
    if (mfu > 0) json["whole_cluster_mfu"][std::string(to_string(precision))] = mfu;
  }
  if (plan) {
    json["devices"] = plan->mesh.world_size();
    json["plan"] = plan_json(*plan);
  }
  return json;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> answers_json(const Questions& questions,
                                                              const Job& job,
                                                              const SearchResult& result,
                                                              const Answers& answers) {
  std::vector<std::pair<std::string, std::string>> sections;
  const auto add = [&sections](const char* key, const Json& json) {
    sections.emplace_back(key, json.dump());
  };
  if (questions.explain && !result.plans.empty()) add("explain", explain_json(answers));
  if (questions.explain && result.plans.empty()) {
    Json remedies = Json::array();
    for (const Remedy& r : answers.remedies) {
      remedies.push_back({{"decision", r.decision}, {"fits", r.fits}, {"reason", r.reason}});
    }
    add("explain", {{"remedies", remedies}});
  }
  if (answers.what_if) add("what_if", what_if_json(questions, *answers.what_if));
  if (questions.sensitivity) {
    sections.emplace_back("sensitivity", sensitivity_json(answers.sensitivity));
  }
  if (questions.robust) add("worst_regrets", Json(answers.regrets));
  if (questions.pareto) add("pareto", pareto_json(answers.pareto));
  if (!answers.phases.empty()) add("phases", phases_json(answers.phases));
  if (questions.deadline_days > 0) {
    add("deadline", deadline_json(job, result, questions.deadline_days, answers.in_time));
  }
  return sections;
}

}  // namespace argosy
