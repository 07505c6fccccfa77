// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run/metrics.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

// The optional numbers and their keys, once for writing and reading.
struct OptionalNumber {
  const char* key;
  std::optional<double> StepMetrics::*field;
};
constexpr OptionalNumber kOptionalNumbers[] = {
    {"aux_loss", &StepMetrics::aux_loss},
    {"z_loss", &StepMetrics::z_loss},
    {"moe_imbalance", &StepMetrics::moe_imbalance},
    {"moe_dropped", &StepMetrics::moe_dropped},
    {"bubble_fraction", &StepMetrics::bubble_fraction},
    {"exposed_comm_s", &StepMetrics::exposed_comm_s},
    {"eval_loss", &StepMetrics::eval_loss},
};
struct Number {
  const char* key;
  double StepMetrics::*field;
};
constexpr Number kNumbers[] = {
    {"loss", &StepMetrics::loss},
    {"grad_norm", &StepMetrics::grad_norm},
    {"lr", &StepMetrics::lr},
    {"step_s", &StepMetrics::step_s},
    {"tokens_per_s", &StepMetrics::tokens_per_s},
    {"mfu", &StepMetrics::mfu},
    {"mfu_palm", &StepMetrics::mfu_palm},
    {"hfu", &StepMetrics::hfu},
};

Json router_json(const RouterMetrics& router) {
  return {{"load_max_over_mean", router.load_max_over_mean},
          {"load_entropy", router.load_entropy},
          {"dropped_share", router.dropped_share},
          {"dead_experts", router.dead_experts}};
}

RouterMetrics read_router(JsonObject object) {
  RouterMetrics router;
  router.load_max_over_mean = object.numbers("load_max_over_mean");
  router.load_entropy = object.numbers("load_entropy");
  router.dropped_share = object.numbers("dropped_share");
  router.dead_experts = object.integers("dead_experts");
  return router;
}

Json memory_json(const StepMetrics& metrics) {
  Json memory = {{"peak", metrics.peak_bytes}};
  for (int i = 0; i < kNumMemoryCategories; ++i) {
    memory[std::string(to_string(static_cast<MemoryCategory>(i)))] =
        metrics.memory_bytes[static_cast<size_t>(i)];
  }
  return memory;
}

// The parts of the step and their keys in "parts_s"; exposed communication stands apart, by axis.
struct Part {
  const char* key;
  double StepParts::*field;
};
constexpr Part kParts[] = {
    {"compute", &StepParts::compute_s},     {"bubble", &StepParts::bubble_s},
    {"optimizer", &StepParts::optimizer_s}, {"data", &StepParts::data_s},
    {"other", &StepParts::other_s},
};
constexpr const char* kPartsKey = "parts_s";
constexpr const char* kExposedKey = "exposed_comm_by_axis_s";

void write_parts(const StepParts& parts, Json* line) {
  for (const Part& part : kParts) (*line)[kPartsKey][part.key] = parts.*part.field;
  Json exposed = Json::object();
  for (int i = 0; i < kNumAxes; ++i) {
    const double seconds = parts.exposed_comm_s[static_cast<size_t>(i)];
    if (seconds > 0) exposed[std::string(to_string(static_cast<Axis>(i)))] = seconds;
  }
  (*line)[kExposedKey] = std::move(exposed);
}

constexpr const char* kOpsKey = "ops_s";
constexpr const char* kCollectivesKey = "collectives_s";

void write_ops(const OpParts& ops, Json* line) {
  (*line)[kOpsKey] = {{"matmul", ops.matmul_s}, {"attention", ops.attention_s}};
  Json collectives = Json::object();
  for (int i = 0; i < kNumCollectiveKinds; ++i) {
    const double seconds = ops.collective_s[static_cast<size_t>(i)];
    if (seconds > 0) {
      collectives[std::string(to_string(static_cast<CollectiveKind>(i)))] = seconds;
    }
  }
  (*line)[kCollectivesKey] = std::move(collectives);
}

OpParts read_ops(JsonObject& object) {
  OpParts ops;
  JsonObject seconds = object.object(kOpsKey);
  ops.matmul_s = seconds.number("matmul");
  ops.attention_s = seconds.number("attention");
  JsonObject collectives = object.object(kCollectivesKey);
  for (int i = 0; i < kNumCollectiveKinds; ++i) {
    const std::string kind(to_string(static_cast<CollectiveKind>(i)));
    ops.collective_s[static_cast<size_t>(i)] = collectives.number(kind, 0.0);
  }
  return ops;
}

StepParts read_parts(JsonObject& object) {
  StepParts parts;
  JsonObject seconds = object.object(kPartsKey);
  for (const Part& part : kParts) parts.*part.field = seconds.number(part.key);
  JsonObject exposed = object.object(kExposedKey);
  for (int i = 0; i < kNumAxes; ++i) {
    const std::string axis(to_string(static_cast<Axis>(i)));
    parts.exposed_comm_s[static_cast<size_t>(i)] = exposed.number(axis, 0.0);
  }
  return parts;
}

}  // namespace

std::string to_json_line(const StepMetrics& metrics) {
  Json line;
  line["step"] = metrics.step;
  for (const Number& number : kNumbers) line[number.key] = metrics.*number.field;
  line["tokens"] = metrics.tokens;
  line["memory_bytes"] = memory_json(metrics);
  for (const OptionalNumber& number : kOptionalNumbers) {
    if (const auto& value = metrics.*number.field) line[number.key] = *value;
  }
  if (!metrics.mtp_losses.empty()) line["mtp_losses"] = metrics.mtp_losses;
  if (metrics.router) line["router"] = router_json(*metrics.router);
  if (metrics.parts) write_parts(*metrics.parts, &line);
  if (metrics.ops) write_ops(*metrics.ops, &line);
  if (metrics.trained_tokens) line["trained_tokens"] = *metrics.trained_tokens;
  if (metrics.host_bytes) line["host_bytes"] = *metrics.host_bytes;
  if (metrics.start > 0) line["start"] = metrics.start;
  if (!metrics.layout.empty()) line["layout"] = metrics.layout;
  return line.dump();  // the shortest digits that read back exactly
}

StepMetrics parse_metrics(std::string_view line, const std::string& where) {
  constexpr double kNotFinite = std::numeric_limits<double>::quiet_NaN();
  const Json json = parse_json(line, where);
  JsonObject object(json, where);
  StepMetrics metrics;
  metrics.step = object.positive_integer("step");
  for (const Number& number : kNumbers) {
    metrics.*number.field = object.number(number.key, kNotFinite);
  }
  metrics.tokens = object.integer("tokens");
  JsonObject memory = object.object("memory_bytes");
  metrics.peak_bytes = memory.integer("peak");
  for (int i = 0; i < kNumMemoryCategories; ++i) {
    metrics.memory_bytes[static_cast<size_t>(i)] =
        memory.integer(std::string(to_string(static_cast<MemoryCategory>(i))));
  }
  for (const OptionalNumber& number : kOptionalNumbers) {
    if (object.has(number.key)) metrics.*number.field = object.number(number.key);
  }
  if (object.has("mtp_losses")) metrics.mtp_losses = object.numbers("mtp_losses");
  if (object.has("router")) metrics.router = read_router(object.object("router"));
  if (object.has(kPartsKey)) metrics.parts = read_parts(object);
  if (object.has(kOpsKey)) metrics.ops = read_ops(object);
  if (object.has("trained_tokens")) metrics.trained_tokens = object.integer("trained_tokens");
  if (object.has("host_bytes")) metrics.host_bytes = object.integer("host_bytes");
  if (object.has("start")) metrics.start = object.positive_integer("start");
  if (object.has("layout")) metrics.layout = object.text("layout");
  return metrics;
}

void forget_mfu(StepMetrics* metrics) {
  metrics->mfu = metrics->mfu_palm = metrics->hfu = std::numeric_limits<double>::quiet_NaN();
}

bool knows_mfu(const StepMetrics& metrics) {
  return std::isfinite(metrics.mfu);
}

std::vector<StepRange> forget_doubted_mfu(std::vector<StepMetrics>* steps) {
  std::vector<StepRange> doubted;
  for (auto begin = steps->begin(); begin != steps->end();) {
    const auto end = std::find_if(begin, steps->end(), [start = begin->start](const auto& step) {
      return step.start != start;
    });
    if (!std::all_of(begin, end, knows_mfu)) {
      doubted.push_back({begin->step, std::prev(end)->step});
      std::for_each(begin, end, [](StepMetrics& step) { forget_mfu(&step); });
    }
    begin = end;
  }
  return doubted;
}

int64_t first_step_of_layout(const std::vector<StepMetrics>& steps, std::string_view layout) {
  int64_t first = steps.empty() ? 1 : steps.back().step + 1;
  for (auto of_step = steps.rbegin(); of_step != steps.rend(); ++of_step) {
    if (of_step->layout != layout) break;
    first = of_step->step;
  }
  return first;
}

namespace {

// Calls visit(line, metrics) for every whole line: one that ends with a line break.
template <typename Visit>
void for_each_line(const std::filesystem::path& path, const Visit& visit) {
  const std::string text = read_text_file(path);
  size_t begin = 0;
  for (int64_t number = 1; begin < text.size(); ++number) {
    const size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    visit(line, parse_metrics(line, concat(path.string(), " line ", number)));
    begin = end + 1;
  }
}

}  // namespace

std::vector<StepMetrics> read_metrics(const std::filesystem::path& path) {
  std::vector<StepMetrics> metrics;
  for_each_line(path,
                [&](std::string_view, const StepMetrics& of_step) { metrics.push_back(of_step); });
  return metrics;
}

std::optional<StepMetrics> last_metrics(const std::filesystem::path& path) {
  const std::string text = read_text_file(path);
  const size_t end = text.rfind('\n');
  if (end == std::string::npos) return std::nullopt;
  const size_t before = end == 0 ? std::string::npos : text.rfind('\n', end - 1);
  const size_t begin = before == std::string::npos ? 0 : before + 1;
  return parse_metrics(std::string_view(text).substr(begin, end - begin),
                       concat(path.string(), ", the last line"));
}

std::string metrics_lines_until(const std::filesystem::path& path, int64_t last_step) {
  std::string kept;
  for_each_line(path, [&](std::string_view line, const StepMetrics& of_step) {
    if (of_step.step <= last_step) kept.append(line).push_back('\n');
  });
  return kept;
}

}  // namespace argosy
