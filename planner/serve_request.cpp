// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// From options to a serving job.
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

void refuse_training_options(const PlanOptions& options) {
  const auto refuse = [](bool given, const char* option) {
    if (given) {
      throw ConfigError(concat(option,
                               ": not with --task serve; valid: --users, --context, "
                               "--prompt, --tokens-per-user, --weights, --cache, --fix"));
    }
  };
  refuse(options.tokens > 0, "--tokens");
  refuse(options.global_batch > 0, "--global-batch");
  refuse(options.seq_len > 0, "--seq-len");
  refuse(options.lora_rank > 0, "--lora-rank");
  refuse(options.base_bits != kUnquantizedBits, "--base-bits");
  refuse(options.moe_imbalance > 1, "--moe-imbalance");
  refuse(options.sample_tokens > 0, "--sample-tokens");
  refuse(options.document_tokens > 0, "--document-tokens");
  refuse(options.offload != "none", "--offload");
  refuse(options.explain || options.sensitivity || options.pareto || options.robust ||
             !options.what_if.empty() || !options.deadline.empty() || !options.phases.empty(),
         "--explain, --what-if, --sensitivity, --pareto, --deadline, --phases, --robust");
  refuse(!options.export_to.empty(), "--export");
  refuse(!options.import_from.empty(), "--import");
  refuse(!options.import_megatron.empty(), "--import-megatron");
  refuse(!options.out.empty(), "--out");
  refuse(!options.trace.empty(), "--trace");
  refuse(!options.report.empty(), "--report");
}

}  // namespace

ServeJob make_serve_job(const PlanOptions& options, std::vector<std::string>& warnings) {
  refuse_training_options(options);
  ServeJob job;
  ModelReading model = read_model(find_config("model", options.model, "models"));
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
  job.tokens_per_s_per_user = options.tokens_per_user;
  fix_degrees(options, job);
  return job;
}

}  // namespace argosy
