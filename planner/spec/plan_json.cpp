// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// plan.json. Doubles are written with the digits that read back exactly.
#include <cmath>

#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"
#include "planner/spec/plan.h"

namespace argosy {

namespace {

constexpr const char* kFormat = "argosy-plan";
constexpr int64_t kFormatVersion = 1;

// Name and member of every number of a Prediction; reading and writing go over the same table.
struct PredictedNumber {
  const char* key;
  double Prediction::*member;
  bool is_optional = false;  // plans of earlier versions lack it
};
constexpr PredictedNumber kPredictedNumbers[] = {
    {"step_s", &Prediction::step_s},
    {"mfu", &Prediction::mfu},
    {"mfu_palm", &Prediction::mfu_palm},
    {"hfu", &Prediction::hfu},
    {"tokens_per_s", &Prediction::tokens_per_s},
    {"tokens_per_s_per_device", &Prediction::tokens_per_s_per_device},
    {"tflops_per_device", &Prediction::tflops_per_device},
    {"bubble_fraction", &Prediction::bubble_fraction},
    {"exposed_comm_s", &Prediction::exposed_comm_s},
    {"days", &Prediction::days},
    {"goodput", &Prediction::goodput},
    {"cost_usd", &Prediction::cost_usd},
    {"energy_kwh", &Prediction::energy_kwh},
    {"carbon_kg", &Prediction::carbon_kg},
    {"peak_flops_per_device", &Prediction::peak_flops_per_device},
    {"checkpoint_interval_s", &Prediction::checkpoint_interval_s, true},
    {"embodied_kg", &Prediction::embodied_kg, true},
    {"moe_imbalance", &Prediction::moe_imbalance, true},
    {"fits_probability", &Prediction::fits_probability, true},
};

struct StageNumber {
  const char* key;
  double StageDurations::*member;
};
constexpr StageNumber kStageNumbers[] = {
    {"forward_s", &StageDurations::forward_s},
    {"backward_s", &StageDurations::backward_s},
    {"backward_input_s", &StageDurations::backward_input_s},
    {"backward_weight_s", &StageDurations::backward_weight_s},
    {"send_activation_s", &StageDurations::send_activation_s},
    {"send_gradient_s", &StageDurations::send_gradient_s},
    {"reduce_s", &StageDurations::reduce_s},
    {"optimizer_s", &StageDurations::optimizer_s},
};

struct MeshDegree {
  const char* key;
  int64_t Mesh::*member;
};
constexpr MeshDegree kMeshDegrees[] = {
    {"tp", &Mesh::tp}, {"pp", &Mesh::pp}, {"dp", &Mesh::dp},
    {"cp", &Mesh::cp}, {"ep", &Mesh::ep}, {"etp", &Mesh::etp},
};

// JSON has no infinity: writing one would lose it silently.
double finite(const char* key, double value) {
  CHECK(std::isfinite(value), key, " = ", value);
  return value;
}

Json prediction_json(const Prediction& predicted) {
  Json json = Json::object();
  for (const PredictedNumber& n : kPredictedNumbers) {
    json[n.key] = finite(n.key, predicted.*n.member);
  }
  json["stack"] = predicted.stack;
  json["spare_nodes"] = predicted.spare_nodes;
  json["host_bytes"] = predicted.host_bytes;
  Json& memory = json["memory_bytes"] = {{"peak", predicted.peak_bytes}};
  for (int i = 0; i < kNumMemoryCategories; ++i) {
    memory[std::string(to_string(static_cast<MemoryCategory>(i)))] =
        predicted.memory_bytes[static_cast<size_t>(i)];
  }
  Json& stages = json["stages"] = Json::array();
  for (const StageDurations& durations : predicted.stages) {
    Json stage = Json::object();
    for (const auto& [key, member] : kStageNumbers) stage[key] = finite(key, durations.*member);
    stages.push_back(std::move(stage));
  }
  return json;
}

Prediction read_prediction(JsonObject json, int64_t num_stages) {
  Prediction predicted;
  for (const PredictedNumber& n : kPredictedNumbers) {
    double& value = predicted.*n.member;
    value = n.is_optional ? json.number(n.key, value) : json.number(n.key);
  }
  predicted.stack = json.text("stack", "");
  predicted.spare_nodes = json.integer("spare_nodes", 0);
  predicted.host_bytes = json.integer("host_bytes", 0);
  JsonObject memory = json.object("memory_bytes");
  predicted.peak_bytes = memory.integer("peak");
  for (int i = 0; i < kNumMemoryCategories; ++i) {
    predicted.memory_bytes[static_cast<size_t>(i)] =
        memory.integer(std::string(to_string(static_cast<MemoryCategory>(i))));
  }
  memory.reject_unknown_keys();
  for (JsonObject& stage : json.objects("stages")) {
    StageDurations& durations = predicted.stages.emplace_back();
    for (const auto& [key, member] : kStageNumbers) {
      const bool is_part =
          std::string_view(key).starts_with("backward_") && member != &StageDurations::backward_s;
      durations.*member = is_part ? stage.number(key, 0.0) : stage.number(key);
    }
    stage.reject_unknown_keys();
  }
  if (const size_t size = predicted.stages.size();
      size != 0 && size != static_cast<size_t>(num_stages)) {
    json.fail("stages", concat("expected an entry for each of ", num_stages, " stages, or none"));
  }
  json.reject_unknown_keys();
  return predicted;
}

// A word that an enumeration reads; the error names file and key.
template <typename Read>
auto read_word(JsonObject& json, const char* key, Read read) {
  return read(json.text(key), json.where() + ": " + key);
}

void read_format(JsonObject& json) {
  if (json.text("format") != kFormat) json.fail("format", concat("expected \"", kFormat, "\""));
  if (json.integer("format_version") != kFormatVersion) {
    json.fail("format_version", concat("expected ", kFormatVersion));
  }
}

ModelSpec read_embedded_model(JsonObject& json) {
  const Json& config = json.value("model");
  if (!config.is_object()) json.fail("model", "expected an object {...}");
  return parse_model(config.dump(2), json.text("model_name"), json.where() + ": model").model;
}

Mesh read_mesh(JsonObject json) {
  Mesh mesh;
  for (const auto& [key, member] : kMeshDegrees) mesh.*member = json.positive_integer(key);
  mesh.zero_shard = json.integer("zero_shard", 0);
  mesh.order = rank_order_from_string(json.text("order", std::string(to_string(mesh.order))),
                                      json.where() + ": mesh.order");
  json.reject_unknown_keys();
  return mesh;
}

PlannedDevices read_devices(JsonObject json) {
  PlannedDevices devices;
  devices.kind = device_from_string(json.text("kind"), json.where() + ": devices.kind");
  devices.per_node = json.positive_integer("per_node");
  json.reject_unknown_keys();
  return devices;
}

LoraSpec read_lora(JsonObject json) {
  LoraSpec lora;
  lora.rank = json.integer("rank");
  lora.alpha = json.number("alpha");
  lora.targets = json.texts("targets");
  lora.base_bits = json.integer("base_bits", kUnquantizedBits);
  json.reject_unknown_keys();
  return lora;
}

void read_run(JsonObject& json, Plan& plan) {
  plan.zero_stage = static_cast<int>(json.integer("zero_stage"));
  plan.sequence_parallel = json.boolean("sequence_parallel");
  plan.cp_kind =
      context_parallel_from_string(json.text("cp_kind", "ring"), json.where() + ": cp_kind");
  plan.micro_batch = json.positive_integer("micro_batch");
  plan.global_batch = json.positive_integer("global_batch");
  plan.seq_len = json.positive_integer("seq_len");
  plan.precision = read_word(json, "precision", precision_from_string);
  plan.schedule = read_word(json, "schedule", schedule_from_string);
  plan.virtual_stages = json.positive_integer("virtual_stages");
  plan.layers_per_stage = json.integers("layers_per_stage");
  for (const std::string& word : json.texts("recompute")) {
    plan.recompute.push_back(recompute_from_string(word, json.where() + ": recompute"));
  }
  plan.moe_capacity_factor = json.number("moe_capacity_factor", 0.0);
  plan.task = read_word(json, "task", task_from_string);
  plan.optimizer = read_word(json, "optimizer", optimizer_from_string);
  plan.offload = offload_from_string(json.text("offload", "none"), json.where() + ": offload");
  plan.seed = json.unsigned_integer("seed");
}

}  // namespace

std::string to_json(const Plan& plan) {
  Json json = Json::object();
  json["format"] = kFormat;
  json["format_version"] = kFormatVersion;
  json["model_name"] = plan.model.name;
  json["cluster"] = plan.cluster;
  if (plan.devices) {
    json["devices"] = {{"kind", to_string(plan.devices->kind)},
                       {"per_node", plan.devices->per_node}};
  }
  for (const auto& [key, member] : kMeshDegrees) json["mesh"][key] = plan.mesh.*member;
  json["mesh"]["zero_shard"] = plan.mesh.zero_shard;
  json["mesh"]["order"] = to_string(plan.mesh.order);
  json["zero_stage"] = plan.zero_stage;
  json["sequence_parallel"] = plan.sequence_parallel;
  json["cp_kind"] = to_string(plan.cp_kind);
  json["micro_batch"] = plan.micro_batch;
  json["global_batch"] = plan.global_batch;
  json["seq_len"] = plan.seq_len;
  json["precision"] = to_string(plan.precision);
  json["schedule"] = to_string(plan.schedule);
  json["virtual_stages"] = plan.virtual_stages;
  json["layers_per_stage"] = plan.layers_per_stage;
  json["recompute"] = Json::array();
  for (const Recompute recompute : plan.recompute)
    json["recompute"].push_back(to_string(recompute));
  json["moe_capacity_factor"] = finite("moe_capacity_factor", plan.moe_capacity_factor);
  json["task"] = to_string(plan.task);
  json["optimizer"] = to_string(plan.optimizer);
  json["offload"] = to_string(plan.offload);
  json["lora"] = {{"rank", plan.lora.rank}, {"alpha", finite("alpha", plan.lora.alpha)}};
  json["lora"]["targets"] = plan.lora.targets;
  json["lora"]["base_bits"] = plan.lora.base_bits;
  json["seed"] = plan.seed;
  json["predicted"] = prediction_json(plan.predicted);
  json["model"] = parse_json(plan.model.config_json, "the model of the plan");
  return json.dump(2) + "\n";
}

Plan parse_plan(std::string_view json_text, const std::string& where) {
  const Json root = parse_json(json_text, where);
  JsonObject json(root, where);
  read_format(json);
  Plan plan;
  plan.model = read_embedded_model(json);
  plan.cluster = json.text("cluster");
  if (json.has("devices")) plan.devices = read_devices(json.object("devices"));
  plan.mesh = read_mesh(json.object("mesh"));
  read_run(json, plan);
  plan.lora = read_lora(json.object("lora"));
  plan.predicted = read_prediction(json.object("predicted"), plan.num_stages());
  json.reject_unknown_keys();
  try {
    validate(plan);
  } catch (const ConfigError& error) {
    throw ConfigError(where + ": " + error.what());
  }
  return plan;
}

Plan read_plan(const std::filesystem::path& path) {
  return parse_plan(read_text_file(path), path.string());
}

void write_plan(const Plan& plan, const std::filesystem::path& path) {
  write_text_file(path, to_json(plan));
}

}  // namespace argosy
