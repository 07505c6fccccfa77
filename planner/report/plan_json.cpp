// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What `argosy-plan --json` prints.
#include <algorithm>

#include "planner/report/plan_text.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

Json memory_json(const Prediction& p) {
  Json json = {{"peak", p.peak_bytes}};
  for (int i = 0; i < kNumMemoryCategories; ++i) {
    json[std::string(to_string(static_cast<MemoryCategory>(i)))] =
        p.memory_bytes[static_cast<size_t>(i)];
  }
  return json;
}

Json predicted_json(const Prediction& p) {
  return {{"stack", p.stack},
          {"step_s", p.step_s},
          {"mfu", p.mfu},
          {"mfu_palm", p.mfu_palm},
          {"hfu", p.hfu},
          {"tokens_per_s", p.tokens_per_s},
          {"tokens_per_s_per_device", p.tokens_per_s_per_device},
          {"tflops_per_device", p.tflops_per_device},
          {"memory_bytes", memory_json(p)},
          {"fits_probability", p.fits_probability},
          {"bubble_fraction", p.bubble_fraction},
          {"exposed_comm_s", p.exposed_comm_s},
          {"days", p.days},
          {"goodput", p.goodput},
          {"cost_usd", p.cost_usd},
          {"energy_kwh", p.energy_kwh},
          {"carbon_kg", p.carbon_kg},
          {"embodied_kg", p.embodied_kg},
          {"checkpoint_interval_s", p.checkpoint_interval_s},
          {"host_bytes", p.host_bytes},
          {"moe_imbalance", p.moe_imbalance},
          {"spare_nodes", p.spare_nodes}};
}

Json plan_json(const Plan& plan) {
  const int64_t num_recomputed =
      plan.model.num_layers -
      std::count(plan.recompute.begin(), plan.recompute.end(), Recompute::none);
  const Mesh& m = plan.mesh;
  return {{"mesh",
           {{"tp", m.tp}, {"pp", m.pp}, {"dp", m.dp}, {"cp", m.cp}, {"ep", m.ep}, {"etp", m.etp}}},
          {"order", to_string(m.order)},
          {"zero_stage", plan.zero_stage},
          {"zero_shard", m.zero_shard},
          {"sequence_parallel", plan.sequence_parallel},
          {"cp_kind", to_string(plan.cp_kind)},
          {"micro_batch", plan.micro_batch},
          {"global_batch", plan.global_batch},
          {"seq_len", plan.seq_len},
          {"schedule", to_string(plan.schedule)},
          {"virtual_stages", plan.virtual_stages},
          {"layers_per_stage", plan.layers_per_stage},
          {"recompute", recompute_word(plan)},
          {"recompute_layers", num_recomputed},
          {"moe_capacity_factor", plan.moe_capacity_factor},
          {"offload", to_string(plan.offload)},
          {"task", to_string(plan.task)},
          {"precision", to_string(plan.precision)},
          {"base_bits", plan.lora.base_bits},
          {"predicted", predicted_json(plan.predicted)}};
}

}  // namespace

std::string plan_summary_json(const Plan& plan) {
  return plan_json(plan).dump();
}

std::string model_json(const ModelSpec& model, const LoraSpec& lora) {
  const ParameterCount count = count_parameters(model, lora);
  const Json json = {{"name", model.name},
                     {"parameters", count.total},
                     {"active_parameters", count.active},
                     {"trainable_parameters", count.trainable}};
  return json.dump();
}

std::string cluster_json(const ClusterSpec& cluster) {
  const Json json = {{"name", cluster.name},
                     {"accelerator", cluster.accelerator.name},
                     {"devices", cluster.num_devices},
                     {"devices_per_node", cluster.devices_per_node}};
  return json.dump();
}

std::string error_json(const std::string& message) {
  return Json{{"error", message}}.dump(2) + "\n";
}

std::string plans_json(const std::vector<Plan>& plans, const SearchSummary& summary,
                       const std::vector<std::pair<std::string, std::string>>& sections) {
  Json json = {{"plans", Json::array()},
               {"search",
                {{"candidates", summary.candidates},
                 {"evaluated", summary.evaluated},
                 {"feasible", summary.feasible},
                 {"seconds", summary.seconds}}},
               {"rejected", Json::array()}};
  for (const Plan& plan : plans) json["plans"].push_back(plan_json(plan));
  for (const Rejection& rejection : summary.rejected) {
    json["rejected"].push_back(
        {{"reason", rejection.reason}, {"count", rejection.count}, {"nearest", rejection.nearest}});
  }
  for (const auto& [key, text] : sections) json[key] = parse_json(text, key);
  return json.dump(2) + "\n";
}

}  // namespace argosy
