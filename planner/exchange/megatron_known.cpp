// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Flags that decide nothing that is priced.
#include <algorithm>
#include <iterator>

#include "planner/exchange/megatron_words.h"

namespace argosy {

namespace {

// Flags that change neither what is computed nor what is kept, by their beginnings.
constexpr const char* kIgnored[] = {"--lr",
                                    "--min-lr",
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
                                    "--moe-router-enable-expert-bias",
                                    "--moe-router-bias",
                                    "--moe-router-pre-softmax",
                                    "--moe-per-layer-logging",
                                    "--decoupled-lr",
                                    "--loss-scale",
                                    "--initial-loss-scale",
                                    "--min-loss-scale",
                                    "--hysteresis",
                                    "--no-bias",
                                    "--train-",
                                    "--finetune",
                                    "--moe-router-score-function",
                                    "--moe-router-topk-scaling",
                                    "--no-check-for-nan",
                                    "--check-for-",
                                    "--rerun-",
                                    "--data-",
                                    "--num-dataset",
                                    "--logging-",
                                    "--mtp-loss-scaling",
                                    "--moe-input-jitter",
                                    "--moe-token-drop-policy",
                                    "--calculate-per-token-loss",
                                    "--fp8-amax",
                                    "--fp8-margin",
                                    "--fp8-interval"};

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
                                        "--moe-deepep",
                                        "--moe-flex-dispatcher",
                                        "--moe-hybridep",
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
                                        "--deterministic",
                                        "--grad-reduce-in-bf16",
                                        "--moe-router-fusion",
                                        "--moe-shared-expert-overlap",
                                        "--moe-apply-probs",
                                        "--delay-wgrad",
                                        "--fp8-param-gather",
                                        "--fp8-wgrad",
                                        "--no-fp8-wgrad",
                                        "--first-last-layers-bf16",
                                        "--num-layers-at-start-in-bf16",
                                        "--num-layers-at-end-in-bf16",
                                        "--high-priority-stream",
                                        "--qk-clip"};

template <typename List>
bool begins_with_any(const std::string& flag, const List& beginnings) {
  return std::any_of(std::begin(beginnings), std::end(beginnings),
                     [&flag](const char* beginning) { return flag.starts_with(beginning); });
}

}  // namespace

FlagWeight weight_of(const std::string& flag) {
  if (begins_with_any(flag, kIgnored)) return FlagWeight::none;
  return begins_with_any(flag, kNotModelled) ? FlagWeight::not_modelled : FlagWeight::unknown;
}

}  // namespace argosy
