// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the flags of Megatron-LM mean, flag by flag. Meanings and defaults are those of
// megatron/training/arguments.py.
#include <gtest/gtest.h>

#include "planner/exchange/export.h"
#include "planner/exchange/megatron_import.h"
#include "planner/exchange/megatron_stages.h"
#include "planner/spec/check.h"
#include "tests/planner/exchange_jobs.h"

namespace argosy {
namespace {

const std::string kBatch = "--seq-length 4096 --micro-batch-size 1 --bf16 ";
// 24 layers, llama's blocks.
const std::string kBlocks =
    kBatch +
    "--num-layers 24 --hidden-size 2048 --num-attention-heads 16 --vocab-size 32000 --swiglu "
    "--normalization RMSNorm --position-embedding-type rope --disable-bias-linear "
    "--ffn-hidden-size 8192 --untie-embeddings-and-output-weights ";
const std::string kExperts = "--num-experts 64 --moe-router-topk 6 --moe-ffn-hidden-size 1408 ";

ModelSpec model_of(const std::string& flags, int64_t devices = 64) {
  return parse_model(import_megatron(kBlocks + flags, devices).model_json, "imported", "flags")
      .model;
}

void expect_error(const std::string& flags, const std::string& named) {
  const std::string error = error_of([&] { import_megatron(kBlocks + flags, 64); });
  EXPECT_NE(error.find(named), std::string::npos) << flags << ": " << error;
  EXPECT_NE(error.find("; valid: "), std::string::npos) << error;
}

bool decides(const PeerRun& run, const std::string& what) {
  return ("," + run.fix + ",").find("," + what + ",") != std::string::npos;
}

TEST(MegatronFlags, LatentAttention) {
  const ModelSpec model = model_of(
      "--multi-latent-attention --q-lora-rank 1536 --kv-lora-rank 512 --qk-head-dim 96 "
      "--qk-pos-emb-head-dim 32 --v-head-dim 64 --qk-layernorm --rope-type yarn "
      "--rotary-scaling-factor 40 --mscale 1.0 --mscale-all-dim 1.0 " +
      kExperts +
      "--moe-shared-expert-intermediate-size 2816 --moe-layer-freq '([0]*3+[1]*21)' "
      "--moe-router-score-function sigmoid --moe-router-enable-expert-bias "
      "--moe-router-num-groups 8 --moe-router-group-topk 4 --mtp-num-layers 2");
  EXPECT_EQ(model.latent.q_rank, 1536);
  EXPECT_EQ(model.latent.kv_rank, 512);
  EXPECT_EQ(model.latent.nope_dim, 96);
  EXPECT_EQ(model.latent.rope_dim, 32);
  EXPECT_EQ(model.latent.value_dim, 64);
  EXPECT_EQ(model.moe.num_experts, 64);
  EXPECT_EQ(model.moe.top_k, 6);
  EXPECT_EQ(model.moe.shared_ffn_size, 2816);
  EXPECT_EQ(model.moe.num_groups, 8);
  EXPECT_EQ(model.moe.top_groups, 4);
  EXPECT_EQ(model.num_mtp_modules, 2);
  EXPECT_EQ(model.ffn_size, 8192);
  for (int64_t layer = 0; layer < 24; ++layer) {
    EXPECT_EQ(model.layer_is_moe[static_cast<size_t>(layer)], layer >= 3) << layer;
  }
  const ModelSpec dense = model_of("--multi-latent-attention");  // the defaults
  EXPECT_FALSE(dense.has_moe());
  EXPECT_EQ(dense.latent.q_rank, 0);
  EXPECT_EQ(dense.latent.kv_rank, 32);
  EXPECT_EQ(dense.latent.nope_dim, 128);
  EXPECT_EQ(dense.latent.rope_dim, 64);
  EXPECT_EQ(dense.latent.value_dim, 128);
}

TEST(MegatronFlags, ExpertsOfSomeLayers) {
  const ModelSpec every = model_of(kExperts + "--qk-layernorm --moe-layer-freq 2");
  for (size_t layer = 0; layer < 24; ++layer) {
    EXPECT_EQ(every.layer_is_moe[layer], layer % 2 == 0) << layer;
  }
  EXPECT_TRUE(every.qk_norm);
  EXPECT_EQ(every.moe.ffn_size, 1408);
  const ModelSpec listed = model_of(kExperts + "--qk-layernorm --moe-layer-freq [0,1,1]*8");
  for (size_t layer = 0; layer < 24; ++layer) {
    EXPECT_EQ(listed.layer_is_moe[layer], layer % 3 != 0) << layer;
  }
  const ModelSpec gated = model_of(
      kExperts +
      "--add-qkv-bias --moe-shared-expert-intermediate-size 5632 --moe-shared-expert-gate");
  EXPECT_TRUE(gated.moe.shared_gate);
  EXPECT_EQ(gated.moe.shared_ffn_size, 5632);
  EXPECT_EQ(count_parameters(gated).total - count_parameters(model_of(kExperts)).total,
            24 * (3 * 2048 * 5632 + 2048 + 3 * 2048));  // shared expert, its gate, biases of q k v
}

// GLM's blocks: the experts of DeepSeek behind any attention without latent vectors.
TEST(MegatronFlags, SharedExpertsAndDenseLayersOfAnyAttention) {
  const auto total = [](const ModelSpec& model) { return count_parameters(model).total; };
  const int64_t experts = total(model_of(kExperts));
  const ModelSpec shared =
      model_of(kExperts +
               "--moe-shared-expert-intermediate-size 2816 --moe-router-score-function sigmoid "
               "--moe-layer-freq '([0]*2+[1]*22)' --group-query-attention --num-query-groups 4");
  EXPECT_EQ(shared.moe.shared_ffn_size, 2816);
  EXPECT_FALSE(shared.moe.shared_gate || shared.qk_norm || shared.qkv_bias);
  EXPECT_EQ(shared.num_kv_heads, 4);
  EXPECT_FALSE(shared.layer_is_moe[1]);
  EXPECT_TRUE(shared.layer_is_moe[2]);
  EXPECT_EQ(total(shared) - experts,
            22 * 3 * 2048 * 2816 - 24 * 2 * 2048 * (2048 - 512)  // shared experts, fewer keys
                + 2 * (3 * 2048 * 8192 - 64 * 3 * 2048 * 1408 - 64 * 2048));  // layers without any
  const ModelSpec biased = model_of(kExperts + "--add-qkv-bias --qk-layernorm");
  EXPECT_EQ(total(biased) - experts, 24 * (3 * 2048 + 2 * 128));
  EXPECT_FALSE(biased.attention_output_bias);
  const ModelSpec both = model_of("--add-qkv-bias --qk-layernorm");
  EXPECT_EQ(total(both) - total(model_of("")), 24 * (3 * 2048 + 2 * 128));
  EXPECT_FALSE(both.has_moe());
  const ModelSpec module = model_of("--mtp-num-layers 1");
  EXPECT_EQ(module.num_mtp_modules, 1);
  EXPECT_EQ(count_parameters(module).mtp, 2 * 2048 * 2048 + 3 * 2048 +  // projection, norms
                                              4 * 2048 * 2048 + 3 * 2048 * 8192 + 2 * 2048);
}

TEST(MegatronFlags, Windows) {
  const ModelSpec all = model_of("--window-size 1023,0");
  EXPECT_EQ(all.sliding_window, 1024);
  EXPECT_TRUE(all.is_windowed(0) && all.is_windowed(23));
  const ModelSpec some = model_of("--window-size '(127,0)' --window-attn-skip-freq 4");
  EXPECT_EQ(some.sliding_window, 128);
  for (int64_t layer = 0; layer < 24; ++layer) {
    EXPECT_EQ(some.is_windowed(layer), layer % 4 != 3) << layer;
  }
  const ModelSpec listed =
      model_of("--qk-layernorm --window-size '(127, 0)' --window-attn-skip-freq '[1]*12+[0]*12'");
  EXPECT_TRUE(listed.is_windowed(11));
  EXPECT_FALSE(listed.is_windowed(12));
  EXPECT_EQ(model_of("--window-size=-1,0").sliding_window, 0);
}

TEST(MegatronFlags, EightBits) {
  const PeerRun run = import_megatron(
      kBlocks + "--fp8-format hybrid --fp8-recipe tensorwise --fp8-amax-history-len 1024", 64);
  EXPECT_EQ(run.precision, "fp8");
  EXPECT_TRUE(run.warnings.empty());
  const PeerRun blocks =
      import_megatron(kBlocks + "--fp8-format e4m3 --fp8-recipe blockwise --fp8-param-gather", 64);
  EXPECT_EQ(blocks.precision, "fp8");
  EXPECT_EQ(blocks.warnings.size(), 2u);  // blockwise, the gather in 8 bits
}

TEST(MegatronFlags, StagesOfAllKinds) {
  const auto layers = [](const std::string& flags) {
    const std::string fix = import_megatron(kBlocks + flags, 64).fix;
    const size_t at = fix.find("layers=");
    return at == std::string::npos ? "" : fix.substr(at + 7, fix.find(',', at) - at - 7);
  };
  EXPECT_EQ(layers("--pipeline-model-parallel-size 4 --decoder-first-pipeline-num-layers 5 "
                   "--decoder-last-pipeline-num-layers 3"),
            "5+8+8+3");
  EXPECT_EQ(layers("--pipeline-model-parallel-size 4 --decoder-last-pipeline-num-layers 3"),
            "7+7+7+3");
  EXPECT_EQ(layers("--pipeline-model-parallel-size 4 --decoder-first-pipeline-num-layers 4 "
                   "--decoder-last-pipeline-num-layers 4 "
                   "--num-virtual-stages-per-pipeline-rank 2"),
            "2+4+4+2+2+4+4+2");
  EXPECT_EQ(layers("--pipeline-model-parallel-size 2 --account-for-embedding-in-pipeline-split "
                   "--account-for-loss-in-pipeline-split"),
            "12+12");
  EXPECT_EQ(layers("--pipeline-model-parallel-layout 'Et*3|(tt|)*10,t,L' "
                   "--pipeline-model-parallel-size 4"),
            "3+2+2+2+2+2+2+2+2+2+2+1");
  EXPECT_EQ(layers_of_layout("Ett|(t|t*2|)*2tmmL"), (std::vector<int64_t>{2, 1, 2, 1, 2, 1}));
  for (const char* wrong :
       {"", "E", "L", "EL", "Et", "tL", "Et||tL", "Et*0L", "Et*L", "E(t|tL", "Et)L", "Et|mtL",
        "Et*99999999999L", "E(t*999999)*999999L", "Et|L", "E((((((((((t))))))))))L"}) {
    EXPECT_TRUE(layers_of_layout(wrong).empty()) << wrong;
  }
  EXPECT_EQ(layer_pattern("([0]*2+[1]*2)*2", 8),
            (std::vector<bool>{false, false, true, true, false, false, true, true}));
  for (const char* wrong : {"", "[0]*2", "[0,2]*4", "[0]*9", "([0]*8", "[0]**8", "[0]*-8"}) {
    EXPECT_FALSE(layer_pattern(wrong, 8)) << wrong;
  }
}

// (1024 - 256) / 256 = 3 increments, which share the samples evenly.
TEST(MegatronFlags, RampOfTheBatch) {
  const std::string ramp = "--global-batch-size 1024 --rampup-batch-size 256 256 300000 ";
  const PeerRun run = import_megatron(kBlocks + ramp + "--train-samples 1000000", 64);
  ASSERT_EQ(run.ramp.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(run.ramp[i].global_batch, static_cast<int64_t>(256 * (i + 1)));
    EXPECT_EQ(run.ramp[i].tokens, 100000.0 * 4096);
  }
  EXPECT_EQ(run.global_batch, 1024);
  EXPECT_EQ(run.tokens, 1e6 * 4096);
  // Of 2,000 steps those of the ramp are 100,000 / 256 + 100,000 / 512 + 100,000 / 768.
  const double ramp_steps = 1e5 / 256 + 1e5 / 512 + 1e5 / 768;
  EXPECT_NEAR(import_megatron(kBlocks + ramp + "--train-iters 2000", 64).tokens,
              (3e5 + (2000 - ramp_steps) * 1024) * 4096, 1);
  EXPECT_EQ(import_megatron(kBlocks + ramp, 64).tokens, 0);
  EXPECT_EQ(import_megatron(kBlocks + "--global-batch-size 64 --train-iters 10", 64).tokens,
            640 * 4096);
}

TEST(MegatronFlags, OffloadAndModules) {
  const PeerRun run = import_megatron(
      kBlocks +
          "--use-distributed-optimizer --optimizer-cpu-offload --optimizer-offload-fraction 1.0 "
          "--recompute-granularity selective --recompute-modules core_attn",
      64);
  EXPECT_TRUE(decides(run, "offload=optimizer")) << run.fix;
  EXPECT_TRUE(decides(run, "recompute=selective")) << run.fix;
}

// The same ramp as --step-batch-size-schedule has it: whole sequences, the last batch is the run's.
TEST(MegatronFlags, ScheduleOfTheBatch) {
  const PeerRun run = import_megatron(
      kBlocks + "--step-batch-size-schedule '0:64 2.4B:256 4.8B:1024' --train-samples 5000000", 64);
  ASSERT_EQ(run.ramp.size(), 2u);
  EXPECT_EQ(run.ramp[0].global_batch, 64);
  EXPECT_EQ(run.ramp[1].global_batch, 256);
  EXPECT_EQ(run.ramp[0].tokens, 585937.0 * 4096);  // 2.4e9 / 4096 = 585937.5
  EXPECT_EQ(run.ramp[1].tokens, (1171875.0 - 585937.0) * 4096);
  EXPECT_EQ(run.global_batch, 1024);
  EXPECT_EQ(run.tokens, 5e6 * 4096);
  EXPECT_EQ(import_megatron(kBlocks + "--step-batch-size-schedule 0:64 2.4B:256", 64).ramp.size(),
            1u);  // without quotes, as a script's arrays make it
  const std::string last = "--step-batch-size-schedule 0:64,1M:128 --global-batch-size 128";
  EXPECT_EQ(import_megatron(kBlocks + last, 64).global_batch, 128);
  for (const char* wrong : {"0:64 1M", "1M:64", "0:64 0:128", "0:64 1M:100", "0:64 1X:128", "''",
                            "0:0", "':'", "64", "0:64 1M:-128", "0:64 1e30T:128"}) {
    expect_error(concat("--step-batch-size-schedule '", wrong, "'"), "--step-batch-size-schedule");
  }
  expect_error("--step-batch-size-schedule '0:64 1M:128' --global-batch-size 64",
               "its last batch, 128");
}

TEST(MegatronFlags, Vocabulary) {
  const std::string bare = kBatch +
                           "--num-layers 4 --hidden-size 512 --num-attention-heads 8 "
                           "--tensor-model-parallel-size 2 ";
  const auto vocabulary = [&bare](const std::string& flags) {
    return parse_model(import_megatron(bare + flags, 8).model_json, "m", "flags").model.vocab_size;
  };
  EXPECT_EQ(vocabulary("--vocab-size 1000"), 1024);
  EXPECT_EQ(vocabulary("--vocab-size 1000 --no-pad-vocab-size"), 1000);
  EXPECT_EQ(vocabulary("--vocab-size 1 --padded-vocab-size 999"), 999);
  EXPECT_EQ(vocabulary("--vocab-file a.json --merge-file b.txt"), 50432);  // 50257 to 256
  EXPECT_EQ(vocabulary("--tokenizer-type Llama2Tokenizer"), 32000);
  const auto error = [&bare](const std::string& flags) {
    return error_of([&] { import_megatron(bare + flags, 8); });
  };
  EXPECT_NE(error("--tokenizer-type HuggingFaceTokenizer").find("--vocab-size N"),
            std::string::npos);
  EXPECT_NE(error("--tokenizer-type $T").find("--tokenizer-type $T"), std::string::npos);
}

TEST(MegatronFlags, WithoutInfluence) {
  const PeerRun run = import_megatron(
      kBlocks +
          "--use-mcore-models --no-position-embedding --window-attn-skip-freq 4 --mock-data "
          "--no-mmap-bin-files --tiktoken-pattern v2 --decoupled-min-lr 1e-5 --rope-type rope "
          "--optimizer-cpu-offload --optimizer-offload-fraction 0 --recompute-modules moe_act "
          "--outer-dp-sharding-strategy optim --inference-max-requests 8 --muon-momentum 0.9 "
          "--microbatch-group-size-per-virtual-pipeline-stage 3 --moe-router-dtype fp32",
      64);
  EXPECT_TRUE(run.warnings.empty()) << run.warnings.front();
  EXPECT_TRUE(decides(run, "recompute=none")) << run.fix;
  EXPECT_FALSE(decides(run, "offload=optimizer")) << run.fix;
  const PeerRun idle = import_megatron(
      kBlocks + "--moe-router-topk 4 --moe-ffn-hidden-size 512 --kv-lora-rank 64", 64);
  ASSERT_EQ(idle.warnings.size(), 2u);
  EXPECT_NE(idle.warnings[0].find("--moe-router-topk, --moe-ffn-hidden-size: without influence, as "
                                  "there is no --num-experts"),
            std::string::npos)
      << idle.warnings[0];
  const PeerRun speed = import_megatron(kBlocks + "--no-rope-fusion --fsdp-double-buffer", 64);
  ASSERT_EQ(speed.warnings.size(), 1u);
  EXPECT_NE(speed.warnings[0].find("not modelled: --fsdp-double-buffer, --no-rope-fusion"),
            std::string::npos)
      << speed.warnings[0];
}

TEST(MegatronFlags, ShardsOfTorch) {
  EXPECT_TRUE(decides(import_megatron(kBlocks + "--use-torch-fsdp2", 64), "zero=3"));
  EXPECT_TRUE(decides(
      import_megatron(kBlocks + "--use-torch-fsdp2 --torch-fsdp2-no-reshard-after-forward", 64),
      "zero=2"));
}

// Megatron cuts experts as it cuts the rest, whoever says that there are some.
TEST(MegatronFlags, ExpertsOfTheCallersModel) {
  const std::string flags = kBatch + "--tensor-model-parallel-size 2 --sequence-parallel";
  const ModelSpec experts = job_of("mixtral-8x7b", 64).model, dense = job_of("llama-65b", 64).model;
  EXPECT_TRUE(decides(import_megatron(flags, 64, &experts), "etp=2"));
  EXPECT_TRUE(decides(import_megatron(flags, 64, &dense), "etp=1"));
}

// As Megatron-LM's examples of gpt-oss set it, with biases and without.
TEST(MegatronFlags, GptOss) {
  const std::string flags =
      "--seq-length 8192 --micro-batch-size 1 --num-layers 12 --hidden-size 512 "
      "--ffn-hidden-size 2048 --num-attention-heads 64 --group-query-attention "
      "--num-query-groups 8 --vocab-size 128256 --normalization RMSNorm --quick-geglu "
      "--softmax-type learnable --window-attn-skip-freq 2 --activation-func-clamp-value 7.0 "
      "--window-size 127,0 --export-force-local-attention --num-experts 4 --moe-router-topk 2 "
      "--moe-ffn-hidden-size 2048 --untie-embeddings-and-output-weights --rotary-base 10000 ";
  const auto model_of = [](const PeerRun& run) {
    return parse_model(run.model_json, "x", "x").model;
  };
  const std::string offset = "--glu-linear-offset 1.0 ";
  const ModelSpec full =
      model_of(import_megatron(flags + offset + "--enable-gpt-oss --kv-channels 64", 8));
  EXPECT_EQ(full.model_type, "gpt_oss");
  EXPECT_EQ(full.rope.type, "yarn");
  EXPECT_EQ(full.head_dim, 64);
  EXPECT_EQ(full.sliding_window, 128);
  EXPECT_TRUE(full.is_windowed(0));
  EXPECT_FALSE(full.is_windowed(1));
  EXPECT_TRUE(full.qkv_bias && full.attention_output_bias && full.attention_sinks);
  EXPECT_EQ(full.moe.ffn_size, 2048);
  const PeerRun bare =
      import_megatron(flags + offset + "--position-embedding-type rope --disable-bias-linear", 8);
  EXPECT_FALSE(model_of(bare).qkv_bias);
  EXPECT_EQ(model_of(bare).rope.type, "default");
  EXPECT_EQ(model_of(bare).head_dim, 8);
  ASSERT_FALSE(bare.warnings.empty());
  EXPECT_NE(bare.warnings.front().find("--disable-bias-linear: experts and router"),
            std::string::npos)
      << bare.warnings.front();
  const auto error = [&](const std::string& rest) {
    return error_of([&] { import_megatron(flags + "--enable-gpt-oss " + rest, 8); });
  };
  EXPECT_NE(error("").find("--glu-linear-offset 0"), std::string::npos) << error("");
  EXPECT_NE(error(offset + "--softmax-type vanilla").find("--softmax-type vanilla"),
            std::string::npos);
  EXPECT_NE(error(offset + "--moe-layer-freq 2").find("dense layers"), std::string::npos);
  EXPECT_NE(error(offset + "--swiglu").find("--swiglu"), std::string::npos);
}

TEST(MegatronFlags, MistakesNameTheFlag) {
  expect_error("--fp8-format e5m2", "--fp8-format e5m2");
  expect_error("--fp8-format hybrid --fp8-recipe custom", "--fp8-recipe custom");
  expect_error("--fp4-format e2m1", "--fp4-format");
  EXPECT_NE(error_of([] {
              import_megatron("--seq-length 64 --micro-batch-size 1 --fp8-format hybrid", 8);
            }).find("--bf16"),
            std::string::npos);
  expect_error("--rampup-batch-size 64 64", "--rampup-batch-size");
  expect_error("--global-batch-size 256 --rampup-batch-size 100 64 1000", "multiples of");
  expect_error("--global-batch-size 256 --rampup-batch-size 64 64 1000 --train-samples 900",
               "longer than its ramp");
  expect_error("--recompute-granularity selective --recompute-modules core_attn moe_act",
               "--recompute-modules moe_act");
  expect_error("--optimizer-cpu-offload --optimizer-offload-fraction 0.5", "0.5");
  expect_error(kExperts + "--moe-layer-freq 2", "--moe-layer-freq");
  expect_error(kExperts + "--moe-layer-freq [0,1]*3", "--moe-layer-freq [0,1]*3");
  expect_error(kExperts +
                   "--moe-shared-expert-intermediate-size 1408 --moe-shared-expert-gate "
                   "--qk-layernorm",
               "--moe-shared-expert-gate");
  expect_error(kExperts + "--moe-shared-expert-intermediate-size 1408 --moe-layer-freq 2",
               "dense layers behind experts");
  expect_error("--multi-latent-attention " + kExperts + "--moe-layer-freq [1,0]*12",
               "dense layers come first");
  expect_error("--multi-latent-attention " + kExperts + "--moe-shared-expert-intermediate-size 100",
               "a multiple of --moe-ffn-hidden-size 1408");
  expect_error("--no-such-flag 1 --nor-this", "--no-such-flag, --nor-this: not known");
  expect_error("--mamba-num-heads 8", "layers of a kind");
  expect_error("--squared-relu", "layers of a kind");
  expect_error("--fp4-recipe nvfp4", "numbers of another format");
  expect_error("--decrease-batch-size-if-needed", "--global-batch-size of that size");
  expect_error("--cpu-offloading-num-layers 4", "activations in the host's memory");
  expect_error("--hierarchical-context-parallel-sizes 2 4", "--cp-comm-type");
  expect_error("--deepspeed --zero-stage 1", "ds_config.json");
  expect_error("--checkpoint-activations", "before 2022");
  expect_error("--recompute-granularity block", "--recompute-granularity block");
  expect_error("--use-megatron-fsdp --outer-dp-sharding-strategy optim",
               "--outer-dp-sharding-strategy optim");
  expect_error(
      "--pipeline-model-parallel-size 4 --num-virtual-stages-per-pipeline-rank 2 "
      "--microbatch-group-size-per-virtual-pipeline-stage 8",
      "4, the stages of the pipeline");
  expect_error("--window-size 128", "--window-size 128");
  expect_error("--window-size 128,128", "--window-size 128,128");
  expect_error("--window-size 128,0 --window-attn-skip-freq [1,0]", "--window-attn-skip-freq");
  expect_error("--attention-output-gate", "--attention-output-gate");
  expect_error(
      "--pipeline-model-parallel-size 4 --decoder-first-pipeline-num-layers 6 "
      "--decoder-last-pipeline-num-layers 7",
      "--decoder-first-pipeline-num-layers");
  expect_error("--pipeline-model-parallel-size 4 --account-for-embedding-in-pipeline-split",
               "embedding or head");
  expect_error("--pipeline-model-parallel-size 2 --pipeline-model-parallel-layout 'Et*23|t|m|L'",
               "layers on every stage");
  expect_error(
      "--tensor-model-parallel-size 1e9 --pipeline-model-parallel-size 1e9 "
      "--context-parallel-size 1e9",
      "64 devices");
  expect_error("--num-layers 1e9", "--num-layers 1000000000");
}

}  // namespace
}  // namespace argosy
