// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/generate_source.h"

#include <algorithm>

#include "checkpoint/hf/adapter_folder.h"
#include "checkpoint/hf/model_folder.h"
#include "planner/spec/check.h"
#include "planner/spec/kv_cache.h"
#include "trainer/start_point.h"
#include "trainer/verify.h"

namespace argosy {

namespace {

namespace fs = std::filesystem;

Plan plan_of_checkpoint(const fs::path& checkpoint) {
  return parse_plan(read_manifest(checkpoint).plan_json, (checkpoint / "manifest.json").string());
}

// The newest whole checkpoint that a path means.
fs::path checkpoint_at(const fs::path& path) {
  std::vector<std::string> skipped;
  return resolve_checkpoint(path, &skipped);
}

// A plan for a network that no plan of ours has trained. It sees as many tokens as it has positions
// for, while their cache is small enough.
Plan plan_of_hf(const fs::path& folder, const TrainOptions& options) {
  Plan plan;
  plan.model = read_model(folder).model;
  plan.cluster = "local-cpu";
  plan.micro_batch = plan.global_batch = 1;
  plan.precision = options.precision.value_or(plan.precision);
  const int64_t token_bytes =
      kv_elements_per_token(plan.model) * size_in_bytes(compute_dtype(plan.precision));
  plan.seq_len = std::max<int64_t>(1, kMostCacheBytes / token_bytes);
  if (plan.model.max_positions > 0) {
    plan.seq_len = std::min(plan.seq_len, plan.model.max_positions);
  }
  return single_rank(plan);
}

// The base model's weights under the adapter's factors, whatever adapter the base had itself.
void add_adapter(const TrainOptions& options, GenerateSource* source) {
  if (options.init_adapter.empty()) return;
  naming("--init-adapter", [&] {
    Plan& plan = source->plan;
    source->restore = Restore::base;
    plan.task = Task::lora;
    if (is_peft_folder(options.init_adapter)) {
      source->adapter = options.init_adapter;
      plan.lora = read_peft_lora(source->adapter);
      find_peft_adapter(source->adapter, plan);  // looks at names and shapes
      return;
    }
    try {
      source->adapter = checkpoint_at(options.init_adapter);
    } catch (const ConfigError& error) {
      throw ConfigError(concat(error.what(), ", or a folder of PEFT (adapter_config.json)"));
    }
    const Plan theirs = plan_of_checkpoint(source->adapter);
    if (theirs.task != Task::lora) {
      throw ConfigError(concat(source->adapter.string(), ": its run's task is ",
                               to_string(theirs.task), "; valid: a checkpoint of a LoRA job, or a ",
                               "folder of PEFT (adapter_config.json, adapter_model.safetensors)"));
    }
    plan.lora = theirs.lora;
  });
}

}  // namespace

GenerateSource find_generate_source(const TrainOptions& options) {
  const fs::path from = options.init.empty() ? options.run_dir : options.init;
  if (from.empty()) throw ConfigError("--generate needs --run-dir or --init: whose weights?");
  GenerateSource source;
  if (is_hf_folder(from)) {
    source.weights = from;
    source.restore = Restore::base;
    source.plan = plan_of_hf(from, options);
  } else {
    source.weights = checkpoint_at(from);
    source.plan = plan_of_checkpoint(source.weights);
  }
  source.plan.model.num_mtp_modules = 0;  // their weights stay where they are
  add_adapter(options, &source);
  source.plan = single_rank(apply_options(source.plan, options));
  source.plan.micro_batch = source.plan.global_batch = 1;
  source.plan.moe_capacity_factor = 0;  // every token is wanted
  validate(source.plan);
  return source;
}

void restore_source(const LayerContext& ctx, const GenerateSource& source, ParameterStore& store) {
  restore_checkpoint(ctx, source.weights, source.restore, store, nullptr);
  if (source.adapter.empty()) return;
  if (is_peft_folder(source.adapter)) {
    restore_adapter(ctx, source.adapter, store, nullptr);
  } else {
    restore_adapter_of_checkpoint(ctx, source.adapter, store);
  }
}

}  // namespace argosy
