// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// From options to a job: files are read, defaults filled, contradictions refused.
#include <filesystem>
#include <map>
#include <utility>

#include "planner/cluster_file.h"
#include "planner/config_files.h"
#include "planner/cost/compute.h"
#include "planner/cost/memory_band.h"
#include "planner/import_setup.h"
#include "planner/options.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/model_lora.h"

namespace argosy {

namespace {

constexpr int64_t kDefaultLoraRank = 16;
constexpr double kDefaultAlphaPerRank = 2.0;

Objective objective_from_string(const std::string& text) {
  if (text == "time") return Objective::time;
  if (text == "cost") return Objective::cost;
  if (text == "carbon") return Objective::carbon;
  throw ConfigError(concat("--objective: '", text, "'; valid: time, cost, carbon"));
}

template <typename Value>
void refuse(bool is_given, const char* option, const Value& value, const char* task) {
  if (!is_given) return;
  throw ConfigError(concat(option, ": ", value, "; valid: only with --task ", task));
}

// What would be passed over without a word.
void refuse_serve_options(const PlanOptions& o) {
  const PlanOptions usual;
  refuse(o.users > 0, "--users", o.users, "serve");
  refuse(o.context > 0, "--context", o.context, "serve");
  refuse(o.prompt > 0, "--prompt", o.prompt, "serve");
  refuse(o.tokens_per_user > 0, "--tokens-per-user", o.tokens_per_user, "serve");
  refuse(o.weights != usual.weights, "--weights", o.weights, "serve");
  refuse(o.cache != usual.cache, "--cache", o.cache, "serve");
}

LoraSpec make_lora(const PlanOptions& options, const ModelSpec& model, Task task) {
  LoraSpec lora;
  if (task != Task::lora) return lora;
  lora.rank = options.lora_rank > 0 ? options.lora_rank : kDefaultLoraRank;
  lora.alpha = options.lora_alpha > 0 ? options.lora_alpha
                                      : kDefaultAlphaPerRank * static_cast<double>(lora.rank);
  lora.targets = lora_targets_from_string(options.lora_targets);
  lora.base_bits = options.base_bits;
  if (lora.base_bits != kUnquantizedBits && lora.base_bits != 4) {
    throw ConfigError(concat("--base-bits: ", lora.base_bits, "; valid: 16, 4"));
  }
  try {
    validate_lora(model, lora);
  } catch (const ConfigError& error) {
    throw ConfigError(concat("--lora-targets: ", error.what()));
  }
  return lora;
}

void require_precision(const Job& job) {
  const Accelerator& device = job.cluster.accelerator;
  if (device.peak_flops_per_s(job.precision) > 0) return;
  std::string valid;
  for (Precision other : {Precision::fp64, Precision::fp32, Precision::bf16, Precision::fp8}) {
    if (device.peak_flops_per_s(other) > 0) append_listed(valid, to_string(other));
  }
  throw ConfigError(concat("--precision: ", device.name, " has no ", to_string(job.precision),
                           "_flops_per_s in the file of the cluster; valid: ", valid));
}

}  // namespace

void refuse_lora_options(const PlanOptions& o) {
  if (o.task == "lora") return;
  const PlanOptions usual;
  refuse(o.base_bits != usual.base_bits, "--base-bits", o.base_bits, "lora");
  refuse(o.lora_rank > 0, "--lora-rank", o.lora_rank, "lora");
  refuse(o.lora_alpha > 0, "--lora-alpha", o.lora_alpha, "lora");
  refuse(o.lora_targets != usual.lora_targets, "--lora-targets", o.lora_targets, "lora");
}

ModelSpec read_named_model(const std::string& name, std::vector<std::string>& warnings) {
  ModelReading reading = read_model(find_config("model", name, {"models"}));
  warnings.insert(warnings.end(), reading.warnings.begin(), reading.warnings.end());
  return std::move(reading.model);
}

ClusterSpec make_cluster(const PlanOptions& options, std::vector<std::string>& warnings) {
  ClusterReading reading = read_cluster_file(find_cluster(options.cluster));
  warnings.insert(warnings.end(), reading.warnings.begin(), reading.warnings.end());
  const ClusterSpec& cluster = reading.cluster;
  const int64_t devices = options.devices > 0 ? options.devices : cluster.num_devices;
  const int64_t most = cluster.tiers.back().devices;  // an accelerator's file is of one node
  if (devices > most && !cluster.may_oversubscribe) {
    throw ConfigError(concat("--devices: ", devices, ", but the links of ", cluster.name, " join ",
                             most, "; valid: 1 to ", most));
  }
  if (devices > cluster.num_devices && cluster.may_oversubscribe) {
    warnings.push_back(concat("--devices: ", devices, " ranks share the ", cluster.num_devices,
                              " devices of ", cluster.name,
                              ": a rehearsal, slower than one rank a device"));
  }
  return with_devices(cluster, devices);
}

namespace {

// An objective needs the figures that it is made of.
void require_figures(const Job& job) {
  const ClusterSpec& c = job.cluster;
  const char* missing = nullptr;
  if (job.objective == Objective::cost && c.usd_per_device_hour == 0) missing = "a price";
  if (job.objective == Objective::carbon && (c.device_power_w == 0 || c.carbon_kg_per_kwh == 0)) {
    missing = "power and carbon intensity";
  }
  if (missing == nullptr) return;
  throw ConfigError(concat("--objective: the file of ", c.name, " does not give ", missing,
                           "; valid: time, or a cluster whose file has `operation`"));
}

// What past runs say of the cluster, where there is something.
void apply_corrections(const PlanOptions& options, Request& request) {
  Job& job = request.job;
  if (!job.stack.facts.is_own) {  // the trainer's runs say nothing of other frameworks
    if (options.corrections == "auto" || options.corrections == "none") return;
    throw ConfigError(concat("--corrections: ", options.corrections, " with --stack ",
                             job.stack.name, "; valid: with --stack ", kOwnStack,
                             ", whose runs they are of"));
  }
  const std::filesystem::path file = find_cluster(options.cluster);
  request.corrections = find_corrections(read_cluster_file(file).cluster, file, job.precision,
                                         job.num_devices(), options.corrections);
  const std::vector<std::string>& warnings = request.corrections.warnings;
  request.warnings.insert(request.warnings.end(), warnings.begin(), warnings.end());
  if (request.corrections.factors.num_runs == 0) return;
  job.cluster = corrected(job.cluster, request.corrections.factors);
}

// Learned positions end; rotary ones go on, but weights know the angles that they were trained on.
void check_positions(const Job& job, std::vector<std::string>& warnings) {
  const int64_t positions = job.model.max_positions;
  if (positions <= 0 || job.seq_len <= positions) return;
  if (job.model.position == PositionKind::learned) {
    throw ConfigError(concat("--seq-len: ", job.seq_len, " exceeds the ", positions,
                             " learned positions of ", job.model.name, "; valid: at most ",
                             positions));
  }
  warnings.push_back(concat("--seq-len: ", job.seq_len, " is beyond the ", positions,
                            " positions of ", job.model.name, ": priced all the same"));
}

// A run of padded samples: so many positions for the tokens that it trains on.
void count_padding(const PlanOptions& options, Job& job, std::vector<std::string>& warnings) {
  if (options.sample_tokens == 0) return;
  const auto refuse = [&](const std::string& valid) {
    throw ConfigError(concat("--sample-tokens: ", options.sample_tokens, "; valid: ", valid));
  };
  if (job.task == Task::pretrain) refuse("only with --task finetune or lora");
  if (options.sample_tokens > job.seq_len) {
    refuse(concat("at most --seq-len ", job.seq_len, ", beyond which samples are cut"));
  }
  const double share =
      static_cast<double>(options.sample_tokens) / static_cast<double>(job.seq_len);
  job.tokens /= share;
  warnings.push_back(concat("--sample-tokens: ", format_percent(1 - share),
                            " of the positions are padding; tokens/s and MFU count them"));
}

// Attention within documents: fewer pairs take time, the nominal count stays.
void mask_documents(const PlanOptions& options, Job& job, std::vector<std::string>& warnings) {
  if (options.document_tokens == 0) return;
  const auto refuse = [&](const std::string& valid) {
    throw ConfigError(concat("--document-tokens: ", options.document_tokens, "; valid: ", valid));
  };
  if (options.sample_tokens > 0) refuse("without --sample-tokens: padded samples are alone");
  if (job.model.sliding_window > 0) refuse("not supported yet for models with attention windows");
  if (!job.stack.facts.fuses_attention) {
    refuse(concat("another --stack than ", job.stack.name, ", whose attention computes all pairs"));
  }
  if (options.document_tokens > job.seq_len) {
    refuse(concat("at most --seq-len ", job.seq_len, ", at whose end documents are cut"));
  }
  job.document_tokens = static_cast<double>(options.document_tokens);
  const double share = (job.document_tokens + 1) / static_cast<double>(job.seq_len + 1);
  warnings.push_back(concat("--document-tokens: attention computes ", format_percent(share),
                            " of the pairs that MFU counts; train with --document-mask"));
}

}  // namespace

namespace {

// --offload, beside what --fix says.
void allow_offload(const std::string& offload, Fixed& fixed) {
  if (offload == "none") return;
  if (offload != "auto" && offload != "optimizer") {
    throw ConfigError(concat("--offload: '", offload, "'; valid: none, auto, optimizer"));
  }
  if (fixed.offload) {
    throw ConfigError(concat("--offload: ", offload, ", but --fix has offload=",
                             to_string(*fixed.offload), "; valid: one of them"));
  }
  fixed.tries_offload = offload == "auto";
  if (offload == "optimizer") fixed.offload = Offload::optimizer;
}

}  // namespace

void require_writable_files(const PlanOptions& o) {
  const std::pair<const char*, const std::string&> files[] = {{"--out", o.out},
                                                              {"--report", o.report},
                                                              {"--trace", o.trace},
                                                              {"--schedule-csv", o.schedule_csv}};
  std::map<std::filesystem::path, const char*> option_of;
  for (const auto& [option, file] : files) {
    if (file.empty()) continue;
    require_writable(option, file);
    const std::filesystem::path path =
        std::filesystem::weakly_canonical(std::filesystem::absolute(file));
    if (std::filesystem::is_other(path)) continue;  // a pipe or /dev/null takes all of them
    const auto [other, is_new] = option_of.try_emplace(path, option);
    if (is_new) continue;
    throw ConfigError(concat(option, ": ", file, ": is the file of ", other->second,
                             " too; valid: another file"));
  }
}

namespace {

double fit_probability_of(const PlanOptions& options, const ClusterSpec& cluster) {
  const bool has_band = has_memory_band(cluster);
  if (options.fit_probability.value_or(0) > 0 && !has_band) {
    throw ConfigError(concat("--fit-probability: ", cluster.name,
                             " does not give context_bytes; valid: without it"));
  }
  return options.fit_probability.value_or(has_band ? kUsualFitProbability : 0);
}

void compare_with_step(const Job& job, std::vector<std::string>& warnings) {
  const double step_tokens =
      static_cast<double>(job.global_batch) * static_cast<double>(job.seq_len);
  if (job.tokens <= 0 || job.tokens >= step_tokens) return;
  warnings.push_back(concat("--tokens: ", format_count(job.tokens), " are less than one step's ",
                            format_count(step_tokens),
                            "; smaller with --global-batch or --seq-len"));
}

// `setup`: what is imported; null: nothing is.
Request read_request(const PlanOptions& given, const ImportSetup* setup) {
  Request request;
  Job& job = request.job;
  if (setup == nullptr) find_config("model", given.model, {"models"});
  PlanOptions options = given;
  if (setup != nullptr) options.devices = devices_of_import(*setup, given, request.warnings);
  job.cluster = make_cluster(options, request.warnings);
  job.model = setup != nullptr ? apply_import(*setup, options, job.cluster.num_devices, request)
                               : read_named_model(given.model, request.warnings);
  job.task = task_from_string(options.task, "--task");
  job.lora = make_lora(options, job.model, job.task);
  job.optimizer = optimizer_from_string(options.optimizer, "--optimizer");
  job.precision = precision_from_string(options.precision, "--precision");
  job.objective = objective_from_string(options.objective);
  job.tokens = options.tokens;
  request.phases = options.phases;
  job.seed = options.seed;
  job.fit_probability = fit_probability_of(options, job.cluster);
  require_precision(job);
  require_figures(job);
  if (job.lora.base_bits != kUnquantizedBits && job.precision == Precision::fp8) {
    throw ConfigError(concat("--base-bits: ", job.lora.base_bits, " with --precision ",
                             to_string(job.precision), "; valid: --precision bf16, fp32, fp64"));
  }
  job.moe_imbalance = options.moe_imbalance;
  if (job.moe_imbalance > 1 && !job.model.has_moe()) {
    throw ConfigError(concat("--moe-imbalance: ", job.moe_imbalance, ", but ", job.model.name,
                             " has no experts; valid: 1"));
  }
  choose_stack(options, job, request.warnings);
  apply_corrections(options, request);
  request.fixed = parse_fixed(options.fix);
  // Kernels that send a token to a node once know no capacity.
  if (request.fixed.moe_capacity_factor.value_or(0) > 0) job.stack.facts.dispatches_once = false;
  allow_offload(options.offload, request.fixed);
  job.seq_len = options.seq_len > 0 ? options.seq_len : default_seq_len(job.model, job.cluster);
  check_positions(job, request.warnings);
  job.is_default_batch = options.global_batch == 0;
  job.global_batch =
      job.is_default_batch ? default_global_batch(job, request.fixed) : options.global_batch;
  compare_with_step(job, request.warnings);
  count_padding(options, job, request.warnings);
  mask_documents(options, job, request.warnings);
  check_fixed(job, request.fixed);
  if (setup == nullptr) refuse_contradictions(request.fixed, job.num_devices());
  return request;
}

}  // namespace

Request make_request(const PlanOptions& given) {
  refuse_lora_options(given);
  refuse_serve_options(given);
  if (!has_import(given)) {
    if (given.frees_layout) {
      throw ConfigError("--free: layout; valid: with --import, whose layout it is");
    }
    return read_request(given, nullptr);
  }
  const ImportSetup setup = read_import_setup(given);
  try {
    Request request = read_request(given, &setup);
    for (std::string& warning : request.warnings) warning = in_words_of(setup, given, warning);
    return request;
  } catch (const ConfigError& error) {
    throw ConfigError(in_words_of(setup, given, error.what()));
  }
}

}  // namespace argosy
