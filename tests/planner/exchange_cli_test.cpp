// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// --export, --import and --import-megatron from the command line.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/plan.h"
#include "tests/planner/plan_program.h"

namespace argosy {
namespace {

using Json = nlohmann::json;

const std::string kJob =
    "--model gpt3-175b --cluster a100-2048 --devices 512 --global-batch 512 "
    "--fix tp=8,pp=8,zero=1,schedule=1f1b ";

TEST(ExchangeCli, ExportsAloneOnStdoutAndImports) {
  const PlanOutput flags = run_plan(kJob + "--export megatron");
  ASSERT_EQ(flags.exit_code, 0) << flags.err;
  EXPECT_TRUE(flags.out.starts_with("--num-layers 96\n")) << flags.out;
  const std::string file = scratch_path("flags.sh");
  write_text_file(file, flags.out);
  const std::string cluster = " --cluster a100-2048 --devices 512 --json";
  const PlanOutput imported = run_plan("--import-megatron " + file + cluster);
  ASSERT_EQ(imported.exit_code, 0) << imported.err;
  const Json own = Json::parse(run_plan(kJob + "--json").out);
  const Json peer = Json::parse(imported.out);
  EXPECT_EQ(peer["plans"].size(), 1u);
  EXPECT_EQ(peer["plans"][0]["mesh"], own["plans"][0]["mesh"]);
  EXPECT_NEAR(peer["plans"][0]["predicted"]["step_s"].get<double>(),
              own["plans"][0]["predicted"]["step_s"].get<double>(), 1e-9);
  // Flags of parallelism alone, for a model that has a config.
  const PlanOutput text = run_plan(
      "--model llama-65b --import-megatron '--seq-length 2048 --micro-batch-size 1 "
      "--global-batch-size 512 --tensor-model-parallel-size 8 --sequence-parallel --bf16 "
      "--pipeline-model-parallel-size 4 --use-distributed-optimizer'" +
      cluster);
  ASSERT_EQ(text.exit_code, 0) << text.err;
  EXPECT_EQ(Json::parse(text.out)["plans"][0]["mesh"]["dp"], 16);
}

// A script as people keep it, under either option; what it leaves to the environment is said.
TEST(ExchangeCli, ImportsAScript) {
  const std::string file = scratch_path("train.sh");
  write_text_file(file, R"(#!/bin/bash
TP=${TP:-2}
SAVE=$1
MODEL_ARGS=(
    --num-layers 24 --hidden-size 2048   # the model's sizes
    --num-attention-heads 16
    --seq-length 2048 --max-position-embeddings 2048
    --vocab-file gpt2-vocab.json --merge-file gpt2-merges.txt
)
if [ -n "$WANDB" ]; then MODEL_ARGS+=(--wandb-project $WANDB); fi
torchrun --nproc_per_node 8 pretrain_gpt.py ${MODEL_ARGS[@]} \
    --tensor-model-parallel-size $TP --save $SAVE \
    --micro-batch-size 1 --global-batch-size 64 --bf16 --no-rope-fusion
)");
  for (const char* option : {"--import ", "--import-megatron "}) {
    const PlanOutput output =
        run_plan(concat(option, file, " --cluster a100-2048 --devices 8 --json"));
    ASSERT_EQ(output.exit_code, 0) << output.err;
    EXPECT_EQ(Json::parse(output.out)["plans"][0]["mesh"]["tp"], 2);
    for (const char* said : {"taken as empty: $WANDB", "50257 tokens, as GPT2BPETokenizer has",
                             "not modelled: --no-rope-fusion"}) {
      EXPECT_NE(output.err.find(said), std::string::npos) << said << "\n" << output.err;
    }
  }
}

// The length of the run goes along: 5e9 tokens are 2,441,406 sequences of 2,048.
TEST(ExchangeCli, ExportsTheLengthOfTheRun) {
  const PlanOutput flags = run_plan(kJob + "--seq-len 2048 --tokens 5B --export megatron");
  ASSERT_EQ(flags.exit_code, 0) << flags.err;
  EXPECT_NE(flags.out.find("\n--train-samples 2441406\n"), std::string::npos) << flags.out;
  const std::string file = scratch_path("length.sh");
  write_text_file(file, flags.out);
  const Json back = Json::parse(
      run_plan("--cluster a100-2048 --devices 512 --json --import " + file).out)["plans"][0];
  const Json own =
      Json::parse(run_plan(kJob + "--seq-len 2048 --tokens 5B --json").out)["plans"][0];
  const double days = own["predicted"]["days"];
  EXPECT_GT(days, 0);
  EXPECT_NEAR(back["predicted"]["days"].get<double>() / days, 1, 0.02);  // a vocabulary is padded
  EXPECT_EQ(run_plan(kJob + "--export megatron").out.find("--train-samples"), std::string::npos);
}

// A script's own number of devices is priced, and said; nobody is let to contradict it unseen.
TEST(ExchangeCli, ImportsTheScriptsDevices) {
  const std::string file = scratch_path("launch.sh");
  write_text_file(file,
                  "torchrun --nnodes 4 --nproc_per_node 8 pretrain_gpt.py --seq-length 2048 "
                  "--micro-batch-size 1 --global-batch-size 256 --bf16 "
                  "--use-distributed-optimizer --tensor-model-parallel-size 2\n");
  const std::string job = "--model llama-2-7b --cluster a100-2048 --json --import " + file;
  const PlanOutput output = run_plan(job);
  ASSERT_EQ(output.exit_code, 0) << output.err;
  EXPECT_EQ(Json::parse(output.out)["plans"][0]["mesh"]["dp"], 16);
  EXPECT_NE(output.err.find("32 devices, as --nnodes 4 x --nproc_per_node 8 says"),
            std::string::npos)
      << output.err;
  EXPECT_EQ(Json::parse(run_plan(job + " --devices 32").out)["plans"],
            Json::parse(output.out)["plans"]);
  const PlanOutput larger = run_plan(job + " --devices 64");
  EXPECT_EQ(Json::parse(larger.out)["plans"][0]["mesh"]["dp"], 32);
  EXPECT_NE(larger.err.find("launch.sh starts 32 ranks (--nnodes 4 x --nproc_per_node 8), priced "
                            "for --devices 64"),
            std::string::npos)
      << larger.err;
  const std::string cut = scratch_path("cut.sh");
  write_text_file(cut,
                  "torchrun --nproc_per_node 8 pretrain_gpt.py --seq-length 2048 "
                  "--micro-batch-size 1 --tensor-model-parallel-size 16\n");
  expect_plan_mistake("--model llama-2-7b --cluster a100-2048 --import " + cut,
                      "or other numbers of ranks in the script (--nproc_per_node 8)");
}

// The time of the default profile hides traffic of copies: so must who runs the plan. The flags
// come back as the same plan.
TEST(ExchangeCli, MegatronHidesWhatTheTimeHides) {
  const std::string gpus = "--cluster h100-8192 --devices 64 ";
  const std::string job = gpus + "--seq-len 4096 --global-batch 256 ";
  const std::string model = "--model llama-3.1-8b --fix tp=2,pp=1,sequence_parallel=1,zero=";
  const std::string sharded = run_plan(job + model + "1 --export megatron").out;
  EXPECT_NE(sharded.find("--overlap-grad-reduce\n"), std::string::npos) << sharded;
  EXPECT_NE(sharded.find("--overlap-param-gather\n"), std::string::npos) << sharded;
  const std::string alone =
      run_plan(job + "--model llama-3.1-8b --fix tp=8,pp=8,dp=1,cp=1 --export megatron").out;
  EXPECT_NE(alone.find("--tensor-model-parallel-size 8"), std::string::npos) << alone;
  EXPECT_EQ(alone.find("--overlap-grad-reduce"), std::string::npos) << alone;
  const std::string script = scratch_path("hides.sh");
  write_text_file(script, sharded);
  const PlanOutput again = run_plan(gpus + "--json --import " + script);
  ASSERT_EQ(again.exit_code, 0) << again.err;
  const PlanOutput first = run_plan(job + model + "1 --json");
  EXPECT_EQ(Json::parse(again.out)["plans"][0]["mesh"], Json::parse(first.out)["plans"][0]["mesh"]);
}

// A slip of the pen has the name that was meant; a degree those that divide.
TEST(ExchangeCli, ImportSaysWhatWouldBeValid) {
  const std::string job = "--model llama-3.1-8b --cluster h100-8 ";
  const std::string flags = "--import '--seq-length 4096 --micro-batch-size 1 ";
  expect_plan_mistake(job + flags + "--tp-com-overlap'",
                      "--tp-com-overlap: not known, meant --tp-comm-overlap?; valid: without");
  expect_plan_mistake(job + flags + "--pipeline-model-paralel-size 2'",
                      "meant --pipeline-model-parallel-size?");
  expect_plan_mistake(job + flags + "--tensor-model-parallel-size 3'",
                      "valid: --tensor-model-parallel-size 1, 2, 4, 8, or another --devices");
}

// Messages name the option, the file and what stands in it, never what nobody typed.
TEST(ExchangeCli, ImportSpeaksInTheSetupsWords) {
  const std::string cluster = "--cluster a100-2048 --devices 2048 --import ";
  const auto expect = [&](const std::string& arguments, const std::string& file,
                          std::initializer_list<const char*> named) {
    expect_plan_mistake(arguments, "argosy-plan: --import: " + file + ": ");
    const std::string error = run_plan(arguments).err;
    for (const char* word : named) EXPECT_NE(error.find(word), std::string::npos) << error;
    for (const char* word : {"--fix", "--import-megatron"}) {
      EXPECT_EQ(error.find(word), std::string::npos) << error;
    }
  };
  const std::string flags =
      "--num-layers 24 --hidden-size 1024 --num-attention-heads 16 --seq-length 1024 "
      "--max-position-embeddings 1024 --vocab-size 50257 --micro-batch-size 1 --bf16 ";
  const std::string script = scratch_path("words.sh");
  write_text_file(script, flags + "--global-batch-size 256");
  expect(cluster + script, script,
         {"dp*micro_batch=2048*1", "; valid --global-batch-size: multiples of 2048",
          "(micro_batch: --micro-batch-size)"});
  write_text_file(script, flags + "--tensor-model-parallel-size 32 --global-batch-size 256");
  expect(cluster + script, script, {"tp=32", "(tp: --tensor-model-parallel-size)"});
  write_text_file(script, flags + "--global-batch-size 2048 --no-such-flag");
  expect(cluster + script, script, {"--no-such-flag: not known"});
  write_text_file(script, flags + "--global-batch-size 2048 --tensor-model-parallel-size 3");
  expect(cluster + script, script, {"tp*pp*cp=3"});
  write_text_file(script, flags + "--global-batch-size 2048 --fp8-format hybrid");
  expect(cluster + script, script, {"precision: A100", "(precision: --bf16, --fp8-format)"});
  const std::string config = scratch_path("words.json");
  write_text_file(config, R"({"train_batch_size": 2048, "tensor_parallel": {"autotp_size": 64}})");
  expect(cluster + config + " --model llama-2-7b", config,
         {"tp=64", "tensor_parallel.autotp_size"});
  const std::string job = scratch_path("words.toml");
  write_text_file(job,
                  "[model]\nname = \"llama3\"\nflavor = \"8B\"\n[training]\n"
                  "local_batch_size = 1\n[parallelism]\ntensor_parallel_degree = 64\n");
  expect(cluster + job, job, {"tp=64", "tensor_parallel_degree"});
  const PlanOutput warned =
      run_plan("--cluster a100-2048 --devices 8 --import '" + flags + "--no-rope-fusion'");
  EXPECT_NE(warned.err.find("warning: --import: not modelled: --no-rope-fusion"), std::string::npos)
      << warned.err;
  const std::string named =
      run_plan("--cluster a100-2048 --devices 8 --import-megatron '--micro-batch-size 1'").err;
  EXPECT_NE(named.find("--import-megatron: --seq-length is missing"), std::string::npos) << named;
}

// Of any format: what is exported is imported at the same price.
TEST(ExchangeCli, ImportsWhatItExports) {
  const struct {
    const char *format, *file, *model, *fix, *rest;
  } kCases[] = {
      {"deepspeed", "ds_config.json", "llama-2-7b", "tp=1,pp=1,zero=3,recompute=full,zero_shard=8",
       "--model llama-2-7b --seq-len 4096"},
      {"torchtitan", "train.toml", "llama-3.1-8b",
       "tp=2,sequence_parallel=1,pp=4,zero=2,micro_batch=1,schedule=interleaved,layers=4+4+4+4+4+4+"
       "4+4,recompute=full,"
       "order=tp-cp-dp-pp,zero_shard=0",
       ""},
      {"megatron", "flags.sh", "llama-2-7b", "tp=2,pp=1,zero=1,recompute=full", ""}};
  const std::string where = " --cluster a100-2048 --devices 64 ";
  for (const auto& c : kCases) {
    const std::string job = "--seq-len 4096 --global-batch 256 --model " + std::string(c.model) +
                            where + "--fix " + c.fix;
    const PlanOutput exported = run_plan(job + " --export " + c.format);
    ASSERT_EQ(exported.exit_code, 0) << exported.err;
    const std::string file = scratch_path(c.file);
    write_text_file(file, exported.out);
    const PlanOutput imported = run_plan("--import " + file + where + c.rest + " --json");
    ASSERT_EQ(imported.exit_code, 0) << imported.err;
    const Json own = Json::parse(run_plan(job + " --json").out)["plans"][0];
    const Json peer = Json::parse(imported.out)["plans"][0];
    EXPECT_EQ(peer["mesh"], own["mesh"]) << c.format;
    EXPECT_NEAR(peer["predicted"]["step_s"].get<double>(), own["predicted"]["step_s"].get<double>(),
                1e-9);
    EXPECT_EQ(peer["predicted"]["memory_bytes"], own["predicted"]["memory_bytes"]) << c.format;
  }
}

// Model, batch, precision and devices of a script with the layout searched anew: the answer of the
// same job without a script, which goes into files as any other.
TEST(ExchangeCli, ImportsAJobWithItsLayoutFree) {
  const std::string script = scratch_path("free.sh"), plan = scratch_path("free.json");
  write_text_file(script,
                  "torchrun --nproc_per_node 8 --nnodes 8 pretrain_gpt.py --seq-length 4096 "
                  "--micro-batch-size 1 --global-batch-size 256 --bf16 "
                  "--tensor-model-parallel-size 8 --sequence-parallel "
                  "--pipeline-model-parallel-size 4 --use-distributed-optimizer\n");
  const std::string job = "--model llama-2-7b --cluster a100-2048 --top 1 --json ";
  const auto first = [](const PlanOutput& output) {
    EXPECT_EQ(output.exit_code, 0) << output.err;
    return Json::parse(output.out)["plans"][0];
  };
  const std::string import = job + "--import " + script;
  const Json free = first(run_plan(import + " --free layout --out " + plan));
  const std::string own = job + "--devices 64 --seq-len 4096 --global-batch 256 ";
  EXPECT_EQ(free, first(run_plan(own)));
  EXPECT_LT(free["predicted"]["step_s"], first(run_plan(import))["predicted"]["step_s"]);
  EXPECT_EQ(Json::parse(read_text_file(plan))["predicted"]["step_s"], free["predicted"]["step_s"]);
  EXPECT_EQ(first(run_plan(import + " --free layout --fix tp=2,pp=2")),
            first(run_plan(own + "--fix tp=2,pp=2")));
  const std::string flags =
      "--model llama-2-7b --cluster a100-2048 --export megatron --import " + script;
  EXPECT_NE(run_plan(flags + " --free layout").out, run_plan(flags).out);
  expect_plan_mistake(import + " --fix tp=2", "--free layout");
  expect_plan_mistake(import + " --free batch", "--free: 'batch'; valid: layout");
  expect_plan_mistake(job + "--free layout", "--free: layout; valid: with --import");
}

// The capacity of experts says which tokens are trained on: no layout.
TEST(ExchangeCli, AFreeLayoutKeepsTheCapacityOfExperts) {
  const std::string where = " --cluster h100-8192 --devices 64 ", script = scratch_path("moe.sh");
  write_text_file(script, run_plan("--model mixtral-8x7b --seq-len 4096 --global-batch 256 --fix "
                                   "moe_capacity_factor=1.25,tp=2 --export megatron" +
                                   where)
                              .out);
  const std::string import = "--top 1 --json --free layout --import " + script + where;
  const Json kept = Json::parse(run_plan(import).out)["plans"][0];
  EXPECT_EQ(kept["moe_capacity_factor"], 1.25);
  EXPECT_EQ(kept["mesh"]["tp"], 1);
  const Json own = Json::parse(run_plan(import + "--fix moe_capacity_factor=2").out)["plans"][0];
  EXPECT_EQ(own["moe_capacity_factor"], 2);
}

TEST(ExchangeCli, ImportMistakesAreOneMessage) {
  const std::string cluster = "--cluster a100-2048 --devices 64 ";
  const std::string ds = scratch_path("ds.json"), toml = scratch_path("job.toml"),
                    yaml = scratch_path("job.yaml");
  write_text_file(ds, R"({"train_batch_size": 512, "zero_optimization": {"stage": 9}})");
  write_text_file(toml, "[training]\nseq_len = 8k\n");
  write_text_file(yaml, "model: llama\n");
  expect_plan_mistake(cluster + "--model llama-2-7b --import " + ds,
                      "--import: " + ds + ": zero_optimization.stage");
  expect_plan_mistake(cluster + "--import " + toml, "--import: " + toml + ":2: '8k'");
  expect_plan_mistake(cluster + "--import " + yaml, "is no setup that can be read");
  expect_plan_mistake(cluster + "--import /nowhere/ds.json", "/nowhere/ds.json");
  write_text_file(ds, R"({"train_batch_size": 512, "zero_optimization": {"stage": 2}})");
  expect_plan_mistake(cluster + "--import " + ds, "--model is missing");
  const std::string huge = scratch_path("huge.json");
  write_text_file(huge, R"({"train_micro_batch_size_per_gpu": 1,
                            "gradient_accumulation_steps": 1000000000})");
  expect_plan_mistake(cluster + "--model llama-2-7b --import " + huge,
                      "a global batch of 64000000000 sequences; valid: at most 1000000");
  expect_plan_mistake(cluster + "--model llama-2-7b --global-batch 64 --import " + ds,
                      "--import: with --global-batch");
  expect_plan_mistake(cluster + "--model llama-2-7b --fix tp=1 --import " + ds, "with --fix");
  expect_plan_mistake(cluster + "--import " + ds + " --import-megatron x",
                      "with --import-megatron");
  expect_plan_mistake(
      cluster + "--seq-len 64 --import '--model.flavor=8B --training.local_batch_size=1'",
      "with --seq-len");
}

// (2048 - 64) / 64 = 31 increments, then the batch itself until the samples are used up.
TEST(ExchangeCli, ARampOfTheBatchIsARunInPhases) {
  const std::string job =
      "--model llama-2-7b --cluster a100-2048 --devices 64 --import-megatron '--seq-length 4096 "
      "--micro-batch-size 1 --bf16 --tensor-model-parallel-size 4 --sequence-parallel "
      "--use-distributed-optimizer --global-batch-size 2048 --rampup-batch-size 64 64 3100000 ";
  const PlanOutput output = run_plan(job + "--train-samples 10000000' --json");
  ASSERT_EQ(output.exit_code, 0) << output.err;
  const Json phases = Json::parse(output.out)["phases"];
  ASSERT_EQ(phases.size(), 32u);
  double tokens = 0, longest_s = 0;
  for (const Json& phase : phases) {
    tokens += phase["tokens"].get<double>();
    const double step_s = phase["plan"]["predicted"]["step_s"];
    EXPECT_GT(step_s, longest_s);  // a larger batch
    longest_s = step_s;
  }
  EXPECT_EQ(tokens, 1e7 * 4096);
  EXPECT_EQ(phases[0]["global_batch"], 64);
  EXPECT_EQ(phases[0]["tokens"], 1e5 * 4096);
  EXPECT_EQ(phases[31]["global_batch"], 2048);
  const std::string text = run_plan(job + "--train-samples 10000000'").out;
  EXPECT_NE(text.find("\n...\n"), std::string::npos) << text;
  const Json open = Json::parse(run_plan(job + "' --tokens 20B --json").out)["phases"];
  EXPECT_EQ(open.size(), 32u);
  EXPECT_NEAR(open[31]["tokens"].get<double>(), 20e9 - 3.1e6 * 4096, 1);
  EXPECT_EQ(Json::parse(run_plan(job + "' --json").out)["phases"].size(), 31u);
  expect_plan_mistake(job + "' --tokens 1B", "--tokens: ");
  expect_plan_mistake(job + "' --phases 4k:1B", "--phases: --import-megatron");
}

// The best plan of all shards the optimizer alone or has an uneven pipeline; each format gets the
// best that it can say, and standard error what was in the way and what it costs.
TEST(ExchangeCli, ExportsTheBestThatCanBeSaid) {
  const std::string job = "--model llama-3.1-8b --cluster h100-8192 --devices 64 ";
  const double best_s = Json::parse(
      run_plan(job + "--json --top 1 --fix zero=1").out)["plans"][0]["predicted"]["step_s"];
  for (const char* format : {"torchtitan", "deepspeed"}) {
    const std::string out = scratch_path("exported.json");
    const PlanOutput output =
        run_plan(job + "--fix " + (format == std::string("torchtitan") ? "micro_batch=1" : "tp=1") +
                 " --export " + format + " --out " + out);
    ASSERT_EQ(output.exit_code, 0) << output.err;
    EXPECT_FALSE(output.out.empty());
    EXPECT_LT(read_plan(out).predicted.step_s, 1.3 * best_s) << format;
  }
  const PlanOutput zero =
      run_plan("--model gpt3-175b --cluster a100-2048 --devices 512 --export megatron --out " +
               scratch_path("megatron.json"));
  ASSERT_EQ(zero.exit_code, 0) << zero.err;
  EXPECT_TRUE(zero.out.starts_with("--num-layers 96\n")) << zero.out;
  EXPECT_LE(read_plan(scratch_path("megatron.json")).zero_stage, 1);
}

// What a script saves in memory and is not modelled is named where nothing fits, else only as not
// modelled.
TEST(ExchangeCli, NamesUnmodelledSavingsWhereNothingFits) {
  const std::string flags =
      "--import '--seq-length 8192 --micro-batch-size 1 --bf16 --overlap-grad-reduce "
      "--grad-reduce-in-bf16 --fp8-format hybrid --fp8-param-gather' --cluster h100-8192 --model ";
  const char* const named =
      "Not modelled, though they need less memory: --fp8-param-gather (weights of 1 byte), "
      "--grad-reduce-in-bf16 (gradients of 2 bytes)";
  const PlanOutput none = run_plan(flags + "llama-3.1-70b --devices 8");
  EXPECT_EQ(none.exit_code, 3) << none.err;
  std::string text = none.out;  // as one line
  for (size_t at = text.find("\n    "); at != std::string::npos; at = text.find("\n    ")) {
    text.replace(at, 5, " ");
  }
  EXPECT_NE(text.find(named), std::string::npos) << text;
  EXPECT_EQ(text.find("--overlap-grad-reduce"), std::string::npos) << text;
  const PlanOutput json = run_plan(flags + "llama-3.1-70b --devices 8 --json");
  EXPECT_NE(json.err.find(named), std::string::npos) << json.err;
  const PlanOutput some = run_plan(flags + "llama-1b --devices 8");
  EXPECT_EQ(some.exit_code, 0) << some.err;
  EXPECT_EQ((some.out + some.err).find("less memory"), std::string::npos) << some.out;
}

// torchtitan's Qwen3 has no pipeline: the best plan without one is taken, and goes back.
TEST(ExchangeCli, ExportsQwenToTorchtitan) {
  const std::string where = " --cluster h100-8192 --devices 64 ";
  const PlanOutput output = run_plan("--model qwen3-8b --export torchtitan" + where +
                                     "--global-batch 256 --seq-len 4096");
  ASSERT_EQ(output.exit_code, 0) << output.err;
  EXPECT_TRUE(output.out.starts_with("# torchtitan v0.2")) << output.out;
  EXPECT_NE(output.out.find("pipeline_parallel_degree = 1\n"), std::string::npos) << output.out;
  const std::string file = scratch_path("qwen.toml");
  write_text_file(file, output.out);
  EXPECT_EQ(run_plan("--import " + file + where).exit_code, 0);
}

TEST(ExchangeCli, MistakesAreOneMessage) {
  expect_plan_mistake(kJob + "--export nemo", "nemo");
  // A shell's variable that is not set.
  for (const char* option : {"--import", "--import-megatron", "--export"}) {
    expect_plan_mistake(concat("--model llama-2-7b --cluster a100-2048 --devices 64 ", option,
                               " \"$NOT_SET_ANYWHERE\""),
                        concat(option, ": ''; valid: "));
  }
  expect_plan_mistake(kJob + "--export deepspeed", "pp=8");
  expect_plan_mistake("--cluster a100-2048 --import-megatron '--micro-batch-size 1'",
                      "--seq-length");
  expect_plan_mistake("--cluster a100-2048 --import-megatron /nowhere/flags.txt", "flags.txt");
  expect_plan_mistake(kJob + "--import-megatron '--seq-length 2048 --micro-batch-size 1'", "--fix");
}

}  // namespace
}  // namespace argosy
