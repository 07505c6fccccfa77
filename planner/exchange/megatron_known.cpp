// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Flags that decide nothing that is priced, and why others cannot be priced. Names as in
// megatron/training/arguments.py and megatron/core/transformer/transformer_config.py, of 2021 to
// 2026.
#include <algorithm>

#include "planner/exchange/megatron_words.h"

namespace argosy {

namespace {

// Beginnings of flags, between blanks.

// They change neither what is computed nor what is kept: data, tokenizers, learning, logging,
// checkpoints, faults; and what acts on inference or on training of another kind alone.
constexpr std::string_view kIgnored =
    "--lr --min-lr --decoupled- --head-lr-mult --weight-decay --start-weight --end-weight "
    "--wd-incr --apply-wd --no-weight-decay-cond --warmup --override-opt --adam- --sgd-momentum "
    "--muon- --lion- --use-mup --mup- --clip-grad --loss-scale --initial-loss-scale "
    "--min-loss-scale --hysteresis --init-method- --embedding-init-method --use-cpu-init "
    "--no-init --init-model-with-meta --lazy-mpu-init --local-rank --seed --data-parallel-random "
    "--use-same-sampling-seed --calculate-per-token-loss --mtp-loss-scaling --train- --finetune "
    "--phase-transition --iterations-to-skip --no-bias- "
    "--data- --tokenizer --no-tokenizer --disable-tokenizer --trust-remote --vocab-file "
    "--merge-file --tiktoken --null-tokenizer --chat-template --use-gigatoken --split --mock-data "
    "--valid-data --test-data --per-split-data --per-dataset- --multiple-validation "
    "--full-validation --validation-set --object-storage --num-workers --num-dataset "
    "--dataloader-type --dataloader-defer --dataloader-fast --mid-level-dataset --no-mmap "
    "--no-data-sharding --no-create-attention --reset- --eod- --fim- --short-seq-prob "
    "--log- --logging- --no-log- --disable-log- --tensorboard --wandb --one-logger "
    "--no-one-logger --enable-one-logger --app-tag --otel- --timing- --no-barrier-with-level "
    "--nvtx-ranges --profile --use-pytorch-profiler --pytorch-profiler --record- --memory-snapshot "
    "--config-logger --straggler- --disable-straggler --run-workload-inspector --result-rejected "
    "--save --load --no-save --disable-save --no-load --ckpt- --no-ckpt- --disable-ckpt- "
    "--dist-ckpt --use-dist-ckpt --use-checkpoint --use-mp-args --use-tokenizer-model "
    "--no-use-tokenizer-model --disable-use-tokenizer-model --auto-detect --async-save "
    "--async-ckpt "
    "--async-strategy --use-persistent-ckpt --persistent-save --non-persistent- "
    "--pretrained-checkpoint --override-ckpt --replication --verify-integrity --strict-fsdp "
    "--no-strict-fsdp --disable-strict-fsdp --distrib-optim-fully "
    "--eval- --start-eval --exit- --distributed- --nccl-communicator --manual-gc --no-manual-gc "
    "--disable-manual-gc --rerun- --no-check-for-nan --check-for- --check-weight-hash --test-mode "
    "--error-injection --fault-injector --gpu-sniff --enable-ft --calc-ft --ft- --inprocess- "
    "--adlr-autoresume --flight-recorder --no-flight-recorder --disable-flight-recorder "
    "--enable-msc --disable-msc --fake-process-group --dump-param --enable-experimental "
    "--use-mcore --use-legacy-models --onnx-safe --DDP-impl "
    "--attention-softmax-in-fp32 --accumulate-allreduce --no-query-key-layer-scaling "
    "--apply-query-key --apply-residual-connection --rotary-interleaved --no-rope-freq --yarn- "
    "--no-yarn- --mscale --fp8-amax --fp8-margin --fp8-interval "
    "--moe-aux-loss-coeff --moe-z-loss-coeff --moe-router-load-balancing --moe-router-dtype "
    "--moe-router-enable-expert-bias --moe-router-bias --moe-router-pre-softmax "
    "--moe-router-quantile --moe-per-layer-logging --moe-router-score-function "
    "--moe-router-topk-scaling --moe-input-jitter --moe-token-drop-policy --moe-use-upcycling "
    "--moe-upcycling --moe-routing-trace --moe-enable-routing-replay --refit-method --wsd-decay "
    "--allow-ambiguous-pad "
    "--inference- --rl- --grpo- --langrl- --mamba-inference --flash-decode --cache-mla "
    "--decode-only --enable-chunked-prefill --mlp-chunks-for --nccl-all-reduce-for-prefill "
    "--num-speculative --use-legacy-static-engine --max-tokens-to-oom --output-logit";

// They act on speed or bytes, and our model of cost does not tell them apart: said, not refused.
constexpr std::string_view kNotModelled =
    "--overlap-grad-reduce --overlap-param-gather --tp-comm-overlap "
    "--overlap- --no-overlap --tp-comm- --no-tp-comm- --disable-tp-comm- --use-sharp "
    "--sharp-enabled --use-nccl-ub --no-symmetric --disable-symmetric --symmetric-ar "
    "--high-priority --use-ring-exchange --no-scatter-gather --no-contiguous-buffers "
    "--pipeline-model-parallel-comm-backend --suggested-communication --disable-gloo "
    "--create-all-gather --no-async-tensor --ddp- --no-align --disable-align --align- "
    "--no-gradient-reduce-div --no-use-layer-wise --fsdp- --megatron-fsdp- --grad-reduce-in-bf16 "
    "--export-force-local-attention --use-flash-attn --flash-attention --attention-backend "
    "--transformer-impl --use-te-activation "
    "--use-transformer-engine-op --fused-residual --mla-down-proj-fusion --use-fused-weighted "
    "--no-masked-softmax --no-rope-fusion --no-persist-layer-norm --cross-entropy- "
    "--no-gradient-accumulation --gradient-accumulation-fusion --disable-jit-fuser "
    "--disable-bf16-reduced --batch-invariant --deterministic --te-rng --use-grouped-gemm "
    "--no-clone-scatter --disable-clone-scatter "
    "--enable-cuda-graph --cuda-graph --external-cuda-graph --optimizer-cuda-graph "
    "--moe-grouped-gemm --moe-use-grouped --moe-single-grouped --moe-token-dispatcher "
    "--moe-permute-fusion --moe-pad-expert --moe-enable-deepep --moe-deepep --moe-flex-dispatcher "
    "--moe-hybridep --moe-ncclep --moe-router-force --moe-router-fusion --moe-router-padding "
    "--moe-shared-expert-overlap --moe-apply-probs --moe-dispatch-fwd --moe-combine-bwd "
    "--moe-mlp-glu-interleave --moe-shared-expert-glu --ep-overlap-early "
    "--use-precision-aware --main-grads-dtype --main-params-dtype --exp-avg --empty-unused "
    "--no-pin-cpu --use-torch-optimizer-for-cpu --defer-embedding --wgrad-deferral --delay-wgrad "
    "--distribute-saved --fp32-residual --fp16-lm-cross --apply-layernorm-1p --qk-clip "
    "--qk-l2-norm --fp8-param-gather --fp8-wgrad --no-fp8-wgrad --disable-fp8-wgrad "
    "--reuse-grad-buf --keep-fp8-transpose --fp8-output-proj --first-last-layers-bf16 "
    "--num-layers-at-start-in-bf16 --num-layers-at-end-in-bf16 --sft";

// Of these, what needs less memory than is priced.
constexpr struct {
  std::string_view flag;
  const char* what;
} kSavings[] = {{"--grad-reduce-in-bf16", "gradients of 2 bytes"},
                {"--main-grads-dtype", "gradients of fewer bytes"},
                {"--main-params-dtype", "master weights of fewer bytes"},
                {"--exp-avg-dtype", "moments of fewer bytes"},
                {"--exp-avg-sq-dtype", "moments of fewer bytes"},
                {"--fp8-param-gather", "weights of 1 byte"},
                {"--reuse-grad-buf-for-mxfp8-param-ag", "one buffer for gradients and weights"},
                {"--cross-entropy-loss-fusion", "logits in place"},
                {"--distribute-saved-activations", "kept activations over tp"}};

// The others that are known, and why.
constexpr struct {
  std::string_view flags;
  const char *why, *valid;
} kRefused[] = {
    {"--mamba- --hybrid-layer --hybrid-override --is-hybrid --linear- --gdp- --dsa- "
     "--experimental-attention --heterogeneous- --enable-mhc --mhc- --spec --moe-latent-size "
     "--attention-output-gate --squared-relu --quick-geglu --openai-gelu --softmax-type "
     "--glu-linear-offset --activation-func-clamp --enable-gpt-oss --kitchen- --use-kitchen "
     "--relative-attention "
     "--mrope-section --disable-mamba --disable-dsa --no-dsa",
     "layers of a kind that the flags of no priced model have",
     "blocks of llama's, Mixtral's, Qwen's, DeepSeek's, GLM's, gpt-oss's or GPT-2's kind, or "
     "--model CONFIG "
     "and no flags of the model"},
    {"--mtp-detach --mtp-hsm --mtp-hybrid --mtp-standalone --mtp-use-repeated",
     "a module for multi-token prediction of another kind", "--mtp-num-layers alone"},
    {"--cpu-offloading --fine-grained- --activation-offload --offload-modules --moe-paged-stash "
     "--min-offloaded --delta-offload --delay-offload",
     "activations in the host's memory", "without, or --recompute-granularity"},
    {"--hybrid-context --hierarchical-context --max-seqlen-per-dp --dataloader-inter-document",
     "sequences that are cut in another way", "--context-parallel-size with --cp-comm-type"},
    {"--tensor-parallel-num-weight --expert-tensor-parallel-num --gtp- --moe-extended-tp "
     "--enable-full-sharding --outer-dp-sharding",
     "weights that are cut in another way",
     "--tensor-model-parallel-size, --expert-tensor-parallel-size, --use-distributed-optimizer, "
     "--data-parallel-sharding-strategy"},
    {"--moe-layer-recompute --mhc-recompute", "recomputation of parts of a layer",
     "--recompute-granularity selective or full"},
    {"--perform-rl-step --vision- --dino- --bert- --ict- --biencoder --retro- --retriever- --img- "
     "--encoder- --decoder-seq --decoder-num-layers --mask- --skip-train --freeze-all --logits- "
     "--block-data --titles-data --evidence-data --embedding-path --indexer- --query-in-block "
     "--use-one-sent --output-bert --vocab-extra-ids --num-classes --num-channels --classes- "
     "--patch-dim --swin- --sample-rate --iter-per-epoch",
     "a run that is no training of a decoder alone", "flags of pretrain_gpt.py"},
    {"--fp4- --fp8-quantizer", "numbers of another format", "--fp8-format"},
    {"--decrease-batch-size", "a batch that fits the ranks", "--global-batch-size of that size"},
    {"--moe-expert-rank-capacity", "a capacity of ranks", "--moe-expert-capacity-factor"},
    {"--deepspeed --zero- --ds-", "an engine of its own",
     "DeepSpeed's ds_config.json by --import, with --model and --seq-len"},
    {"--yaml-cfg --te-precision-config", "settings in another file", "the flags that they mean"},
    {"--model-parallel-size --batch-size --checkpoint- --activations-checkpoint",
     "a name of Megatron-LM before 2022",
     "--tensor-model-parallel-size, --micro-batch-size, --recompute-granularity full "
     "--recompute-method uniform"},
};

bool begins_with_any(std::string_view flag, std::string_view beginnings) {
  for (size_t begin = 0; begin < beginnings.size();) {
    const size_t end = std::min(beginnings.find(' ', begin), beginnings.size());
    const std::string_view beginning = beginnings.substr(begin, end - begin);
    if (!beginning.empty() && flag.starts_with(beginning)) return true;
    begin = end + 1;
  }
  return false;
}

}  // namespace

FlagWeight weight_of(const std::string& flag) {
  for (const auto& refused : kRefused) {
    if (begins_with_any(flag, refused.flags)) return FlagWeight::refused;
  }
  if (begins_with_any(flag, kIgnored)) return FlagWeight::none;
  return begins_with_any(flag, kNotModelled) ? FlagWeight::not_modelled : FlagWeight::unknown;
}

std::vector<std::string> weighed_flags() {
  std::vector<std::string> names;
  const auto add = [&names](std::string_view flags) {
    while (!flags.empty()) {
      const std::string_view name = flags.substr(0, flags.find(' '));
      flags.remove_prefix(std::min(flags.size(), name.size() + 1));
      if (!name.empty() && !name.ends_with('-')) names.emplace_back(name);
    }
  };
  for (const std::string_view flags : {kNotModelled, kIgnored}) add(flags);
  for (const auto& refused : kRefused) add(refused.flags);
  return names;
}

std::string saving_of(const std::string& flag) {
  for (const auto& saving : kSavings) {
    if (saving.flag == flag) return saving.what;
  }
  return "";
}

void refuse_known_flag(const std::string& flag) {
  for (const auto& refused : kRefused) {
    if (begins_with_any(flag, refused.flags)) {
      refuse_flag(flag + ", " + refused.why + ",", refused.valid);
    }
  }
}

}  // namespace argosy
