// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Names of flags as in megatron/training/arguments.py.
#include "planner/exchange/megatron_import.h"

#include <algorithm>
#include <charconv>

#include "planner/exchange/megatron_model.h"
#include "planner/exchange/megatron_words.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr const char* kOption = "--import-megatron: ";

// Flags that change neither what is computed nor what is kept, by their beginnings.
constexpr const char* kIgnored[] = {"--lr",
                                    "--min-lr",
                                    "--train-",
                                    "--data-path",
                                    "--data-cache",
                                    "--data-args",
                                    "--tokenizer",
                                    "--vocab-file",
                                    "--merge-file",
                                    "--split",
                                    "--log-",
                                    "--save",
                                    "--load",
                                    "--eval-",
                                    "--exit-",
                                    "--tensorboard",
                                    "--wandb",
                                    "--weight-decay",
                                    "--adam-",
                                    "--clip-grad",
                                    "--init-method-std",
                                    "--seed",
                                    "--num-workers",
                                    "--distributed-",
                                    "--timing-",
                                    "--mock-data",
                                    "--no-load",
                                    "--no-save",
                                    "--ckpt-",
                                    "--dist-ckpt",
                                    "--auto-detect",
                                    "--override-opt",
                                    "--use-checkpoint",
                                    "--use-mcore",
                                    "--no-create-attention",
                                    "--dataloader-type",
                                    "--reset-",
                                    "--eod-",
                                    "--start-weight",
                                    "--end-weight",
                                    "--manual-gc",
                                    "--sgd-momentum",
                                    "--use-dist-ckpt",
                                    "--async-save",
                                    "--nccl-communicator",
                                    "--attention-softmax-in-fp32",
                                    "--accumulate-allreduce",
                                    "--profile",
                                    "--enable-experimental",
                                    "--moe-aux-loss-coeff",
                                    "--moe-z-loss-coeff",
                                    "--moe-router-load-balancing",
                                    "--moe-router-dtype",
                                    "--moe-router-topk-scaling",
                                    "--moe-router-enable-expert-bias",
                                    "--moe-router-bias",
                                    "--moe-router-score-function",
                                    "--moe-router-pre-softmax",
                                    "--moe-per-layer-logging",
                                    "--decoupled-lr",
                                    "--loss-scale",
                                    "--initial-loss-scale",
                                    "--min-loss-scale",
                                    "--hysteresis",
                                    "--no-bias"};

// Flags of speed that our model of cost does not tell apart: said, not refused.
constexpr const char* kNotModelled[] = {"--overlap-",
                                        "--tp-comm-overlap",
                                        "--use-flash-attn",
                                        "--transformer-impl",
                                        "--attention-backend",
                                        "--no-gradient-accumulation",
                                        "--gradient-accumulation-fusion",
                                        "--no-masked-softmax",
                                        "--no-rope-fusion",
                                        "--cross-entropy-",
                                        "--moe-grouped-gemm",
                                        "--moe-token-dispatcher",
                                        "--moe-permute-fusion",
                                        "--moe-pad-expert",
                                        "--moe-enable-deepep",
                                        "--moe-router-force",
                                        "--enable-cuda-graph",
                                        "--cuda-graph",
                                        "--external-cuda-graph",
                                        "--ddp-",
                                        "--use-precision-aware",
                                        "--empty-unused",
                                        "--align-",
                                        "--defer-embedding",
                                        "--no-async-tensor",
                                        "--use-ring-exchange",
                                        "--main-grads-dtype",
                                        "--main-params-dtype",
                                        "--exp-avg",
                                        "--te-rng",
                                        "--apply-layernorm-1p",
                                        "--deterministic"};

template <typename List>
bool begins_with_any(const std::string& flag, const List& beginnings) {
  return std::any_of(std::begin(beginnings), std::end(beginnings),
                     [&flag](const char* beginning) { return flag.starts_with(beginning); });
}

constexpr int64_t kMostLayers = 1'000'000;  // of a stage: no sum overflows

// "Et*3|tt|t*3L": of each stage; modules for multi-token prediction (m) are the model's. Empty: it
// is not of this form.
std::vector<int64_t> layers_of_layout(std::string_view layout) {
  if (!layout.starts_with('E') || !layout.ends_with('L')) return {};
  layout = layout.substr(1, layout.size() - 2);
  while (layout.ends_with('m')) layout.remove_suffix(1);
  std::vector<int64_t> layers = {0};
  while (!layout.empty()) {
    const char letter = layout.front();
    layout.remove_prefix(1);
    if (letter == '|') {
      layers.push_back(0);
      continue;
    }
    if (letter != 't') return {};
    int64_t count = 1;
    if (layout.starts_with('*')) {
      const char* const end = layout.data() + layout.size();
      const auto [rest, error] = std::from_chars(layout.data() + 1, end, count);
      if (error != std::errc() || count < 1 || count > kMostLayers) return {};
      layout = std::string_view(rest, static_cast<size_t>(end - rest));
    }
    layers.back() += count;
  }
  const bool has_empty = std::find(layers.begin(), layers.end(), 0) != layers.end();
  return has_empty ? std::vector<int64_t>{} : layers;
}

class Importer {
 public:
  Importer(std::string_view text, int64_t num_devices)
      : flags_(shell_words(text, kOption)), num_devices_(num_devices) {
    if (flags_.has("--num-layers")) num_layers_ = flags_.required("--num-layers");
  }

  PeerRun run() {
    read_batch();
    read_parallelism();
    read_recompute();
    if (num_layers_ > 0) {
      const MegatronModel model = read_megatron_model(flags_, num_layers_, run_.seq_len, tp_);
      run_.model_json = model.config_json;
      if (model.capacity_factor > 0) {
        run_.fix += concat(",moe_capacity_factor=", model.capacity_factor);
      }
    }
    read_rest();
    return std::move(run_);
  }

 private:
  void read_batch() {
    run_.seq_len = flags_.required("--seq-length");
    micro_batch_ = flags_.required("--micro-batch-size");
    add_fix(run_, "micro_batch", micro_batch_);
    if (flags_.has("--rampup-batch-size"))
      refuse_flag("--rampup-batch-size", "the final batch alone");
    if (flags_.has("--fp8-format") || flags_.has("--fp8")) refuse_flag("fp8", "--bf16");
    const bool is_half = flags_.take("--fp16");
    if (is_half) run_.warnings.push_back("--fp16 is priced as bf16");
    run_.precision = flags_.take("--bf16") || is_half ? "bf16" : "fp32";
    const std::string optimizer = flags_.text("--optimizer", "adam");
    if (optimizer != "adam" && optimizer != "sgd")
      refuse_flag("--optimizer " + optimizer, "adam, sgd");
    run_.optimizer = optimizer == "adam" ? "adamw" : "sgd";
  }

  void read_parallelism() {
    tp_ = flags_.count("--tensor-model-parallel-size", 1);
    const int64_t tp = tp_;
    pp_ = flags_.count("--pipeline-model-parallel-size", 1);
    const int64_t cp = flags_.count("--context-parallel-size", 1);
    if (num_devices_ % (tp * pp_ * cp) != 0) {
      throw ConfigError(concat(kOption, "tp*pp*cp=", tp * pp_ * cp, " does not divide the ",
                               num_devices_, " devices; valid: another --devices"));
    }
    const int64_t dp = num_devices_ / (tp * pp_ * cp);
    add_fix(run_, "tp", tp);
    add_fix(run_, "pp", pp_);
    add_fix(run_, "cp", cp);
    add_fix(run_, "dp", dp);
    run_.global_batch = flags_.count("--global-batch-size", micro_batch_ * dp);
    add_fix(run_, "sequence_parallel", flags_.take("--sequence-parallel") ? 1 : 0);
    if (flags_.take("--use-tp-pp-dp-mapping")) add_fix(run_, "order", "tp-cp-pp-dp");
    const std::string kind = flags_.text("--cp-comm-type", "p2p");
    if (kind != "p2p" && kind != "a2a") refuse_flag("--cp-comm-type " + kind, "p2p, a2a");
    if (cp > 1) add_fix(run_, "cp_kind", kind == "p2p" ? "ring" : "ulysses");
    // Megatron's own defaults; a dense model has neither.
    const int64_t ep = flags_.count("--expert-model-parallel-size", 1);
    const int64_t etp =
        flags_.count("--expert-tensor-parallel-size", flags_.has("--num-experts") ? tp : 1);
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

  int read_zero() {
    const bool is_distributed = flags_.take("--use-distributed-optimizer");
    const bool is_fsdp = flags_.take("--use-megatron-fsdp") || flags_.take("--use-custom-fsdp");
    const std::string shards = flags_.text("--data-parallel-sharding-strategy",
                                           is_fsdp ? "optim_grads_params" : "no_shard");
    if (flags_.take("--use-torch-fsdp2")) return 3;
    if (!is_fsdp || shards == "no_shard") return is_distributed ? 1 : 0;
    if (shards == "optim") return 1;
    if (shards == "optim_grads") return 2;
    if (shards == "optim_grads_params") return 3;
    refuse_flag("--data-parallel-sharding-strategy " + shards,
                "no_shard, optim, optim_grads, optim_grads_params");
  }

  // Equal ones, unless a layout names them; empty where neither the model's layers are flags.
  std::vector<int64_t> layers_of_stages(int64_t num_stages) {
    const char* const flag = "--pipeline-model-parallel-layout";
    if (flags_.has(flag)) {
      const std::string layout = flags_.text(flag, "");
      std::vector<int64_t> layers = layers_of_layout(layout);
      if (layers.empty() || static_cast<int64_t>(layers.size()) % pp_ != 0) {
        refuse_flag(concat(flag, " ", layout),
                    "\"Et*N|...|t*NL\" with a multiple of the pipeline's ranks of stages");
      }
      return layers;
    }
    if (num_layers_ == 0) return {};
    if (num_layers_ % num_stages != 0) {
      refuse_flag(concat("--num-layers ", num_layers_, " on ", num_stages, " stages"),
                  concat("a number of stages that divides the layers, or ", flag));
    }
    return std::vector<int64_t>(static_cast<size_t>(num_stages), num_layers_ / num_stages);
  }

  void read_schedule() {
    for (const char* flag :
         {"--decoder-first-pipeline-num-layers", "--decoder-last-pipeline-num-layers",
          "--account-for-embedding-in-pipeline-split", "--account-for-loss-in-pipeline-split"}) {
      if (flags_.has(flag)) refuse_flag(flag, "--pipeline-model-parallel-layout");
    }
    int64_t virtual_stages = flags_.count("--num-virtual-stages-per-pipeline-rank", 1);
    if (flags_.has("--num-layers-per-virtual-pipeline-stage")) {
      const int64_t per_stage = flags_.count("--num-layers-per-virtual-pipeline-stage", 1);
      if (num_layers_ == 0) refuse_flag("--num-layers-per-virtual-pipeline-stage", "--num-layers");
      const int64_t layers = num_layers_;
      if (layers % (pp_ * per_stage) != 0) {
        refuse_flag(concat("--num-layers-per-virtual-pipeline-stage ", per_stage),
                    "a divisor of the layers of a pipeline rank");
      }
      virtual_stages = layers / (pp_ * per_stage);
    }
    std::vector<int64_t> layers = layers_of_stages(pp_ * virtual_stages);
    if (!layers.empty()) virtual_stages = static_cast<int64_t>(layers.size()) / pp_;
    add_fix(run_, "schedule", virtual_stages > 1 ? "interleaved" : "1f1b");
    if (virtual_stages > 1) add_fix(run_, "virtual_stages", virtual_stages);
    if (layers.size() > 1) add_fix(run_, "layers", joined(layers));
    num_stages_ = pp_ * virtual_stages;
    stage_layers_ = std::move(layers);
  }

  void read_recompute() {
    const bool is_short = flags_.take("--recompute-activations");
    const std::string granularity =
        flags_.text("--recompute-granularity", is_short ? "selective" : "none");
    const std::string method = flags_.text("--recompute-method", "uniform");
    const int64_t layers = flags_.count("--recompute-num-layers", 1);
    if (flags_.has("--recompute-modules"))
      refuse_flag("--recompute-modules", "core_attn, the default");
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

  // What is left is of no weight, not told apart, or a mistake.
  void read_rest() {
    for (const std::string& flag : flags_.left()) {
      if (begins_with_any(flag, kIgnored)) continue;
      if (begins_with_any(flag, kNotModelled)) {
        run_.warnings.push_back(concat("--import-megatron: ", flag, " is not modelled"));
        continue;
      }
      refuse_flag(flag, "flags of the model (or --model), parallelism, batch and recomputation");
    }
  }

  MegatronFlags flags_;
  int64_t num_devices_, tp_ = 1, pp_ = 1, num_layers_ = 0, micro_batch_ = 1;
  int64_t num_stages_ = 1;             // virtual ones included
  std::vector<int64_t> stage_layers_;  // empty: the model is not among the flags
  PeerRun run_;
};

}  // namespace

PeerRun import_megatron(std::string_view text, int64_t num_devices) {
  return Importer(text, num_devices).run();
}

}  // namespace argosy
