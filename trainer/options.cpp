// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/options.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <cmath>
#include <limits>

#include "planner/spec/check.h"
#include "planner/spec/command_line.h"
#include "planner/spec/model_lora.h"
#include "trainer/chat/chat_template.h"
#include "trainer/device/device_backend.h"
#include "trainer/kept_options.h"
#include "trainer/ops/fp8.h"
#include "trainer/option_jobs.h"
#include "trainer/option_list.h"

namespace argosy {

namespace {

namespace po = boost::program_options;

class Reader {
 public:
  explicit Reader(const po::variables_map& values) : values_(values) {}
  bool has(const char* key) const { return values_.count(key) > 0; }
  template <typename T>
  T get(const char* key) const {
    return values_[key].as<T>();
  }
  std::string path(const char* key) const {
    return has(key) ? get<std::string>(key) : std::string();
  }
  int64_t count(const char* key, int64_t least) const {
    const auto value = get<int64_t>(key);
    if (value < least)
      throw ConfigError(concat("--", key, ": ", value, ", but it must be at least ", least));
    return value;
  }
  double at_least_zero(const char* key) const {
    const double value = get<double>(key);
    if (!(value >= 0) || !std::isfinite(value))
      throw ConfigError(concat("--", key, ": ", value, ", but it must be at least 0"));
    return value;
  }
  double above_zero(const char* key) const {
    const double value = get<double>(key);
    if (!(value > 0) || !std::isfinite(value))
      throw ConfigError(concat("--", key, ": ", value, ", but it must be above 0"));
    return value;
  }
  // Longer would not keep the promise of a minute with the start of the ranks.
  double measure_seconds(const char* key) const {
    const double value = get<double>(key);
    if (!(value >= 1 && value <= 50))
      throw ConfigError(concat("--", key, ": ", value, "; valid: 1 to 50"));
    return value;
  }
  double part(const char* key) const {
    const double value = get<double>(key);
    if (!(value > 0 && value < 1))
      throw ConfigError(concat("--", key, ": ", value, ", but it must be above 0 and below 1"));
    return value;
  }
  // Decay rate of a running average or probability of dropping: 1 would divide by zero.
  double decay(const char* key) const {
    const double value = get<double>(key);
    if (!(value >= 0 && value < 1))
      throw ConfigError(concat("--", key, ": ", value, ", but it must be at least 0 and below 1"));
    return value;
  }

 private:
  const po::variables_map& values_;
};

void require(const Reader& read, std::initializer_list<const char*> keys) {
  std::string missing;
  for (const char* key : keys) {
    if (!read.has(key)) append_listed(missing, "--", key);
  }
  if (!missing.empty())
    throw ConfigError(concat("missing: ", missing, "; argosy-train --help lists the options"));
}

// A whole number that int64_t holds.
bool is_step(const std::string& text) {
  constexpr size_t kMaxDigits = std::numeric_limits<int64_t>::digits10;
  return !text.empty() && text.size() <= kMaxDigits &&
         text.find_first_not_of("0123456789") == std::string::npos;
}

AuxLossScope aux_loss_scope(const std::string& word) {
  if (word == "sequence") return AuxLossScope::sequence;
  if (word == "global") return AuxLossScope::global;
  throw ConfigError(concat("--router-aux-loss: '", word, "'; valid: sequence, global"));
}

CudaGraphs cuda_graphs(const std::string& word) {
  if (word == "off") return CudaGraphs::off;
  if (word == "auto") return CudaGraphs::automatic;
  if (word == "on") return CudaGraphs::on;
  throw ConfigError(concat("--cuda-graphs: '", word, "'; valid: off, auto, on"));
}

bool is_on(const char* key, const std::string& word) {
  if (word == "on" || word == "off") return word == "on";
  throw ConfigError(concat("--", key, ": '", word, "'; valid: on, off"));
}

TrainMode mode_of(const Reader& read) {
  if (read.has("help")) return TrainMode::help;
  if (read.has("measure")) return TrainMode::measure;
  if (read.has("tokenize")) return TrainMode::tokenize;
  if (read.has("generate")) return TrainMode::generate;
  return read.has("verify") ? TrainMode::verify : TrainMode::train;
}

void refuse_both(const Reader& read, const char* one, const char* other) {
  if (read.has(one) && read.has(other))
    throw ConfigError(concat("--", one, " and --", other, ": valid is one of them"));
}

void read_training(const Reader& read, TrainOptions* options) {
  if (options->mode == TrainMode::verify) {
    require(read, {"plan", "data"});
    options->verify_steps = read.count("verify", 1);
  } else {
    refuse_both(read, "steps", "epochs");
    if (read.has("epochs")) {
      require(read, {"plan", "data", "run-dir"});
      options->epochs = read.above_zero("epochs");
    } else {
      require(read, {"plan", "data", "steps", "run-dir"});
      options->steps = read.count("steps", 1);
    }
  }
  options->resume = read.get<std::string>("resume");
  if (options->resume != "none" && options->resume != "auto" && !is_step(options->resume)) {
    throw ConfigError(concat("--resume: '", options->resume, "'; valid: none, auto or a step"));
  }
  if (read.has("checkpoint-every")) options->checkpoint_every = read.count("checkpoint-every", 0);
  if (read.has("keep-checkpoints")) options->keep_checkpoints = read.count("keep-checkpoints", 1);
  options->eval_every = read.count("eval-every", 0);
  options->eval_steps = read.count("eval-steps", 1);
  refuse_both(read, "eval-data", "eval-fraction");
  if (read.has("eval-fraction")) options->eval_fraction = read.part("eval-fraction");
  if (options->eval_every > 0 && !read.has("eval-data") && !read.has("eval-fraction")) {
    throw ConfigError(concat("--eval-every: ", options->eval_every,
                             ", but there is nothing to evaluate on; valid: with --eval-data or ",
                             "--eval-fraction"));
  }
  refuse_both(read, "warmup", "warmup-ratio");
  if (read.has("warmup-ratio")) options->warmup_ratio = read.part("warmup-ratio");
  options->lr = {
      .kind = lr_schedule_from_string(read.get<std::string>("lr-schedule"), "--lr-schedule"),
      .lr = read.get<double>("lr"),
      .min_lr = read.get<double>("min-lr"),
      .warmup_steps = read.has("warmup") ? read.get<int64_t>("warmup") : 0};
  validate(options->lr);
  options->optimizer = {.beta1 = read.decay("beta1"),
                        .beta2 = read.decay("beta2"),
                        .eps = read.above_zero("eps"),
                        .weight_decay = read.at_least_zero("weight-decay")};
  options->clip = read.at_least_zero("clip");
  options->dropout = read.decay("dropout");
  if (read.has("packing")) {
    options->packing = packing_from_string(read.get<std::string>("packing"), "--packing");
  }
  options->document_mask = read.get<bool>("document-mask") || options->packing == Packing::best_fit;
  options->check_replicas_every = read.count("check-replicas", 0);
  options->check_collectives_every = read.count("check-collectives", 0);
  options->watchdog_s = read.count("watchdog", 0);
  if (read.has("router-aux-loss-coef"))
    options->router_aux_loss_coef = read.at_least_zero("router-aux-loss-coef");
  options->overlap = is_on("overlap", read.get<std::string>("overlap"));
  options->cuda_graphs = cuda_graphs(read.get<std::string>("cuda-graphs"));
  options->router_aux_loss = aux_loss_scope(read.get<std::string>("router-aux-loss"));
  options->router_bias_update_rate = read.at_least_zero("router-bias-update-rate");
  if (read.has("mtp-loss-scaling-factor"))
    options->mtp_loss_scaling_factor = read.at_least_zero("mtp-loss-scaling-factor");
}

Device available_device(const std::string& name) {
  const Device device = device_from_string(name, "--device");
  try {
    if (device == Device::cuda) count_cuda_devices();
  } catch (const Error& error) {
    throw ConfigError(concat("--device ", name, ": ", error.what(), "; valid: cpu"));
  }
  return device;
}

void read_plan_options(const Reader& read, TrainOptions* options) {
  if (read.has("precision")) {
    options->precision = precision_from_string(read.get<std::string>("precision"), "--precision");
  }
  if (read.has("optimizer")) {
    options->optimizer_kind =
        optimizer_from_string(read.get<std::string>("optimizer"), "--optimizer");
  }
  if (read.has("seed")) options->seed = static_cast<uint64_t>(read.count("seed", 0));
  if (read.has("lora-rank")) options->lora_rank = read.count("lora-rank", 1);
  if (read.has("lora-alpha")) options->lora_alpha = read.above_zero("lora-alpha");
  if (read.has("lora-targets"))
    options->lora_targets = lora_targets_from_string(read.get<std::string>("lora-targets"));
}

[[noreturn]] void contradiction(const char* option, std::string_view wanted,
                                std::string_view planned) {
  throw ConfigError(concat("--", option, ": ", wanted, ", but the plan has ", planned,
                           "; make a plan for it with argosy-plan, or leave the option out"));
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
  return text;
}

std::vector<std::string> sorted(std::vector<std::string> words) {
  std::sort(words.begin(), words.end());
  return words;
}

void check_against(const Plan& plan, const TrainOptions& options) {
  constexpr std::string_view kNoLora = "no LoRA (its task is pretrain)";
  constexpr std::string_view kNoExperts = "a model that has no experts";
  if (options.optimizer_kind && *options.optimizer_kind != plan.optimizer) {
    contradiction("optimizer", to_string(*options.optimizer_kind), to_string(plan.optimizer));
  }
  if (plan.task != Task::lora) {
    if (options.lora_rank) contradiction("lora-rank", std::to_string(*options.lora_rank), kNoLora);
    if (options.lora_alpha) contradiction("lora-alpha", concat(*options.lora_alpha), kNoLora);
    if (options.lora_targets) contradiction("lora-targets", join(*options.lora_targets), kNoLora);
  }
  if (options.lora_rank && *options.lora_rank != plan.lora.rank) {
    contradiction("lora-rank", std::to_string(*options.lora_rank), concat("rank ", plan.lora.rank));
  }
  if (options.lora_targets && sorted(*options.lora_targets) != sorted(plan.lora.targets)) {
    contradiction("lora-targets", join(*options.lora_targets), join(plan.lora.targets));
  }
  if (options.mtp_loss_scaling_factor && plan.model.num_mtp_modules == 0) {
    contradiction("mtp-loss-scaling-factor", concat(*options.mtp_loss_scaling_factor),
                  "a model that has no modules for multi-token prediction "
                  "(num_nextn_predict_layers 0)");
  }
  if (plan.model.has_moe()) return;
  if (options.router_aux_loss_coef >= 0)
    contradiction("router-aux-loss-coef", concat(options.router_aux_loss_coef), kNoExperts);
  if (options.router_aux_loss != AuxLossScope::sequence)
    contradiction("router-aux-loss", "global", kNoExperts);
}

void read_job(const Reader& read, TrainOptions* options) {
  switch (options->mode) {
    case TrainMode::measure:
      options->measure_s = read.measure_seconds("measure-seconds");
      return;
    case TrainMode::tokenize:
      return require(read, {"data"});
    case TrainMode::generate:
      options->prompt = read.get<std::string>("generate");
      options->max_new_tokens = read.count("max-new-tokens", 1);
      options->temperature = read.at_least_zero("temperature");
      options->top_k = read.count("top-k", 0);
      return;
    case TrainMode::train:
    case TrainMode::verify:
      return read_training(read, options);
    case TrainMode::help:
      return;
  }
}

}  // namespace

TrainOptions parse_train_options(int argc, const char* const* argv) {
  const po::options_description list = option_list();
  po::variables_map values = parse_options(list, argc, argv);
  keep_options_of_run(list, values);
  const Reader read(values);
  TrainOptions options;
  options.help = help_text(list);
  options.mode = mode_of(read);
  if (options.mode == TrainMode::help) return options;
  options.chat = read.get<bool>("chat");
  refuse_options_of_other_jobs(given_options(list, argc, argv), options);
  const auto device = read.get<std::string>("device");
  options.device = read.get<bool>("check-options") ? device_from_string(device, "--device")
                                                   : available_device(device);
  options.share_gpus = read.get<bool>("share-gpus");
  options.policy = {
      .allow_tf32 = read.get<bool>("allow-tf32"),
      .is_deterministic = is_on("deterministic", read.get<std::string>("deterministic"))};
  options.plan = read.path("plan");
  options.data = read.path("data");
  options.run_dir = read.path("run-dir");
  options.tokenizer = read.path("tokenizer");
  options.init = read.path("init");
  options.init_adapter = read.path("init-adapter");
  options.eval_data = read.path("eval-data");
  options.measure_out = read.path("measure");
  options.tokenize_out = read.path("tokenize");
  options.chat_template_kwargs = read.path("chat-template-kwargs");
  if (!options.chat_template_kwargs.empty()) {
    naming("--chat-template-kwargs", [&] { parse_chat_variables(options.chat_template_kwargs); });
  }
  if (read.has("end-of-text")) options.end_of_text = read.count("end-of-text", 0);
  read_plan_options(read, &options);
  read_job(read, &options);
  options.resolved = resolved_lines(values);
  return options;
}

Plan apply_options(Plan plan, const TrainOptions& options) {
  check_against(plan, options);
  if (options.lora_alpha) plan.lora.alpha = *options.lora_alpha;
  if (options.seed) plan.seed = *options.seed;
  if (options.precision && *options.precision != plan.precision) {
    plan.precision = *options.precision;
    plan.predicted = {};  // seconds and bytes were of another precision
  }
  MoeSpec& moe = plan.model.moe;
  if (plan.task == Task::lora) moe.aux_loss_coef = moe.z_loss_coef = 0;  // the router is frozen
  if (options.router_aux_loss_coef >= 0) moe.aux_loss_coef = options.router_aux_loss_coef;
  validate(plan);
  if (plan.precision == Precision::fp8 && options.device == Device::cpu) {
    throw ConfigError(ops::kNoFp8OnCpus);
  }
  const LayerSettings layers{.dropout = options.dropout, .document_mask = options.document_mask};
  (void)uses_graphs(options.cuda_graphs, plan, layers, options.device);
  return plan;
}

}  // namespace argosy
