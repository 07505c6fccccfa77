// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// From options to a serving job.
#include <utility>

#include "planner/config_files.h"
#include "planner/options.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr int64_t kLongestDefaultContext = 2048;

// Of what --fix decides, serving knows tp and pp.
void fix_degrees(const PlanOptions& options, ServeJob& job) {
  Fixed fixed = parse_fixed(options.fix);
  job.tp = fixed.tp.value_or(0);
  job.pp = fixed.pp.value_or(0);
  const int64_t devices = job.cluster.num_devices;
  if (job.pp > job.model.num_layers || job.tp > devices ||
      job.pp > devices / std::max<int64_t>(1, job.tp)) {
    throw ConfigError(concat("--fix: tp=", job.tp, ", pp=", job.pp, " exceed the ", devices,
                             " devices or the ", job.model.num_layers,
                             " layers; valid: tp*pp up to the devices"));
  }
  fixed.tp.reset();
  fixed.pp.reset();
  if (fixed != Fixed{}) {
    throw ConfigError(concat("--fix: '", options.fix, "' with --task serve; valid: tp and pp"));
  }
}

void refuse_training_options(const PlanOptions& o) {
  const PlanOptions usual;
  const std::pair<bool, const char*> given[] = {
      {o.tokens > 0, "--tokens"},
      {o.global_batch > 0, "--global-batch"},
      {o.seq_len > 0, "--seq-len"},
      {o.moe_imbalance > 1, "--moe-imbalance"},
      {o.sample_tokens > 0, "--sample-tokens"},
      {o.document_tokens > 0, "--document-tokens"},
      {o.optimizer != usual.optimizer, "--optimizer"},
      {o.precision != usual.precision, "--precision"},
      {!o.stack.empty(), "--stack"},
      {o.objective != usual.objective, "--objective"},
      {o.offload != usual.offload, "--offload"},
      {o.fit_probability.has_value(), "--fit-probability"},
      {o.corrections != usual.corrections, "--corrections"},
      {o.explain, "--explain"},
      {o.pareto, "--pareto"},
      {!o.deadline.empty(), "--deadline"},
      {!o.phases.empty(), "--phases"},
      {o.robust, "--robust"},
      {o.near_ties, "--near-ties"},
      {!o.export_to.empty(), "--export"},
      {!o.import_from.empty(), "--import"},
      {!o.import_megatron.empty(), "--import-megatron"},
      {o.frees_layout, "--free"},
      {!o.out.empty(), "--out"},
      {!o.trace.empty(), "--trace"},
      {!o.report.empty(), "--report"},
      {!o.schedule_csv.empty(), "--schedule-csv"}};
  for (const auto& [is_given, option] : given) {
    if (!is_given) continue;
    throw ConfigError(concat(option,
                             ": not with --task serve; valid: --devices, --users, --context, "
                             "--prompt, --tokens-per-user, --weights, --cache, --fix, "
                             "--what-if, --sensitivity, --top, --json"));
  }
}

}  // namespace

ServeJob make_serve_job(const PlanOptions& options, std::vector<std::string>& warnings) {
  refuse_lora_options(options);
  refuse_training_options(options);
  ServeJob job;
  ModelReading model = read_model(find_config("model", options.model, {"models"}));
  warnings = model.warnings;
  job.model = std::move(model.model);
  job.model.num_mtp_modules = 0;  // of training alone
  job.cluster = make_cluster(options, warnings);
  job.weights = storage_from_string(options.weights, "--weights");
  job.cache = storage_from_string(options.cache, "--cache");
  job.users = options.users;
  const int64_t positions =
      job.model.max_positions > 0 ? job.model.max_positions : kLongestDefaultContext;
  job.context_tokens =
      options.context > 0 ? options.context : std::min(positions, kLongestDefaultContext);
  if (job.model.position == PositionKind::learned && job.context_tokens > positions) {
    throw ConfigError(concat("--context: ", job.context_tokens, ", but ", job.model.name,
                             " has learned positions; valid: 1 to ", positions));
  }
  job.prompt_tokens =
      options.prompt > 0 ? options.prompt : std::max<int64_t>(1, job.context_tokens / 4);
  if (job.prompt_tokens > job.context_tokens) {
    throw ConfigError(concat("--prompt: ", job.prompt_tokens, ", but the cache holds ",
                             job.context_tokens, " tokens of a sequence; valid: 1 to ",
                             job.context_tokens, ", or a larger --context"));
  }
  job.tokens_per_s_per_user = options.tokens_per_user;
  fix_degrees(options, job);
  return job;
}

}  // namespace argosy
