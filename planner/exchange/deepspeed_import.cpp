// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Keys as in deepspeed/runtime/config.py and deepspeed/runtime/zero/config.py.
#include <algorithm>
#include <cctype>
#include <optional>

#include "planner/exchange/deepspeed_launch.h"
#include "planner/exchange/import.h"
#include "planner/spec/check.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

// Keys that change neither what is computed nor what is kept.
constexpr const char* kIgnored[] = {"steps_per_print",
                                    "wall_clock_breakdown",
                                    "memory_breakdown",
                                    "dump_state",
                                    "log_level",
                                    "gradient_clipping",
                                    "seed",
                                    "scheduler",
                                    "zero_allow_untested_optimizer",
                                    "zero_force_ds_cpu_optimizer",
                                    "prescale_gradients",
                                    "gradient_predivide_factor",
                                    "gradient_allreduce_op",
                                    "managed_gradient_accumulation",
                                    "tensorboard",
                                    "wandb",
                                    "csv_monitor",
                                    "comet",
                                    "flops_profiler",
                                    "comms_logger",
                                    "timers",
                                    "autotuning",
                                    "checkpoint",
                                    "dataloader_drop_last"};
constexpr const char* kIgnoredOfZero[] = {"stage3_gather_16bit_weights_on_model_save",
                                          "gather_16bit_weights_on_model_save",
                                          "stage3_gather_fp16_weights_on_model_save",
                                          "load_from_fp32_weights",
                                          "elastic_checkpoint",
                                          "ignore_unused_parameters",
                                          "override_module_apply",
                                          "log_trace_cache_warnings",
                                          "enable_sanity_checks",
                                          "pipeline_loading_checkpoint",
                                          "cpu_offload_use_pin_memory"};
// Some of these make a file one of DeepSpeed.
constexpr const char* kMarks[] = {"train_batch_size",  "train_micro_batch_size_per_gpu",
                                  "zero_optimization", "gradient_accumulation_steps",
                                  "tensor_parallel",   "activation_checkpointing"};

class Importer {
 public:
  Importer(std::string_view text, const std::string& where, int64_t num_devices)
      : json_(parse_json(text, where)), root_(json_, where), num_devices_(num_devices) {
    const auto is_there = [this](const char* key) { return root_.contains(key); };
    if (std::any_of(std::begin(kMarks), std::end(kMarks), is_there)) return;
    throw ConfigError(concat(where,
                             ": is no ds_config.json of DeepSpeed; valid: a file with "
                             "train_batch_size, zero_optimization and so on"));
  }

  PeerRun run() {
    read_precision();
    read_optimizer();
    read_degrees();
    read_zero();
    read_batch();
    read_recompute();
    for (const char* key : kIgnored) root_.ignore(key);
    note_left(root_);
    if (!left_.empty()) warn(concat("not modelled: ", left_));
    return std::move(run_);
  }

 private:
  void warn(const std::string& what) { run_.warnings.push_back(concat(root_.where(), ": ", what)); }

  // Hugging Face's Trainer fills these in from its own arguments.
  bool is_auto(JsonObject& object, const std::string& key) {
    return object.has(key) && object.value(key) == Json("auto");
  }
  bool is_on(JsonObject& object, const std::string& section, const char* key, bool fallback) {
    if (!is_auto(object, key)) return object.boolean(key, fallback);
    warn(concat(section, ".", key, ": auto is taken as ", fallback ? "true" : "false"));
    return fallback;
  }
  std::optional<int64_t> count(const char* key) {
    if (!root_.has(key)) return std::nullopt;
    if (is_auto(root_, key)) {
      has_auto_batch_ = true;
      return std::nullopt;
    }
    return root_.positive_integer(key);
  }

  // Keys with a say in time or memory that nobody asked for; switched off sections have none.
  void note_left(const JsonObject& object) {
    for (const std::string& key : object.unknown_keys()) {
      if (!is_off(key)) append_listed(left_, key);
    }
  }
  bool is_off(const std::string& key) const {
    const Json* value = &json_;
    for (size_t begin = 0; begin <= key.size();) {
      const size_t dot = std::min(key.find('.', begin), key.size());
      const auto found = value->find(key.substr(begin, dot - begin));
      if (found == value->end()) return false;  // a name with a dot
      value = &*found;
      begin = dot + 1;
    }
    if (value->is_object()) return value->value("enabled", Json(true)) == Json(false);
    return value->is_null() || *value == Json(false);
  }

  // Keys of their numerics cost nothing. Who leaves a format to the Trainer's arguments wants it.
  bool is_enabled(const char* section, bool if_auto) {
    if (!root_.has(section)) return false;
    JsonObject object = root_.object(section);
    return is_on(object, section, "enabled", if_auto);
  }

  void read_precision() {
    const bool is_bf16 = is_enabled("bf16", true) || is_enabled("bfloat16", true);
    const bool is_fp16 = is_enabled("fp16", !is_bf16);
    if (is_bf16 && is_fp16) {
      root_.fail("bf16", "DeepSpeed refuses bf16.enabled with fp16.enabled; expected one of them");
    }
    if (is_fp16) warn("fp16 is priced as bf16");
    run_.precision = is_bf16 || is_fp16 ? "bf16" : "fp32";
    if (!root_.has("data_types")) return;
    JsonObject types = root_.object("data_types");
    const std::string dtype = types.text("grad_accum_dtype", "fp32");
    if (dtype != "fp32") {
      warn(concat("data_types.grad_accum_dtype: ", dtype, " is priced as fp32"));
      run_.unmodelled_savings = "data_types.grad_accum_dtype (gradients of 2 bytes)";
    }
  }

  void read_optimizer() {
    if (!root_.has("optimizer")) {
      warn("optimizer: is the code's, priced as adamw");
      return;
    }
    JsonObject optimizer = root_.object("optimizer");
    std::string type = optimizer.text("type", "");
    std::transform(type.begin(), type.end(), type.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (type != "adam" && type != "adamw" && type != "sgd") {
      optimizer.fail("type", "cannot be priced; expected \"Adam\", \"AdamW\" or \"SGD\"");
    }
    optimizer.ignore("params");
    run_.optimizer = type == "sgd" ? "sgd" : "adamw";
    note_left(optimizer);
  }

  int64_t read_tp() {
    if (!root_.has("tensor_parallel")) return 1;
    JsonObject tensor = root_.object("tensor_parallel");
    int64_t tp = std::max<int64_t>(tensor.integer("autotp_size", 0), 1);  // 0: off
    for (const char* key : {"tp", "tensor_parallel"}) {
      if (!tensor.has(key)) continue;
      JsonObject inner = tensor.object(key);
      tp = std::max(tp, inner.positive_integer("tp_size", 1));
      inner.ignore("tp_grain_size");
      note_left(inner);
    }
    for (const char* key : {"dtype", "preset_model"}) tensor.ignore(key);
    note_left(tensor);
    return tp;
  }

  int64_t read_pp() {
    if (!root_.has("pipeline")) return 1;
    JsonObject pipeline = root_.object("pipeline");
    if (!pipeline.has("stages") || is_auto(pipeline, "stages")) {
      warn("pipeline.stages: is the code's, priced as 1");
      return 1;
    }
    for (const char* key : {"partition", "seed_layers", "pipe_partitioned", "grad_partitioned"}) {
      pipeline.ignore(key);
    }
    const int64_t stages = pipeline.positive_integer("stages");
    note_left(pipeline);
    return stages;
  }

  void read_experts() {
    int64_t ep = 1, etp = 1;
    if (root_.has("expert_parallel")) {
      JsonObject experts = root_.object("expert_parallel");
      const bool is_on = experts.boolean("enabled", false);
      const int64_t size = experts.positive_integer("autoep_size", 1);
      const int64_t tensor = experts.positive_integer("expert_tensor_parallel_size", 1);
      if (is_on) ep = size, etp = tensor;
      if (is_on) note_left(experts);
    }
    add_fix(run_, "ep", ep);
    add_fix(run_, "etp", etp);
  }

  void read_degrees() {
    tp_ = read_tp();
    pp_ = read_pp();
    cp_ = root_.positive_integer("sequence_parallel_size", 1);
    const int64_t product = product_of({tp_, pp_, cp_});
    if (num_devices_ % product != 0) {
      throw ConfigError(concat(root_.where(), ": tensor_parallel.autotp_size ", tp_,
                               " * pipeline.stages ", pp_, " * sequence_parallel_size ", cp_, " = ",
                               product, " does not divide the ", num_devices_,
                               " devices; valid: another --devices"));
    }
    dp_ = num_devices_ / product;
    add_fix(run_, "tp", tp_);
    add_fix(run_, "pp", pp_);
    add_fix(run_, "cp", cp_);
    add_fix(run_, "dp", dp_);
    add_fix(run_, "sequence_parallel", 0);
    if (cp_ > 1) add_fix(run_, "cp_kind", "ulysses");
    if (pp_ > 1) {
      add_fix(run_, "schedule", "1f1b");
      add_fix(run_, "order", "tp-cp-dp-pp");
    }
    read_experts();
  }

  void read_zero() {
    if (!root_.has("zero_optimization")) {
      add_fix(run_, "zero", 0);
      add_fix(run_, "offload", "none");
      return;
    }
    JsonObject zero = root_.object("zero_optimization");
    const int64_t stage = zero.integer("stage", 0);
    if (stage < 0 || stage > 3) zero.fail("stage", "expected 0, 1, 2, 3");
    if (pp_ > 1 && stage > 1) {
      zero.fail("stage",
                concat("DeepSpeed refuses it with pipeline.stages ", pp_, "; expected 0 or 1"));
    }
    add_fix(run_, "zero", stage);
    read_shards(zero, stage);
    add_fix(run_, "offload", read_offload(zero, stage) ? "optimizer" : "none");
    for (const char* key :
         {"overlap_comm", "contiguous_gradients", "reduce_scatter", "allgather_partitions"}) {
      if (!is_on(zero, "zero_optimization", key, true)) {
        append_listed(left_, "zero_optimization.", key);
      }
    }
    for (const char* key : kIgnoredOfZero) zero.ignore(key);
    note_left(zero);
  }

  // MiCS (up to DeepSpeed 0.19) shards everything within groups. ZeRO++'s hpZ keeps a second copy
  // of the weights in them.
  void read_shards(JsonObject& zero, int64_t stage) {
    const int64_t copies = zero.integer("zero_hpz_partition_size", 1);
    if (copies > 1) {
      zero.fail("zero_hpz_partition_size",
                "a second copy of the weights is not supported yet; expected 1");
    }
    const int64_t shard = zero.integer("mics_shard_size", -1);
    zero.ignore("mics_hierarchical_params_gather");
    if (shard > 0 && (stage != 3 || dp_ * cp_ % shard != 0)) {
      zero.fail("mics_shard_size", concat("expected stage 3 and a divisor of the ", dp_ * cp_,
                                          " data parallel ranks"));
    }
    if (stage > 0) add_fix(run_, "zero_shard", shard > 0 && shard < dp_ * cp_ ? shard : 0);
  }

  bool read_offload(JsonObject& zero, int64_t stage) {
    if (device_of(zero, "offload_param") != "none" || zero.boolean("cpu_offload_param", false)) {
      zero.fail("offload_param",
                "parameters in the host's memory are not supported yet; expected "
                "device \"none\"");
    }
    const std::string device = device_of(zero, "offload_optimizer");
    if (device != "none" && device != "cpu") {
      zero.fail("offload_optimizer", "expected device \"cpu\" or \"none\"");
    }
    const bool is_offloaded = device == "cpu" || zero.boolean("cpu_offload", false);
    if (is_offloaded && stage == 0) {
      zero.fail("offload_optimizer", "DeepSpeed offloads with stage 1 to 3; expected one of them");
    }
    return is_offloaded;
  }

  std::string device_of(JsonObject& zero, const char* key) {
    if (!zero.has(key)) return "none";
    JsonObject offload = zero.object(key);
    std::string device = offload.text("device", "none");
    if (offload.number("ratio", 1.0) != 1.0) {
      offload.fail("ratio", "parts of the optimizer are not supported yet; expected 1");
    }
    for (const char* ignored : {"nvme_path", "pin_memory", "fast_init"}) offload.ignore(ignored);
    if (device != "none") note_left(offload);
    return device;
  }

  // As DeepSpeed completes and checks the three of them.
  void read_batch() {
    std::optional<int64_t> train = count("train_batch_size");
    std::optional<int64_t> micro = count("train_micro_batch_size_per_gpu");
    std::optional<int64_t> steps = count("gradient_accumulation_steps");
    if (!has_auto_batch_) {
      if (!train && !micro) {
        throw ConfigError(concat(root_.where(),
                                 ": neither train_batch_size nor train_micro_batch_size_per_gpu; "
                                 "valid: one of them, as DeepSpeed needs it"));
      }
      if (!steps) steps = train && micro ? std::max<int64_t>(*train / *micro / dp_, 1) : 1;
      if (!micro) micro = std::max<int64_t>(*train / dp_ / *steps, 1);
    }
    if (micro) add_fix(run_, "micro_batch", *micro);
    if (micro && steps) {
      const int64_t product = product_of({*micro, *steps, dp_});
      if (train.value_or(product) != product) {
        throw ConfigError(concat(root_.where(), ": train_batch_size ", *train,
                                 " is not train_micro_batch_size_per_gpu ", *micro,
                                 " * gradient_accumulation_steps ", *steps, " * ", dp_,
                                 " data parallel ranks = ", product,
                                 ", which DeepSpeed refuses; valid: equal numbers, or another "
                                 "--devices"));
      }
      train = product;
    }
    run_.global_batch = train.value_or(0);
    if (!train) warn("train_batch_size: auto leaves it to --global-batch");
    if (!micro) warn("train_micro_batch_size_per_gpu: auto leaves it to the search");
  }

  // The section says how, the model's code whether: who writes it uses it.
  void read_recompute() {
    const char* const key = "activation_checkpointing";
    add_fix(run_, "recompute", root_.has(key) ? "full" : "none");
    if (!root_.has(key)) {
      warn("activation_checkpointing: is not there, priced without recomputation");
      return;
    }
    JsonObject section = root_.object(key);
    for (const char* ignored : {"number_checkpoints", "contiguous_memory_optimization",
                                "synchronize_checkpoint_boundary", "profile"}) {
      section.ignore(ignored);
    }
    note_left(section);
  }

  Json json_;
  JsonObject root_;
  int64_t num_devices_, tp_ = 1, pp_ = 1, cp_ = 1, dp_ = 1;
  bool has_auto_batch_ = false;
  std::string left_;
  PeerRun run_;
};

}  // namespace

PeerRun import_deepspeed(std::string_view text, const std::string& where, int64_t num_devices) {
  if (where.ends_with(".json") || !is_deepspeed_command(text)) {
    return Importer(text, where, num_devices).run();
  }
  const DeepSpeedLaunch launch = read_deepspeed_launch(text, where);
  PeerRun run = Importer(launch.config_json, concat(where, ": ", launch.file), num_devices).run();
  run.seq_len = launch.seq_len;
  return run;
}

}  // namespace argosy
