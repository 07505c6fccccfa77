// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Names of flags as in megatron/training/arguments.py.
#include "planner/exchange/megatron_import.h"

#include <algorithm>

#include "planner/exchange/megatron_length.h"
#include "planner/exchange/megatron_model.h"
#include "planner/exchange/megatron_stages.h"
#include "planner/exchange/megatron_words.h"
#include "planner/exchange/shell_script.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr int64_t kMostLayers = 100'000;  // as of a config.json

class Importer {
 public:
  Importer(const ShellCommand& command, int64_t num_devices, const ModelSpec* model)
      : flags_(command.words),
        assumed_empty_(command.assumed_empty),
        num_devices_(num_devices),
        has_experts_(flags_.has("--num-experts") || (model != nullptr && model->has_moe())) {
    if (!flags_.has("--num-layers")) return;
    num_layers_ = flags_.required("--num-layers");
    if (num_layers_ > kMostLayers) {
      refuse_flag(concat("--num-layers ", num_layers_), concat("at most ", kMostLayers));
    }
  }

  PeerRun run() {
    read_batch();
    read_parallelism();
    read_megatron_length(flags_, product_of({micro_batch_, dp_}), run_);
    read_recompute();
    read_offload();
    if (num_layers_ > 0) {
      const MegatronModel model = read_megatron_model(flags_, num_layers_, run_.seq_len, tp_);
      run_.model_json = model.config_json;
      for (const std::string& warning : model.warnings) warn(warning);
      if (model.capacity_factor > 0) {
        run_.fix += concat(",moe_capacity_factor=", model.capacity_factor);
      }
    }
    read_rest();
    name_unset_variables();
    return std::move(run_);
  }

 private:
  void read_batch() {
    run_.seq_len = flags_.required("--seq-length");
    micro_batch_ = flags_.required("--micro-batch-size");
    add_fix(run_, "micro_batch", micro_batch_);
    read_precision();
    const std::string optimizer = flags_.text("--optimizer", "adam");
    if (optimizer != "adam" && optimizer != "sgd")
      refuse_flag("--optimizer " + optimizer, "adam, sgd");
    run_.optimizer = optimizer == "adam" ? "adamw" : "sgd";
  }

  void read_precision() {
    const bool is_half = flags_.take("--fp16"), is_16_bit = flags_.take("--bf16") || is_half;
    if (is_half) warn("--fp16 is priced as bf16");
    run_.precision = is_16_bit ? "bf16" : "fp32";
    if (flags_.has("--fp4-format")) refuse_flag("--fp4-format", "--fp8-format");
    const std::string format = flags_.text("--fp8-format", "");
    const std::string recipe = flags_.text("--fp8-recipe", "delayed");
    if (format.empty()) return;
    if (format != "hybrid" && format != "e4m3") {
      refuse_flag("--fp8-format " + format, "hybrid, e4m3");
    }
    if (!is_16_bit) refuse_flag("--fp8-format without --bf16", "with it");
    const bool is_of_blocks = recipe == "blockwise" || recipe == "mxfp8";
    if (!is_of_blocks && recipe != "delayed" && recipe != "tensorwise") {
      refuse_flag("--fp8-recipe " + recipe, "delayed, tensorwise, blockwise, mxfp8");
    }
    if (is_of_blocks) {
      warn(concat("--fp8-recipe ", recipe, " is priced as a scale a tensor"));
    }
    run_.precision = "fp8";
  }

  void read_parallelism() {
    tp_ = flags_.count("--tensor-model-parallel-size", 1);
    const int64_t tp = tp_;
    pp_ = flags_.count("--pipeline-model-parallel-size", 1);
    const int64_t cp = flags_.count("--context-parallel-size", 1);
    const int64_t copy = product_of({tp, pp_, cp});
    if (num_devices_ % copy != 0) {
      throw ConfigError(concat("tp*pp*cp=", copy, " does not divide the ", num_devices_,
                               " devices; valid: ", valid_tp(product_of({pp_, cp})),
                               "or another --devices"));
    }
    const int64_t dp = dp_ = num_devices_ / copy;
    add_fix(run_, "tp", tp);
    add_fix(run_, "pp", pp_);
    add_fix(run_, "cp", cp);
    add_fix(run_, "dp", dp);
    add_fix(run_, "sequence_parallel", flags_.take("--sequence-parallel") ? 1 : 0);
    if (flags_.take("--use-tp-pp-dp-mapping")) add_fix(run_, "order", "tp-cp-pp-dp");
    const std::string kind = flags_.text("--cp-comm-type", "p2p");
    if (kind != "p2p" && kind != "a2a") refuse_flag("--cp-comm-type " + kind, "p2p, a2a");
    if (cp > 1) add_fix(run_, "cp_kind", kind == "p2p" ? "ring" : "ulysses");
    // Megatron's own defaults; a dense model has neither.
    const int64_t ep = flags_.count("--expert-model-parallel-size", 1);
    const int64_t etp = flags_.count("--expert-tensor-parallel-size", has_experts_ ? tp : 1);
    add_fix(run_, "ep", ep);
    add_fix(run_, "etp", etp);
    const int zero = read_zero();
    add_fix(run_, "zero", zero);
    const int64_t instances = flags_.count("--num-distributed-optimizer-instances", 1);
    if (dp * cp % instances != 0) {
      refuse_flag(concat("--num-distributed-optimizer-instances ", instances),
                  "a divisor of the data parallel ranks");
    }
    if (zero > 0) add_fix(run_, "zero_shard", instances > 1 ? dp * cp / instances : 0);
    read_schedule();
  }

  void read_offload() {
    const double fraction = flags_.number("--optimizer-offload-fraction", 1.0);
    if (!flags_.take("--optimizer-cpu-offload") || fraction == 0) return;
    if (fraction != 1) {
      refuse_flag(concat("--optimizer-offload-fraction ", fraction, ", a part of the state,"),
                  "1 (all of it in the host's memory) or 0 (none)");
    }
    add_fix(run_, "offload", "optimizer");
  }

  int read_zero() {
    const bool is_distributed = flags_.take("--use-distributed-optimizer");
    const bool is_fsdp = flags_.take("--use-megatron-fsdp") || flags_.take("--use-custom-fsdp");
    const std::string shards = flags_.text("--data-parallel-sharding-strategy",
                                           is_fsdp ? "optim_grads_params" : "no_shard");
    const bool keeps_weights = flags_.take("--torch-fsdp2-no-reshard-after-forward");
    if (flags_.take("--use-torch-fsdp2")) return keeps_weights ? 2 : 3;
    const std::string outer = flags_.text("--outer-dp-sharding-strategy", "no_shard");
    if (is_fsdp && outer != "no_shard") {
      refuse_flag("--outer-dp-sharding-strategy " + outer, "no_shard");
    }
    if (!is_fsdp || shards == "no_shard") return is_distributed ? 1 : 0;
    if (shards == "optim") return 1;
    if (shards == "optim_grads") return 2;
    if (shards == "optim_grads_params") return 3;
    refuse_flag("--data-parallel-sharding-strategy " + shards,
                "no_shard, optim, optim_grads, optim_grads_params");
  }

  void read_schedule() {
    MegatronStages stages = read_megatron_stages(flags_, num_layers_, pp_);
    const int64_t virtual_stages = stages.virtual_stages;
    add_fix(run_, "schedule", virtual_stages > 1 ? "interleaved" : "1f1b");
    if (virtual_stages > 1) add_fix(run_, "virtual_stages", virtual_stages);
    if (stages.layers.size() > 1) add_fix(run_, "layers", joined(stages.layers));
    const char* const group_flag = "--microbatch-group-size-per-virtual-pipeline-stage";
    const int64_t group = flags_.count(group_flag, pp_);
    if (virtual_stages > 1 && group != pp_) {
      refuse_flag(concat(group_flag, " ", group),
                  concat(pp_, ", the stages of the pipeline, which is the default"));
    }
    num_stages_ = pp_ * virtual_stages;
    stage_layers_ = std::move(stages.layers);
  }

  void read_recompute() {
    const bool is_short = flags_.take("--recompute-activations");
    const std::string granularity =
        flags_.text("--recompute-granularity", is_short ? "selective" : "none");
    const std::string method = flags_.text("--recompute-method", "uniform");
    const int64_t layers = flags_.count("--recompute-num-layers", 1);
    const std::vector<std::string> modules = flags_.words("--recompute-modules");
    if (granularity != "none" && granularity != "selective" && granularity != "full") {
      refuse_flag("--recompute-granularity " + granularity, "selective, full");
    }
    for (const std::string& module : modules) {
      if (granularity == "selective" && module != "core_attn") {
        refuse_flag("--recompute-modules " + module + ", a part of a layer other than the scores,",
                    "core_attn (the default), or --recompute-granularity full");
      }
    }
    if (granularity == "full" && method == "block") {
      read_recompute_of_stages(layers);
      return;
    }
    if (granularity == "full" && (method != "uniform" || layers != 1)) {
      refuse_flag(concat("--recompute-method ", method, " --recompute-num-layers ", layers),
                  "uniform with 1 layer, or block");
    }
    add_fix(run_, "recompute", granularity);
  }

  // block: the first `layers` of each stage, virtual ones included.
  void read_recompute_of_stages(int64_t layers) {
    const bool is_even = std::adjacent_find(stage_layers_.begin(), stage_layers_.end(),
                                            std::not_equal_to<>()) == stage_layers_.end();
    if (!is_even) {
      refuse_flag("--recompute-method block on stages of several sizes",
                  "uniform with 1 layer, or stages of one size");
    }
    add_fix(run_, "recompute", "full");
    const bool is_all = !stage_layers_.empty() && layers >= stage_layers_.front();
    if (!is_all) add_fix(run_, "recompute_layers", layers * num_stages_);
  }

  void name_unset_variables() {
    std::string unset;
    for (const std::string& name : assumed_empty_) {
      append_listed(unset, "$", name);
    }
    for (const std::string& name : flags_.passed_over()) {
      append_listed(unset, name);
    }
    if (!unset.empty()) warn(concat("not set by the script, taken as empty: ", unset));
  }

  // "--tensor-model-parallel-size 1, 2, 4, ", where the other degrees leave a choice.
  std::string valid_tp(int64_t others) const {
    if (num_devices_ % others != 0) return "degrees whose product does, ";
    std::string degrees;
    const int64_t most = num_devices_ / others;
    for (int64_t tp = 1; tp <= most; ++tp) {
      if (most % tp == 0) append_listed(degrees, tp);
    }
    return concat("--tensor-model-parallel-size ", degrees, ", ");
  }

  // What is left is of no weight, not told apart, or a mistake.
  void read_rest() {
    std::string unknown, meant, not_modelled;
    for (const std::string& flag : flags_.left()) {
      const FlagWeight weight = weight_of(flag);
      if (weight == FlagWeight::not_modelled) {
        append_listed(not_modelled, flag);
        if (const std::string saving = saving_of(flag); !saving.empty()) {
          append_listed(run_.unmodelled_savings, flag, " (", saving, ")");
        }
      }
      if (weight == FlagWeight::refused) refuse_known_flag(flag);
      if (weight != FlagWeight::unknown) continue;
      append_listed(unknown, flag);
      if (const std::string near = flags_.meant(flag); !near.empty()) append_listed(meant, near);
    }
    if (!not_modelled.empty()) warn("not modelled: " + not_modelled);
    if (unknown.empty()) return;
    throw ConfigError(
        concat(unknown, ": not known", meant.empty() ? "" : concat(", meant ", meant, "?"),
               "; valid: without",
               num_layers_ > 0 ? "" : ", or with --num-layers, if it describes the model"));
  }

  void warn(const std::string& what) { run_.warnings.push_back(what); }

  MegatronFlags flags_;
  std::vector<std::string> assumed_empty_;  // variables
  int64_t num_devices_;
  bool has_experts_;
  int64_t dp_ = 1, tp_ = 1, pp_ = 1, num_layers_ = 0, micro_batch_ = 1;
  int64_t num_stages_ = 1;             // virtual ones included
  std::vector<int64_t> stage_layers_;  // empty: the model is not among the flags
  PeerRun run_;
};

}  // namespace

PeerRun import_megatron(std::string_view text, int64_t num_devices, const ModelSpec* model,
                        const std::string& where) {
  try {
    PeerRun run = Importer(read_shell_command(text, ""), num_devices, model).run();
    for (std::string& warning : run.warnings) warning = concat(where, ": ", warning);
    return run;
  } catch (const ConfigError& error) {
    throw ConfigError(concat(where, ": ", error.what()));
  }
}

}  // namespace argosy
