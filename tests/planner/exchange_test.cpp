// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Plans in other frameworks' words: what is said, what is refused, and there and back again.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "planner/exchange/export.h"
#include "planner/exchange/megatron_import.h"
#include "planner/exchange/megatron_words.h"
#include "planner/spec/check.h"
#include "planner/spec/integers.h"
#include "tests/planner/exchange_jobs.h"

namespace argosy {
namespace {

using Json = nlohmann::json;

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

// Every decision and every count of the model come back, and so does the predicted step. Megatron
// runs no vocabulary that tp does not divide: it adds rows.
TEST(Megatron, ThereAndBackAgain) {
  const struct {
    const char *model, *fix;
    int64_t devices;
  } kCases[] = {
      {"gpt3-175b", "tp=8,pp=8,zero=1,recompute=full,micro_batch=1,schedule=1f1b", 512},
      {"gpt3-175b", "tp=8,pp=8,schedule=interleaved,virtual_stages=3,zero=1", 512},
      {"llama-65b", "tp=4,pp=8,zero=1,recompute=selective,schedule=1f1b", 256},
      {"llama-65b", "tp=4,pp=8,zero=1,schedule=1f1b,order=tp-cp-pp-dp", 256},
      {"llama-65b", "tp=4,pp=3,dp=8,zero=1,schedule=1f1b", 96},
      {"llama-2-7b", "tp=1,pp=1,zero=3", 64},
      {"llama-2-7b", "tp=2,pp=1,zero=2,micro_batch=1", 64},
      {"llama-2-7b", "tp=1,pp=1,zero=3,zero_shard=8", 64},
      {"llama-3.1-8b", "tp=2,cp=2,pp=1,zero=1", 64},
      {"llama-3.1-8b", "tp=2,cp=2,cp_kind=ulysses,pp=2,zero=0,schedule=1f1b", 64},
      {"qwen2-7b", "tp=2,pp=2,sequence_parallel=0,schedule=1f1b", 32},
      {"qwen3-8b", "tp=4,pp=1", 32},
      {"mixtral-8x7b", "tp=2,pp=2,ep=8,etp=1,zero=1,schedule=1f1b", 64},
      {"mixtral-8x7b", "tp=2,pp=4,ep=4,etp=2,moe_capacity_factor=1.5,schedule=1f1b", 64},
      {"llama-65b", "tp=4,pp=4,zero=1,schedule=1f1b,recompute=full,recompute_layers=20", 256},
      {"gpt3-175b",
       "tp=8,pp=8,schedule=interleaved,virtual_stages=3,zero=1,recompute=full,"
       "recompute_layers=24",
       512},
      {"deepseek-v3", "tp=1,pp=16,ep=64,zero=1,schedule=1f1b,micro_batch=1,recompute=full", 2048},
      {"deepseek-v3", "tp=2,pp=8,ep=32,etp=1,zero=1,schedule=1f1b,micro_batch=1,recompute=full",
       2048},
      {"qwen3-30b-a3b", "tp=2,pp=1,ep=8,etp=1,zero=1,recompute=full", 64},
      {"qwen2-57b-a14b", "tp=2,pp=4,ep=8,etp=1,zero=1,schedule=1f1b,recompute=full", 64},
      {"mistral-7b", "tp=2,pp=2,zero=1,schedule=1f1b,recompute=none", 64},
      {"gpt-oss-20b", "tp=2,pp=2,ep=4,etp=1,zero=1,schedule=1f1b,recompute=full", 64},
      {"gpt-oss-120b", "tp=1,pp=4,ep=16,zero=1,schedule=interleaved,virtual_stages=3", 256},
      {"gpt2-124m", "tp=1,pp=2,zero=0,schedule=1f1b", 8}};
  for (const auto& c : kCases) {
    const auto pad = [&c](Job& job) {
      job.model.vocab_size = round_up(job.model.vocab_size, parse_fixed(c.fix).tp.value());
    };
    const Plan plan = plan_of(c.model, c.devices, c.fix, pad);
    const PeerRun run = import_megatron(megatron_flags(plan), c.devices);
    expect_same(plan_of_peer(job_of(c.model, c.devices), run), plan, run.fix);
    const ModelSpec read = parse_model(run.model_json, "imported", "flags").model;
    EXPECT_EQ(read.norm_eps, plan.model.norm_eps) << c.model;
    if (plan.model.model_type != "gpt_oss") continue;
    EXPECT_EQ(read.model_type, "gpt_oss");
    EXPECT_EQ(read.windowed_layers, plan.model.windowed_layers);
    EXPECT_EQ(rope_inverse_frequencies(read.rope, 64),
              rope_inverse_frequencies(plan.model.rope, 64));
    EXPECT_EQ(read.rope.attention_factor, plan.model.rope.attention_factor);
  }
}

TEST(Megatron, NamesWhatItCannotSay) {
  const auto refusal = [](const Plan& plan) { return error_of([&] { megatron_flags(plan); }); };
  EXPECT_NE(refusal(plan_of("llama-65b", 256, "pp=8,schedule=gpipe")).find("schedule=gpipe"),
            std::string::npos);
  EXPECT_NE(refusal(plan_of("llama-65b", 256, "pp=8,schedule=zb-h1")).find("schedule=zb-h1"),
            std::string::npos);
  EXPECT_NE(refusal(plan_of("llama-65b", 256, "pp=8,zero=2")).find("zero=2"), std::string::npos);
  Plan mixed = plan_of("llama-65b", 256, "pp=8,schedule=1f1b,zero=1");
  mixed.recompute.front() = Recompute::full;
  mixed.recompute.back() = Recompute::none;
  EXPECT_NE(refusal(mixed).find("recompute"), std::string::npos);
  mixed.recompute.assign(mixed.recompute.size(), Recompute::none);
  mixed.task = Task::lora;
  EXPECT_NE(refusal(mixed).find("lora"), std::string::npos);
}

TEST(Megatron, SaysLatentAttention) {
  const std::string flags =
      megatron_flags(plan_of("deepseek-v3", 2048, "tp=1,pp=16,ep=64,zero=1,schedule=1f1b"));
  for (const char* line :
       {"--multi-latent-attention", "--q-lora-rank 1536", "--kv-lora-rank 512", "--qk-head-dim 128",
        "--qk-pos-emb-head-dim 64", "--v-head-dim 128", "--rope-type yarn",
        "--moe-router-score-function sigmoid", "--num-experts 256"}) {
    EXPECT_TRUE(has_line(flags, line)) << line << "\n" << flags;
  }
}

TEST(Megatron, SaysWhatIsPlannedAlone) {
  Plan plan = plan_of("deepseek-v3", 2048, "tp=1,pp=16,ep=64,zero=1,schedule=1f1b");
  EXPECT_TRUE(has_line(megatron_flags(plan), "--mtp-num-layers 1"));
  EXPECT_NE(megatron_flags(plan).find("mL\""), std::string::npos);  // of the layout
  plan.precision = Precision::fp8;
  plan.task = Task::finetune;
  plan.offload = Offload::optimizer;
  const std::string flags = megatron_flags(plan);
  for (const char* line : {"--bf16", "--fp8-format hybrid", "--finetune", "--optimizer-cpu-offload",
                           "--use-precision-aware-optimizer"}) {
    EXPECT_TRUE(has_line(flags, line)) << line;
  }
  const auto refusal = [](const Plan& p) { return error_of([&] { megatron_flags(p); }); };
  plan.zero_stage = 0;
  EXPECT_NE(refusal(plan).find("offload=optimizer"), std::string::npos);
  Plan sinks = plan_of("gpt-oss-20b", 256, "tp=2,pp=1,ep=8,etp=1,zero=1");
  for (const char* line :
       {"--quick-geglu", "--glu-linear-offset 1", "--activation-func-clamp-value 7",
        "--softmax-type learnable", "--window-size \"(127,0)\"", "--window-attn-skip-freq 2",
        "--position-embedding-type yarn", "--yarn-original-max-position-embeddings 4096",
        "--no-yarn-correction-range-round-to-int"}) {
    EXPECT_TRUE(has_line(megatron_flags(sinks), line)) << line;
  }
  EXPECT_FALSE(has_line(megatron_flags(sinks), "--disable-bias-linear"));
  sinks.mesh.etp = 2;  // Megatron-LM has biases of whole experts alone
  EXPECT_NE(refusal(sinks).find("etp=2"), std::string::npos);
  Plan windows = plan_of("mistral-7b", 256, "tp=1,pp=1,zero=1");
  windows.model.sliding_window = 128;
  windows.model.windowed_layers.assign(32, true);
  for (size_t i = 3; i < 32; i += 4) windows.model.windowed_layers[i] = false;
  EXPECT_TRUE(has_line(megatron_flags(windows), "--window-attn-skip-freq 4"));
  windows.model.windowed_layers[0] = false;
  EXPECT_NE(refusal(windows).find("layer_types"), std::string::npos);
}

TEST(DeepSpeed, SaysTheOffload) {
  Plan plan = plan_of("llama-3.1-8b", 256, "tp=1,pp=1,zero=2,recompute=full");
  plan.offload = Offload::optimizer;
  EXPECT_NE(deepspeed_json(plan).find("offload_optimizer"), std::string::npos);
  plan.precision = Precision::fp8;
  EXPECT_NE(error_of([&] { deepspeed_json(plan); }).find("precision=fp8"), std::string::npos);
  plan.precision = Precision::bf16;
  EXPECT_NE(error_of([&] { torchtitan_toml(plan); }).find("offload"), std::string::npos);
}

// 80 layers on 4 stages, the first 5 of each computed again.
TEST(Megatron, RecomputesTheFirstLayersOfEachStage) {
  const Plan plan = plan_of("llama-65b", 256,
                            "tp=4,pp=4,zero=1,schedule=1f1b,recompute=full,recompute_layers=20");
  const std::string flags = megatron_flags(plan);
  for (const char* line :
       {"--recompute-granularity full", "--recompute-method block", "--recompute-num-layers 5"}) {
    EXPECT_TRUE(has_line(flags, line)) << line << "\n" << flags;
  }
  const std::string base =
      "--num-layers 80 --hidden-size 8192 --num-attention-heads 64 --vocab-size 32000 --seq-length "
      "2048 --micro-batch-size 1 --max-position-embeddings 2048 --tensor-model-parallel-size 4 "
      "--pipeline-model-parallel-size 4 --recompute-granularity full --recompute-method block ";
  EXPECT_NE(import_megatron(base + "--recompute-num-layers 3", 256)
                .fix.find("recompute=full,recompute_layers=12"),
            std::string::npos);
  const std::string all = import_megatron(base + "--recompute-num-layers 20", 256).fix;
  EXPECT_NE(all.find("recompute=full"), std::string::npos);
  EXPECT_EQ(all.find("recompute_layers"), std::string::npos) << all;
  EXPECT_NE(error_of([&] {
              import_megatron(base +
                                  "--recompute-num-layers 3 --pipeline-model-parallel-layout "
                                  "Et*19|t*21|t*20|t*20L",
                              256);
            }).find("block"),
            std::string::npos);
}

TEST(Megatron, UnevenStagesHaveALayout) {
  const Plan plan = plan_of("llama-65b", 96, "tp=4,pp=3,dp=8,zero=1,schedule=1f1b");
  EXPECT_NE(megatron_flags(plan).find("--pipeline-model-parallel-layout \"Et*"), std::string::npos);
}

// A script as users have it: GPT-3 175B of Megatron-LM's examples.
TEST(Megatron, ReadsAScript) {
  const PeerRun run = import_megatron(R"(
    # 175B
    torchrun --nproc_per_node 8 pretrain_gpt.py \
       --num-layers 96 --hidden-size 12288 --num-attention-heads 96 \
       --seq-length 2048 --max-position-embeddings=2048 --micro-batch-size 1 \
       --global-batch-size 1536 --train-iters 500000 --lr 6.0e-5 --fp16 \
       --tensor-model-parallel-size 8 --pipeline-model-parallel-size 16 \
       --vocab-size 50257 --make-vocab-size-divisible-by 128 \
       --data-path 'my data' --split 949,50,1 --overlap-grad-reduce --recompute-activations
  )",
                                      1024);
  EXPECT_EQ(run.fix,
            "micro_batch=1,tp=8,pp=16,cp=1,dp=8,sequence_parallel=0,ep=1,etp=1,zero=0,"
            "schedule=1f1b,layers=6+6+6+6+6+6+6+6+6+6+6+6+6+6+6+6,recompute=selective");
  EXPECT_EQ(run.global_batch, 1536);
  EXPECT_EQ(run.precision, "bf16");
  EXPECT_EQ(run.warnings.size(), 2u);  // fp16, overlap
  const ModelSpec model = parse_model(run.model_json, "x", "x").model;
  EXPECT_EQ(model.vocab_size, 51200);  // a multiple of 128 x tp
  EXPECT_NEAR(static_cast<double>(count_parameters(model).total), 175e9, 1e9);
}

// _vocab_size_with_padding of Megatron-LM: a multiple of make_vocab_size_divisible_by x tp, the
// former 128 unless a flag says otherwise.
TEST(Megatron, PadsTheVocabularyAsMegatronDoes) {
  const std::string base =
      "--num-layers 24 --hidden-size 1024 --num-attention-heads 16 --seq-length 1024 "
      "--max-position-embeddings 1024 --micro-batch-size 1 --vocab-size 50257 ";
  const auto vocab = [&](const std::string& flags) {
    return parse_model(import_megatron(base + flags, 8).model_json, "x", "x").model.vocab_size;
  };
  EXPECT_EQ(vocab(""), 50304);
  EXPECT_EQ(vocab("--tensor-model-parallel-size 4"), 50688);
  EXPECT_EQ(vocab("--tensor-model-parallel-size 4 --make-vocab-size-divisible-by 64"), 50432);
  EXPECT_EQ(vocab("--make-vocab-size-divisible-by 1"), 50257);
  EXPECT_NE(error_of([&] {
              vocab("--make-vocab-size-divisible-by 1000000000000");
            }).find("valid: at most 1000000"),
            std::string::npos);
}

TEST(Megatron, MistakesNameTheFlag) {
  const std::string good = "--seq-length 2048 --micro-batch-size 1 ";
  const auto expect = [&](const std::string& flags, const std::string& named) {
    const std::string error = error_of([&] { import_megatron(good + flags, 64); });
    EXPECT_NE(error.find(named), std::string::npos) << flags << ": " << error;
  };
  expect("--hybrid-ratio 3", "--hybrid-ratio");
  expect("--tensor-model-parallel-size 3", "64 devices");
  expect("--tensor-model-parallel-size two", "two");
  expect("--tensor-model-parallel-size 0", "--tensor-model-parallel-size 0");
  expect("--tensor-model-parallel-size $TP", "$TP");
  expect("--tensor-model-parallel-size 2 4", "one value");
  expect("--recompute-granularity full --recompute-num-layers 2", "uniform with 1 layer, or block");
  expect("--pipeline-model-parallel-layout Ett||tL", "--pipeline-model-parallel-layout");
  expect("--num-layers 4", "--hidden-size");
  expect("--num-layers 4 --swiglu", "--normalization");
  expect("--num-layers 4 --hidden-size 64 --num-attention-heads 4 --disable-bias-linear",
         "--disable-bias-linear");
  expect("--cp-comm-type allgather", "allgather");
  expect("--data-path 'open", "quote");
  EXPECT_NE(error_of([] { import_megatron("--micro-batch-size 1", 8); }).find("--seq-length"),
            std::string::npos);
  EXPECT_NE(error_of([] { import_megatron("32 --num-layers", 8); }).find("'32'"),
            std::string::npos);
}

TEST(DeepSpeed, SaysBatchAndStage) {
  const Plan plan = plan_of("llama-2-7b", 64, "tp=1,pp=1,zero=3,micro_batch=2,recompute=full");
  const Json json = Json::parse(deepspeed_json(plan));
  EXPECT_EQ(json["zero_optimization"]["stage"], 3);
  EXPECT_EQ(json["train_batch_size"], 512);
  // DeepSpeed checks this product itself.
  EXPECT_EQ(json["train_micro_batch_size_per_gpu"].get<int>() *
                json["gradient_accumulation_steps"].get<int>() * 64,
            512);
  EXPECT_TRUE(json["bf16"]["enabled"]);
  EXPECT_TRUE(json.contains("activation_checkpointing"));
  const Json hybrid =
      Json::parse(deepspeed_json(plan_of("llama-2-7b", 64, "tp=1,pp=1,zero=3,zero_shard=8")));
  EXPECT_EQ(hybrid["zero_optimization"]["mics_shard_size"], 8);
}

TEST(DeepSpeed, NamesWhatItCannotSay) {
  const auto expect = [](const std::string& model, const std::string& fix,
                         const std::string& named) {
    const std::string error = error_of([&] { deepspeed_json(plan_of(model, 64, fix)); });
    EXPECT_NE(error.find(named), std::string::npos) << fix << ": " << error;
    EXPECT_NE(error.find("valid:"), std::string::npos) << error;
  };
  expect("llama-2-7b", "pp=2", "pp=2");
  expect("llama-2-7b", "pp=1,cp=2,tp=1", "cp_kind=ring");
  expect("llama-2-7b", "pp=1,tp=2,sequence_parallel=1", "sequence_parallel=1");
  expect("llama-2-7b", "pp=1,tp=1,zero=1,recompute=selective", "selective");
  expect("mixtral-8x7b", "pp=1,tp=1,ep=8,zero=1", "ep=8");
}

TEST(Torchtitan, SaysEveryDecision) {
  const std::string toml = torchtitan_toml(plan_of("llama-3.1-8b", 64,
                                                   "tp=2,pp=4,zero=2,micro_batch=1,schedule=1f1b,"
                                                   "layers=8+8+8+8,recompute=selective,"
                                                   "sequence_parallel=1,zero_shard=0"));
  for (const char* line :
       {"name = \"llama3\"", "flavor = \"8B\"", "data_parallel_shard_degree = 8",
        "data_parallel_replicate_degree = 1", "fsdp_reshard_after_forward = \"never\"",
        "tensor_parallel_degree = 2", "pipeline_parallel_degree = 4",
        "pipeline_parallel_schedule = \"1F1B\"", "pipeline_parallel_microbatch_size = 1",
        "pipeline_parallel_layers_per_stage = 8", "local_batch_size = 64",
        "global_batch_size = 512", "seq_len = 2048", "mode = \"selective\""}) {
    EXPECT_TRUE(has_line(toml, line)) << line << "\n" << toml;
  }
  EXPECT_TRUE(toml.starts_with("# torchtitan v0.2")) << toml;
  const std::string hybrid = torchtitan_toml(
      plan_of("llama-3.1-8b", 64, "tp=1,pp=1,zero=3,zero_shard=8,micro_batch=1,recompute=full"));
  EXPECT_TRUE(has_line(hybrid, "data_parallel_replicate_degree = 8")) << hybrid;
  EXPECT_TRUE(has_line(hybrid, "data_parallel_shard_degree = 8")) << hybrid;
  const std::string experts = torchtitan_toml(
      plan_of("qwen3-30b-a3b", 64, "tp=1,pp=1,ep=8,zero=3,micro_batch=1,recompute=full"));
  EXPECT_TRUE(has_line(experts, "expert_parallel_degree = 8")) << experts;
  EXPECT_TRUE(has_line(experts, "fsdp_reshard_after_forward = \"always\"")) << experts;
}

TEST(Torchtitan, NamesWhatItCannotSay) {
  const auto expect = [](const std::string& model, const std::string& fix,
                         const std::string& named) {
    const std::string error = error_of([&] { torchtitan_toml(plan_of(model, 64, fix)); });
    EXPECT_NE(error.find(named), std::string::npos) << fix << ": " << error;
    EXPECT_NE(error.find("valid:"), std::string::npos) << error;
  };
  expect("llama-3.1-8b", "zero=1", "zero=1");
  expect("llama-3.1-8b", "zero=0,tp=2", "zero=0");
  expect("llama-3.1-8b", "zero=2,tp=2,sequence_parallel=0", "sequence_parallel=0");
  expect("llama-3.1-8b", "zero=2,cp=2,cp_kind=ulysses", "cp_kind=ulysses");
  expect("llama-2-7b", "zero=3,tp=1,pp=1", "llama3 8B");
  expect("qwen3-8b", "zero=3,tp=1,pp=2,schedule=1f1b", "pp=2: qwen3 has no pipeline there");
  EXPECT_THROW(export_format_from_string("nemo", "--export"), ConfigError);
}

// What no --fix cures is named first and alone; what it does cure, all together.
TEST(Export, NamesFirstWhatNoFixCures) {
  const auto refusal = [](const Plan& plan, ExportFormat format) {
    return error_of([&] { export_plan(plan, format); });
  };
  const auto expect = [](const std::string& error, const char* named, const char* unnamed) {
    EXPECT_NE(error.find(named), std::string::npos) << error;
    EXPECT_EQ(error.find(unnamed), std::string::npos) << error;
  };
  const Plan experts = plan_of("mixtral-8x7b", 64, "zero=1,recompute=full");
  expect(refusal(experts, ExportFormat::torchtitan), "mixtral-8x7b is none of the flavors", "zero");
  const Plan whole_norm = plan_of("olmoe-1b-7b", 64, "pp=2,schedule=zb-h1");
  expect(refusal(whole_norm, ExportFormat::megatron), "olmoe", "schedule");
  Plan adapters = plan_of("llama-65b", 64, "pp=2,tp=4,sequence_parallel=1,zero=1,recompute=full");
  const std::string both = refusal(adapters, ExportFormat::deepspeed);
  expect(both, "valid: --fix pp=1; also: sequence_parallel=1", "task");
  adapters.task = Task::lora;
  for (const ExportFormat format : {ExportFormat::deepspeed, ExportFormat::megatron}) {
    expect(refusal(adapters, format), "task=lora", "--fix");
  }
  Plan part = plan_of("llama-2-7b", 64, "pp=1,tp=1,zero=1,recompute=full");
  std::fill(part.recompute.begin() + 20, part.recompute.end(), Recompute::none);
  expect(refusal(part, ExportFormat::deepspeed), "20 of 32 layers (full)", "recompute=full is");
  expect(refusal(part, ExportFormat::deepspeed), "--fix recompute=none or recompute=full", "also");
}

// Stages of a rank and orders of work that a format has for pipelines alone.
TEST(Export, DropsNoStagesOfASingleRank) {
  Plan plan = plan_of("llama-3.1-8b", 64, "tp=2,pp=1,zero=2,recompute=full,zero_shard=0");
  const auto expect_refused = [&plan](const char* named) {
    for (const ExportFormat format :
         {ExportFormat::megatron, ExportFormat::deepspeed, ExportFormat::torchtitan}) {
      const std::string error = error_of([&] { export_plan(plan, format); });
      EXPECT_NE(error.find(named), std::string::npos) << error;
      EXPECT_NE(error.find("valid: --fix schedule=1f1b"), std::string::npos) << error;
    }
  };
  plan.schedule = ScheduleKind::interleaved;
  plan.virtual_stages = 2;
  plan.layers_per_stage = {16, 16};
  expect_refused("schedule=interleaved virtual_stages=2 with pp=1");
  plan.schedule = ScheduleKind::gpipe;
  plan.virtual_stages = 1;
  plan.layers_per_stage = {32};
  expect_refused("schedule=gpipe with pp=1");
}

}  // namespace
}  // namespace argosy
