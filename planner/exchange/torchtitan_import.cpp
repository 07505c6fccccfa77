// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Keys and defaults as in torchtitan/config/job_config.py, v0.2.
#include <algorithm>

#include "planner/exchange/import.h"
#include "planner/exchange/torchtitan_flavors.h"
#include "planner/exchange/torchtitan_known.h"
#include "planner/exchange/torchtitan_model.h"
#include "planner/exchange/torchtitan_pipeline.h"
#include "planner/exchange/torchtitan_words.h"
#include "planner/spec/check.h"
#include "planner/spec/json.h"
#include "planner/spec/number_text.h"

namespace argosy {

namespace {

// Every section is there afterwards.
Json with_sections(Json root, const std::string& where) {
  const auto is_known = [&root](const char* section) { return root.contains(section); };
  const auto sections = torchtitan_sections();
  if (!root.is_object() || std::none_of(sections.begin(), sections.end(), is_known)) {
    throw ConfigError(concat(where,
                             ": is no job of torchtitan; valid: [model], [training], "
                             "[parallelism], [activation_checkpoint]"));
  }
  for (const char* section : sections) {
    if (!root.contains(section)) root[section] = Json::object();
  }
  return root;
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
        num_devices_(num_devices),
        given_(given) {}

  PeerRun run() {
    facts_ = read_torchtitan_model(model_, given_, run_);
    read_training();
    read_torchtitan_converters(root_, model_, facts_.has_moe, run_);
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
  }

  int64_t degree(const char* axis) {
    return parallelism_.positive_integer(concat(axis, "_degree"), 1);
  }

  void read_degrees() {
    tp_ = degree("tensor_parallel");
    pp_ = degree("pipeline_parallel");
    if (pp_ > 1 && has_no_pipeline(facts_.name)) {
      parallelism_.fail("pipeline_parallel_degree",
                        concat(facts_.name, " has no pipeline there; expected 1"));
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
      note_torchtitan_keys(*section, run_);
    }
    note_torchtitan_sections(root_, run_);
  }

  Json json_;
  JsonObject root_, model_, optimizer_, training_, parallelism_, recompute_, compile_;
  int64_t num_devices_, tp_ = 1, pp_ = 1, cp_ = 1, replicas_ = 1, shards_ = 1, dp_ = 1;
  const ModelSpec* given_;  // the caller's, may be null
  TorchtitanModel facts_;
  PeerRun run_;
};

}  // namespace

PeerRun import_torchtitan(std::string_view text, const std::string& where, int64_t num_devices,
                          const ModelSpec* model) {
  Json setup = parse_json(read_torchtitan_setup(text, where), where);
  return Importer(std::move(setup), where, num_devices, model).run();
}

}  // namespace argosy
