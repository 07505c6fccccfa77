// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/calibrate/corrections_file.h"

#include <cmath>

#include "planner/report/text_table.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/host.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

constexpr const char* kFormat = "argosy-corrections";
constexpr int64_t kFormatVersion = 1;

Json factors_json(const Corrections& corrections) {
  Json factors = Json::object();
  for (const auto& [name, member] : correction_factors()) {
    factors[std::string(name)] = corrections.*member;
  }
  return factors;
}

Corrections read_factors(JsonObject json) {
  Corrections corrections;
  for (const auto& [name, member] : correction_factors()) {
    corrections.*member = json.positive_number(std::string(name));
  }
  json.reject_unknown_keys();
  return corrections;
}

LearnedRun read_run_line(JsonObject& json) {
  LearnedRun run;
  run.name = json.text("run");
  run.model = json.text("model");
  run.layout = json.text("layout");
  run.num_steps = json.positive_integer("steps");
  run.measured_step_s = json.positive_number("measured_step_s");
  run.predicted_step_s = json.positive_number("predicted_step_s");
  run.corrected_step_s = json.positive_number("corrected_step_s");
  json.reject_unknown_keys();
  return run;
}

CorrectionSet read_set(JsonObject& json) {
  CorrectionSet set;
  set.precision = precision_from_string(json.text("precision"), json.where() + ": precision");
  set.ranks_per_device = json.positive_number("ranks_per_device");
  set.factors = read_factors(json.object("factors"));
  for (JsonObject& run : json.objects("runs")) set.runs.push_back(read_run_line(run));
  if (set.runs.empty()) json.fail("runs", "expected at least one run");
  set.factors.num_runs = static_cast<int64_t>(set.runs.size());
  json.reject_unknown_keys();
  return set;
}

// Of the sets of a precision the one whose nodes are as busy; where devices stand idle the nearest
// will do, but ranks that share cores are like no others. None: nullptr.
const CorrectionSet* nearest_set(const CorrectionsFile& file, Precision precision, double load) {
  constexpr double kEqual = 1e-9;
  const CorrectionSet* nearest = nullptr;
  for (const CorrectionSet& set : file.sets) {
    const double distance = std::abs(set.ranks_per_device - load);
    const bool is_shared = std::max(set.ranks_per_device, load) > 1 + kEqual;
    if (set.precision != precision || (is_shared && distance > kEqual)) continue;
    if (nearest == nullptr || distance < std::abs(nearest->ranks_per_device - load)) {
      nearest = &set;
    }
  }
  return nearest;
}

std::string plural(int64_t count, const char* word) {
  return concat(count, " ", word, count == 1 ? "" : "s");
}

}  // namespace

std::filesystem::path corrections_path(const std::filesystem::path& cluster_file) {
  std::filesystem::path path = cluster_file;
  return path.replace_extension(".corrections.json");
}

// FNV-1a, 64 bits (Fowler, Noll, Vo): a change of a number must be seen, not withstood.
std::string fingerprint(const ClusterSpec& cluster) {
  ClusterSpec facts;
  facts.name = cluster.name;
  facts.device = cluster.device;
  facts.accelerator = cluster.accelerator;
  facts.num_devices = cluster.num_devices;
  facts.devices_per_node = cluster.devices_per_node;
  facts.tiers = cluster.tiers;
  facts.collective_factors = cluster.collective_factors;
  facts.cpu_model = cluster.cpu_model;
  uint64_t hash = 14695981039346656037u;
  for (const char c : to_json(facts, "")) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }
  char text[24];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

CorrectionsFile corrections_file(const Learning& learning, const ClusterSpec& cluster,
                                 const std::string& cpu_model) {
  return {.cluster = cluster.name,
          .accelerator = cluster.accelerator.name,
          .cpu_model = cluster.device == Device::cpu ? cpu_model : "",
          .facts = fingerprint(cluster),
          .learned = utc_date(),
          .sets = learning.sets};
}

std::string to_json(const CorrectionsFile& file) {
  Json sets = Json::array();
  for (const CorrectionSet& set : file.sets) {
    Json runs = Json::array();
    for (const LearnedRun& run : set.runs) {
      runs.push_back({{"run", run.name},
                      {"model", run.model},
                      {"layout", run.layout},
                      {"steps", run.num_steps},
                      {"measured_step_s", run.measured_step_s},
                      {"predicted_step_s", run.predicted_step_s},
                      {"corrected_step_s", run.corrected_step_s}});
    }
    sets.push_back({{"precision", to_string(set.precision)},
                    {"ranks_per_device", set.ranks_per_device},
                    {"factors", factors_json(set.factors)},
                    {"runs", std::move(runs)}});
  }
  const Json json = {{"format", kFormat},           {"format_version", kFormatVersion},
                     {"cluster", file.cluster},     {"accelerator", file.accelerator},
                     {"cpu_model", file.cpu_model}, {"facts", file.facts},
                     {"learned", file.learned},     {"sets", std::move(sets)}};
  return json.dump(2) + "\n";
}

CorrectionsFile parse_corrections(std::string_view json_text, const std::string& where) {
  const Json root = parse_json(json_text, where);
  JsonObject json(root, where);
  if (json.text("format") != kFormat) json.fail("format", concat("expected \"", kFormat, "\""));
  if (json.integer("format_version") != kFormatVersion) {
    json.fail("format_version", concat("expected ", kFormatVersion));
  }
  CorrectionsFile file;
  file.cluster = json.text("cluster");
  file.accelerator = json.text("accelerator");
  file.cpu_model = json.text("cpu_model");
  file.facts = json.text("facts");
  file.learned = json.text("learned");
  for (JsonObject& set : json.objects("sets")) file.sets.push_back(read_set(set));
  json.reject_unknown_keys();
  return file;
}

std::string objection(const CorrectionsFile& file, const ClusterSpec& cluster,
                      const std::string& host_cpu) {
  if (file.cluster != cluster.name) {
    return concat("they are of the cluster ", file.cluster, ", not of ", cluster.name);
  }
  if (file.accelerator != cluster.accelerator.name) {
    return concat("they are of devices named ", file.accelerator, ", not ",
                  cluster.accelerator.name);
  }
  const std::string& cpu = cluster.cpu_model.empty() ? host_cpu : cluster.cpu_model;
  if (cluster.device == Device::cpu && file.cpu_model != cpu) {
    return concat("they were learned on ", file.cpu_model, ", not on ", cpu);
  }
  if (file.facts != fingerprint(cluster)) {
    return concat("the numbers of ", cluster.name, " have changed since they were learned");
  }
  return "";
}

AppliedCorrections find_corrections(const ClusterSpec& cluster,
                                    const std::filesystem::path& cluster_file, Precision precision,
                                    int64_t num_ranks, const std::string& choice) {
  AppliedCorrections applied;
  if (choice == "none") return applied;
  const bool is_auto = choice == "auto";
  const std::filesystem::path path =
      is_auto ? corrections_path(cluster_file) : std::filesystem::path(choice);
  if (is_auto && !exists(path)) return applied;
  if (std::error_code error; !exists(path, error)) {
    throw ConfigError(concat("--corrections: there is no file '", path.string(),
                             "'; valid: auto, none, or a file of --learn"));
  }
  const CorrectionsFile file = parse_corrections(read_text_file(path), path.string());
  const std::string why = objection(file, cluster, cpu_model());
  if (!why.empty()) {
    const std::string remedy = "; valid: argosy-plan --learn RUN_DIR ... again, or without them";
    if (!is_auto) throw ConfigError(concat("--corrections ", path.string(), ": ", why, remedy));
    applied.warnings.push_back(concat(path.string(), ": not used: ", why, remedy));
    return applied;
  }
  const double load = ranks_per_device(cluster, num_ranks);
  if (const CorrectionSet* set = nearest_set(file, precision, load)) {
    applied.factors = set->factors;
    applied.path = path;
    return applied;
  }
  applied.warnings.push_back(concat(path.string(), ": not used: no run in it has ",
                                    to_string(precision), " and ", format_fixed(load, 1),
                                    " ranks a device"));
  return applied;
}

std::string corrections_note(const AppliedCorrections& applied, const std::string& cluster) {
  if (applied.factors.num_runs == 0) return "";
  return concat("corrected by ", plural(applied.factors.num_runs, "run"), " on ", cluster, ": ",
                describe(applied.factors));
}

std::string corrections_json(const AppliedCorrections& applied) {
  if (applied.factors.num_runs == 0) return "null";
  const Json json = {{"file", applied.path.string()},
                     {"num_runs", applied.factors.num_runs},
                     {"factors", factors_json(applied.factors)}};
  return json.dump();
}

std::string learning_text(const Learning& learning) {
  std::string text;
  for (const CorrectionSet& set : learning.sets) {
    TextTable table;
    table.header = {"run", "model", "layout", "steps", "measured", "predicted", "corrected"};
    table.align.assign(table.header.size(), Align::right);
    table.align[0] = table.align[1] = table.align[2] = Align::left;
    const auto with_error = [](double predicted_s, double measured_s) {
      const double percent = 100 * (predicted_s / measured_s - 1);
      return concat(format_seconds(predicted_s), " (", percent < 0 ? "" : "+",
                    format_fixed(percent, 1), "%)");
    };
    for (const LearnedRun& run : set.runs) {
      table.rows.push_back({run.name, run.model, run.layout, std::to_string(run.num_steps),
                            format_seconds(run.measured_step_s),
                            with_error(run.predicted_step_s, run.measured_step_s),
                            with_error(run.corrected_step_s, run.measured_step_s)});
    }
    text += concat(to_string(set.precision), ", ", format_fixed(set.ranks_per_device, 1),
                   " ranks a device of a node, ", plural(set.factors.num_runs, "run"), ": ",
                   describe(set.factors), "\n", to_text(table), "\n");
  }
  for (const std::string& line : learning.left_out) text += line + "\n";
  return text;
}

}  // namespace argosy
