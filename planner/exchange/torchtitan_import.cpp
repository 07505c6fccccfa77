// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Keys and defaults as in torchtitan/config/job_config.py, v0.2.
#include <algorithm>
#include <sstream>

#include "planner/exchange/import.h"
#include "planner/exchange/torchtitan_flavors.h"
#include "planner/exchange/torchtitan_pipeline.h"
#include "planner/exchange/torchtitan_words.h"
#include "planner/spec/check.h"
#include "planner/spec/json.h"
#include "planner/spec/number_text.h"

namespace argosy {

namespace {

const Json::json_pointer kFloat8Options("/linear/float8");

// Sections that decide something, and those that change neither what is computed nor what is kept.
constexpr const char* kSections[] = {
    "model", "optimizer", "training", "parallelism", "activation_checkpoint", "compile"};
constexpr const char* kIgnoredSections[] = {"job",
                                            "profiling",
                                            "metrics",
                                            "checkpoint",
                                            "lr_scheduler",
                                            "comm",
                                            "debug",
                                            "validation",
                                            "quantize" /* by converters */,
                                            "memory_estimation"};

// Keys of the same kind.
constexpr const char* kIgnoredKeys[] = {"hf_assets_path",
                                        "tokenizer_path",
                                        "print_after_conversion",
                                        "lr",
                                        "eps",
                                        "beta1",
                                        "beta2",
                                        "weight_decay",
                                        "dataset",
                                        "dataset_path",
                                        "dataloader",
                                        "steps",
                                        "max_norm",
                                        "gc_freq",
                                        "gc_debug",
                                        "seed",
                                        "deterministic",
                                        "mixed_precision_reduce",
                                        "pipeline_parallel_expert_parallel_overlap",
                                        "per_op_sac_force_recompute_mm_shapes_by_fqns",
                                        "early_stop",
                                        "memory_budget",
                                        "visualize_memory_budget_pareto",
                                        "preserve_rng_state",
                                        "determinism_check",
                                        "debug"};

// A key by these words is a decision under another name (of an older version, or a slip).
constexpr const char* kDecisions[] = {"degree", "batch", "split_points", "schedule"};

struct ModelFacts {
  int64_t num_layers = 0;
  bool has_moe = false;
};

// Every section is there afterwards.
Json with_sections(Json root, const std::string& where) {
  const auto is_known = [&root](const char* section) { return root.contains(section); };
  if (!root.is_object() || std::none_of(std::begin(kSections), std::end(kSections), is_known)) {
    throw ConfigError(concat(where,
                             ": is no job of torchtitan; valid: [model], [training], "
                             "[parallelism], [activation_checkpoint]"));
  }
  for (const char* section : kSections) {
    if (!root.contains(section)) root[section] = Json::object();
  }
  return root;
}

// "enable = false", "enable_float8_linear = false"
bool is_off(const Json& section) {
  if (!section.is_object()) return false;
  return std::any_of(section.items().begin(), section.items().end(), [](const auto& item) {
    return item.key().starts_with("enable") && item.value() == Json(false);
  });
}

class Importer {
 public:
  Importer(Json root, std::string where, int64_t num_devices, const ModelSpec* given)
      : json_(with_sections(std::move(root), where)),
        root_(json_, std::move(where)),
        model_(root_.object("model")),
        optimizer_(root_.object("optimizer")),
        training_(root_.object("training")),
        parallelism_(root_.object("parallelism")),
        recompute_(root_.object("activation_checkpoint")),
        compile_(root_.object("compile")),
        num_devices_(num_devices) {
    read_model(given);
  }

  PeerRun run() {
    read_training();
    read_degrees();
    read_zero();
    read_experts();
    read_batch();
    read_torchtitan_pipeline(parallelism_, {pp_, facts_.num_layers, shards_ * cp_ > 1}, run_);
    read_recompute();
    read_rest();
    return std::move(run_);
  }

 private:
  void warn(const std::string& what) { run_.warnings.push_back(concat(root_.where(), ": ", what)); }

  void read_model(const ModelSpec* given) {
    name_ = model_.text("name", "llama3");
    const std::string flavor = plain_flavor(model_.text("flavor", "debugmodel"));
    if (given != nullptr) facts_ = {given->num_layers, given->has_moe()};
    for (const TorchtitanFlavor& f : torchtitan_flavors()) {
      if (name_ != f.name || flavor != f.flavor) continue;
      if (given != nullptr && !model_.has("flavor")) break;  // its default means nothing
      if (given != nullptr && !has_shapes(f, *given)) {
        model_.fail("flavor",
                    concat("expected the shapes of --model ", given->name, ", or no --model"));
      }
      if (given == nullptr) {
        run_.model_config = f.config;
        if (run_.model_config.empty()) run_.model_json = flavor_json(f);
        facts_ = {f.layers, f.experts > 0};
      }
      return;
    }
    if (given == nullptr) {
      model_.fail("flavor", concat("expected one of ", torchtitan_flavor_names(), ", or --model"));
    }
    warn(concat("model: ", name_, " ", flavor, " is taken to be --model ", given->name));
  }

  // Without what says which kernel attends: "8B_flex", "debugmodel_varlen_attn".
  std::string plain_flavor(const std::string& flavor) {
    for (const char* kernel : {"_flex_attn", "_varlen_attn", "_flex", "_varlen"}) {
      if (!flavor.ends_with(kernel)) continue;
      std::string plain = flavor.substr(0, flavor.size() - std::string_view(kernel).size());
      warn(concat("model.flavor: ", flavor, " is priced as ", plain,
                  ", whose attention goes over whole sequences"));
      return plain;
    }
    return flavor;
  }

  void read_training() {
    run_.seq_len = training_.positive_integer("seq_len", 2048);
    const std::string dtype = training_.text("mixed_precision_param", "bfloat16");
    if (dtype != "bfloat16" && dtype != "float32") {
      training_.fail("mixed_precision_param", "expected \"bfloat16\" or \"float32\"");
    }
    run_.precision = dtype == "bfloat16" ? "bf16" : "fp32";
    if (training_.text("dtype", "float32") != "float32") {
      warn("training.dtype: master weights are priced in float32");
      append_listed(run_.unmodelled_savings, "training.dtype (master weights of 2 bytes)");
    }
    if (training_.boolean("enable_cpu_offload", false)) {
      training_.fail("enable_cpu_offload",
                     "parameters in the host's memory are not supported yet; expected false");
    }
    const std::string optimizer = optimizer_.text("name", "AdamW");
    if (optimizer != "AdamW" && optimizer != "Adam") {
      optimizer_.fail("name", "expected \"AdamW\" or \"Adam\"");
    }
    read_converters();
  }

  // A list, or words between commas.
  std::vector<std::string> converters() {
    if (!model_.has("converters")) return {};
    if (model_.value("converters").is_array()) return model_.texts("converters");
    std::vector<std::string> names;
    std::istringstream words(model_.text("converters"));
    for (std::string name; std::getline(words, name, ',');) names.push_back(name);
    return names;
  }

  // Products in 8 bits: those of the blocks' Linears, and of experts by a converter of their own.
  void read_converters() {
    bool has_linears = false, has_experts = false;
    for (const std::string& name : converters()) {
      const bool is_experts = name == kFloat8Experts;
      if (!is_experts && name != kFloat8Linears && name != kFloat8) {
        model_.fail("converters", concat("expected [] or of \"", kFloat8Linears, "\", \"",
                                         kFloat8Experts, "\", found \"", name, "\""));
      }
      (is_experts ? has_experts : has_linears) = true;
    }
    if (!has_linears && !has_experts) return;
    if (!has_linears || (facts_.has_moe && !has_experts)) {
      model_.fail("converters",
                  concat("expected \"", kFloat8Linears, "\", and \"", kFloat8Experts,
                         "\" with it where there are experts: a part in 8 bits cannot be priced"));
    }
    if (run_.precision != "bf16") {
      model_.fail("converters", "expected training.mixed_precision_param = \"bfloat16\" with it");
    }
    run_.precision = "fp8";
    const Json linears = root_.has("quantize")
                             ? root_.value("quantize").value(kFloat8Options, Json::object())
                             : Json::object();
    if (linears.value("enable_fsdp_float8_all_gather", false)) {
      warn("quantize.linear.float8.enable_fsdp_float8_all_gather is not modelled");
    }
  }

  int64_t degree(const char* axis) {
    return parallelism_.positive_integer(concat(axis, "_degree"), 1);
  }

  void read_degrees() {
    tp_ = degree("tensor_parallel");
    pp_ = degree("pipeline_parallel");
    if (pp_ > 1 && has_no_pipeline(name_)) {
      parallelism_.fail("pipeline_parallel_degree",
                        concat(name_, " has no pipeline there; expected 1"));
    }
    cp_ = degree("context_parallel");
    replicas_ = degree("data_parallel_replicate");
    shards_ = parallelism_.integer("data_parallel_shard_degree", -1);
    if (shards_ < 1 && shards_ != -1) {
      parallelism_.fail("data_parallel_shard_degree",
                        "expected at least 1, or -1 for the devices that are left");
    }
    const int64_t product = product_of({std::max<int64_t>(shards_, 1), replicas_, cp_, tp_, pp_});
    if (shards_ > 0 ? product != num_devices_ : num_devices_ % product != 0) {
      throw ConfigError(
          concat(root_.where(), ": parallelism: data_parallel_replicate_degree ", replicas_,
                 shards_ > 0 ? concat(" * data_parallel_shard_degree ", shards_) : "",
                 " * context_parallel_degree ", cp_, " * tensor_parallel_degree ", tp_,
                 " * pipeline_parallel_degree ", pp_, " = ", product,
                 shards_ > 0 ? " is not the number of devices, " : " does not divide the devices, ",
                 num_devices_, "; valid: another --devices, or other degrees"));
    }
    if (shards_ < 0) shards_ = num_devices_ / product;
    dp_ = replicas_ * shards_;
    add_fix(run_, "tp", tp_);
    add_fix(run_, "pp", pp_);
    add_fix(run_, "cp", cp_);
    add_fix(run_, "dp", dp_);
    add_fix(run_, "order", "tp-cp-dp-pp");
    add_fix(run_, "sequence_parallel", tp_ > 1 ? 1 : 0);
    const std::string rotate = parallelism_.text("context_parallel_rotate_method", "allgather");
    if (cp_ > 1) add_fix(run_, "cp_kind", "ring");
    if (cp_ > 1 && rotate != "alltoall") {
      warn(concat("parallelism.context_parallel_rotate_method: ", rotate, " is priced as a ring"));
    }
  }

  // FSDP over dp_shard and cp, in as many groups as there are replicas.
  void read_zero() {
    const std::string policy = parallelism_.text("fsdp_reshard_after_forward", "default");
    if (policy != "default" && policy != "always" && policy != "never") {
      parallelism_.fail("fsdp_reshard_after_forward",
                        "expected \"default\", \"always\" or \"never\"");
    }
    const int64_t num_shards = shards_ * cp_;
    if (num_shards == 1) {
      if (replicas_ > 1 && replicas_ != num_devices_) {
        parallelism_.fail("data_parallel_replicate_degree",
                          "DDP with other parallelism is not there; expected "
                          "data_parallel_shard_degree of at least 2");
      }
      add_fix(run_, "zero", 0);
      return;
    }
    const bool reshards = policy == "always" || (policy == "default" && pp_ == 1);
    add_fix(run_, "zero", reshards ? 3 : 2);
    add_fix(run_, "zero_shard", replicas_ > 1 ? num_shards : 0);
  }

  void read_experts() {
    int64_t ep = degree("expert_parallel"), etp = degree("expert_tensor_parallel");
    if (!facts_.has_moe) {
      if (ep > 1) warn("parallelism.expert_parallel_degree: the model has no experts");
      ep = etp = 1;
    } else if (ep == 1) {
      etp = tp_;  // experts are cut as the rest
    } else if (etp != 1 && etp != tp_) {
      parallelism_.fail("expert_tensor_parallel_degree",
                        concat("expected 1, or tensor_parallel_degree ", tp_));
    }
    add_fix(run_, "ep", ep);
    add_fix(run_, "etp", etp);
  }

  void read_batch() {
    const int64_t local = training_.positive_integer("local_batch_size", 8);
    const int64_t micro = parallelism_.positive_integer("pipeline_parallel_microbatch_size", 1);
    // Its own rule: all that is not positive is the default.
    const int64_t global = training_.integer("global_batch_size", -1);
    const int64_t at_once = product_of({local, dp_});
    run_.global_batch = global > 0 ? global : at_once;
    if (run_.global_batch % at_once != 0) {
      training_.fail("global_batch_size", concat("expected a multiple of local_batch_size ", local,
                                                 " * ", dp_, " data parallel ranks = ", at_once));
    }
    if (pp_ > 1 && local % micro != 0) {
      training_.fail("local_batch_size",
                     concat("expected a multiple of pipeline_parallel_microbatch_size ", micro));
    }
    if (pp_ > 1 && run_.global_batch != at_once) {
      training_.fail("global_batch_size",
                     concat("a pipeline that is emptied ", run_.global_batch / at_once,
                            " times a step is not supported yet; expected local_batch_size ", local,
                            " * ", dp_, " data parallel ranks = ", at_once));
    }
    add_fix(run_, "micro_batch", pp_ > 1 ? micro : local);
  }

  void read_recompute() {
    const std::string mode = recompute_.text("mode", "selective");
    if (mode == "none" || mode == "full") {
      recompute_.ignore("selective_ac_option");
      add_fix(run_, "recompute", mode);
      return;
    }
    if (mode != "selective") recompute_.fail("mode", "expected \"none\", \"selective\", \"full\"");
    const std::string option = selective_option();
    if (option == "op") {
      add_fix(run_, "recompute", "selective");
      warn(
          "activation_checkpoint.selective_ac_option: op is priced as attention's scores alone; it "
          "recomputes other operations too");
      return;
    }
    const int64_t every = number_in<int64_t>(option).value_or(-1);
    if (every < 0) {
      recompute_.fail("selective_ac_option", "expected \"op\", or a number: every so many layers");
    }
    const int64_t layers = every > 1 ? facts_.num_layers / every : facts_.num_layers;
    add_fix(run_, "recompute", layers > 0 ? "full" : "none");
    if (layers > 0 && layers < facts_.num_layers) add_fix(run_, "recompute_layers", layers);
  }

  // A number as well as text; every second layer is the default.
  std::string selective_option() {
    if (!recompute_.has("selective_ac_option")) return "2";
    const Json& option = recompute_.value("selective_ac_option");
    return option.is_number_integer() ? option.dump() : recompute_.text("selective_ac_option");
  }

  // What is left is of no weight, not told apart, or a mistake.
  void read_rest() {
    for (const char* key : {"components", "backend"}) compile_.ignore(key);
    if (compile_.boolean("enable", false)) warn("compile.enable is not modelled");
    for (const char* key : {"enable_async_tensor_parallel", "disable_loss_parallel"}) {
      if (parallelism_.boolean(key, false)) warn(concat("parallelism.", key, " is not modelled"));
    }
    if (parallelism_.text("expert_parallel_comm_backend", "standard") != "standard") {
      warn("parallelism.expert_parallel_comm_backend is not modelled");
    }
    if (optimizer_.boolean("early_step_in_backward", false)) {
      warn("optimizer.early_step_in_backward is not modelled");
      append_listed(run_.unmodelled_savings,
                    "optimizer.early_step_in_backward (gradients of a layer at a time)");
    }
    for (JsonObject* section :
         {&model_, &optimizer_, &training_, &parallelism_, &recompute_, &compile_}) {
      for (const char* key : kIgnoredKeys) section->ignore(key);
      for (const std::string& key : section->unknown_keys()) read_unknown(key);
    }
    for (const char* section : kIgnoredSections) root_.ignore(section);
    for (const std::string& section : root_.unknown_keys()) {
      if (!is_off(root_.value(section))) warn(concat(section, " is not modelled"));
    }
  }

  void read_unknown(const std::string& key) {
    for (const char* word : kDecisions) {
      if (key.find(word) == std::string::npos) continue;
      throw ConfigError(concat(root_.where(), ": ", key,
                               " is not known, so that the setup cannot be priced; valid: the keys "
                               "of torchtitan 0.2"));
    }
    warn(concat(key, " is not modelled"));
  }

  Json json_;
  JsonObject root_, model_, optimizer_, training_, parallelism_, recompute_, compile_;
  int64_t num_devices_, tp_ = 1, pp_ = 1, cp_ = 1, replicas_ = 1, shards_ = 1, dp_ = 1;
  std::string name_;  // of the model's kind
  ModelFacts facts_;
  PeerRun run_;
};

}  // namespace

PeerRun import_torchtitan(std::string_view text, const std::string& where, int64_t num_devices,
                          const ModelSpec* model) {
  Json setup = parse_json(read_torchtitan_setup(text, where), where);
  return Importer(std::move(setup), where, num_devices, model).run();
}

}  // namespace argosy
