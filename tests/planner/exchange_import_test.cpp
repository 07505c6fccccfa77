// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Setups for DeepSpeed and torchtitan: there and back again, files as users have them, and the
// message of each mistake.
#include <gtest/gtest.h>

#include "planner/exchange/export.h"
#include "planner/exchange/import.h"
#include "planner/exchange/torchtitan_flavors.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "tests/planner/exchange_jobs.h"

namespace argosy {
namespace {

struct Case {
  const char *model, *fix;
  int64_t devices;
};

// Devices that hold what is not sharded too.
void enlarge(Job& job) {
  job.cluster.accelerator.memory_bytes *= 4;
}

// The plan, and the plan of its export.
void expect_back(const Case& c, const Plan& plan, const PeerRun& run) {
  Job job = job_of(c.model, c.devices);
  enlarge(job);
  expect_same(plan_of_peer(job, run), plan, run.fix);
}

std::string all_of(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

void expect_in(const std::string& part, const std::string& text) {
  EXPECT_NE(text.find(part), std::string::npos) << part << "\nis not in\n" << text;
}

// What the user would read.
void expect_error(const std::string& named, const std::function<void()>& call) {
  const std::string error = error_of(call);
  EXPECT_FALSE(error.empty()) << "no error, but should name " << named;
  expect_in(named, error);
}

TEST(DeepSpeedImport, ThereAndBackAgain) {
  const Case kCases[] = {
      {"llama-2-7b", "tp=1,pp=1,zero=0,recompute=full,micro_batch=1", 64},
      {"llama-2-7b", "tp=1,pp=1,zero=1,zero_shard=0,recompute=none,micro_batch=1", 64},
      {"llama-2-7b", "tp=1,pp=1,zero=2,zero_shard=0,recompute=full,micro_batch=2", 64},
      {"llama-2-7b", "tp=1,pp=1,zero=3,recompute=full,zero_shard=0", 64},
      {"llama-2-7b", "tp=1,pp=1,zero=3,recompute=full,zero_shard=8", 64},
      {"llama-2-7b",
       "tp=2,pp=1,zero=2,zero_shard=0,recompute=none,sequence_parallel=0,micro_batch=1", 64},
      {"llama-2-7b",
       "tp=1,pp=1,cp=4,cp_kind=ulysses,zero=1,zero_shard=0,recompute=none,micro_batch=1", 64},
      {"llama-2-7b", "tp=1,pp=1,zero=2,zero_shard=0,recompute=full,offload=optimizer", 64},
      {"llama-2-7b",
       "tp=2,pp=1,zero=3,zero_shard=0,recompute=full,sequence_parallel=0,micro_batch=1", 64},
      {"mixtral-8x7b", "tp=1,pp=1,ep=1,etp=1,zero=3,zero_shard=0,recompute=full,micro_batch=1",
       64}};
  for (const Case& c : kCases) {
    const Plan plan = plan_of(c.model, c.devices, c.fix, enlarge);
    const PeerRun run = import_deepspeed(deepspeed_json(plan), "ds_config.json", c.devices);
    expect_back(c, plan, run);
    const bool recomputes = plan.recompute.front() == Recompute::full;
    EXPECT_EQ(run.warnings.size(), recomputes ? 0u : 1u) << all_of(run.warnings);
  }
}

TEST(DeepSpeedImport, OptimizerAndPrecisionComeBack) {
  const Plan plan = plan_of("gpt2-1.5b", 8, "tp=1,pp=1,zero=1,recompute=full", [](Job& job) {
    job.seq_len = 1024;
    job.optimizer = OptimizerKind::sgd;
    job.precision = Precision::fp32;
  });
  const PeerRun run = import_deepspeed(deepspeed_json(plan), "ds_config.json", 8);
  Job job = job_of("gpt2-1.5b", 8);
  job.seq_len = 1024;  // the file does not say it
  expect_same(plan_of_peer(job, run), plan, run.fix);
  EXPECT_EQ(run.optimizer, "sgd");
  EXPECT_EQ(run.precision, "fp32");
}

// A file as users of Hugging Face's Trainer have it, who leave values to its arguments.
TEST(DeepSpeedImport, ReadsAFileOfTheTrainer) {
  const PeerRun run = import_deepspeed(R"({
    "fp16": {"enabled": "auto", "loss_scale": 0, "initial_scale_power": 16, "min_loss_scale": 1},
    "bf16": {"enabled": "auto"},
    "optimizer": {"type": "AdamW", "params": {"lr": "auto", "weight_decay": "auto"}},
    "scheduler": {"type": "WarmupLR", "params": {"warmup_num_steps": "auto"}},
    "zero_optimization": {
      "stage": 3,
      "offload_optimizer": {"device": "none", "pin_memory": true},
      "offload_param": {"device": "none", "pin_memory": true},
      "overlap_comm": true, "contiguous_gradients": true, "sub_group_size": 1e9,
      "reduce_bucket_size": "auto", "stage3_max_live_parameters": 1e9,
      "stage3_gather_16bit_weights_on_model_save": true
    },
    "gradient_accumulation_steps": "auto", "gradient_clipping": "auto", "steps_per_print": 2000,
    "train_batch_size": "auto", "train_micro_batch_size_per_gpu": "auto",
    "wall_clock_breakdown": false
  })",
                                       "ds.json", 64);
  EXPECT_EQ(run.fix,
            "tp=1,pp=1,cp=1,dp=64,sequence_parallel=0,ep=1,etp=1,zero=3,zero_shard=0,offload=none,"
            "recompute=none");
  EXPECT_EQ(run.precision, "bf16");
  EXPECT_EQ(run.global_batch, 0);
  const std::string warnings = all_of(run.warnings);
  expect_in(
      "sub_group_size, zero_optimization.reduce_bucket_size, "
      "zero_optimization.stage3_max_live_parameters",
      warnings);
  expect_in("train_batch_size: auto leaves it to --global-batch", warnings);
  expect_in("train_micro_batch_size_per_gpu: auto leaves it to the search", warnings);
  expect_in("activation_checkpointing", warnings);
  EXPECT_EQ(warnings.find("stage3_gather"), std::string::npos) << warnings;
  EXPECT_EQ(warnings.find("scheduler"), std::string::npos) << warnings;
}

TEST(DeepSpeedImport, CompletesTheBatchAsDeepSpeedDoes) {
  const auto batch = [](const std::string& keys) {
    const PeerRun run = import_deepspeed("{" + keys + "}", "ds.json", 8);
    const std::string fix = run.fix;
    const size_t micro = fix.find("micro_batch=");
    return std::to_string(run.global_batch) + " " + fix.substr(micro, fix.find(',', micro) - micro);
  };
  const std::string all = "\"train_batch_size\": 64, ";
  EXPECT_EQ(batch("\"train_batch_size\": 64"), "64 micro_batch=8");
  EXPECT_EQ(batch(all + "\"gradient_accumulation_steps\": 4"), "64 micro_batch=2");
  EXPECT_EQ(batch(all + "\"train_micro_batch_size_per_gpu\": 4"), "64 micro_batch=4");
  EXPECT_EQ(batch("\"train_micro_batch_size_per_gpu\": 4"), "32 micro_batch=4");
  EXPECT_EQ(batch("\"train_micro_batch_size_per_gpu\": 4, \"gradient_accumulation_steps\": 3"),
            "96 micro_batch=4");
  EXPECT_EQ(batch(all + "\"tensor_parallel\": {\"autotp_size\": 4}"), "64 micro_batch=32");
}

// Of what the Trainer fills in, only what nothing else says is open.
TEST(DeepSpeedImport, AutoIsWhatTheOthersSay) {
  const PeerRun run = import_deepspeed(
      R"({"train_batch_size": "auto", "train_micro_batch_size_per_gpu": 2,
          "gradient_accumulation_steps": 4, "activation_checkpointing": {},
          "optimizer": {"type": "Adam"}})",
      "ds.json", 8);
  EXPECT_EQ(run.global_batch, 64);
  EXPECT_TRUE(run.warnings.empty()) << all_of(run.warnings);
  const PeerRun open = import_deepspeed(
      R"({"train_batch_size": 64, "train_micro_batch_size_per_gpu": "auto",
          "gradient_accumulation_steps": "auto", "activation_checkpointing": {},
          "optimizer": {"type": "Adam"}})",
      "ds.json", 8);
  EXPECT_EQ(open.global_batch, 64);
  EXPECT_EQ(open.fix.find("micro_batch"), std::string::npos);
  EXPECT_EQ(open.warnings.size(), 1u) << all_of(open.warnings);
}

// A launch script names the file, and Hugging Face's arguments what the file leaves to them.
TEST(DeepSpeedImport, FollowsALaunchScript) {
  const std::string file = testing::TempDir() + "argosy_deepspeed_launch_test.json";
  write_text_file(file, R"({
    "train_batch_size": "auto", "train_micro_batch_size_per_gpu": "auto",
    "gradient_accumulation_steps": "auto", "bf16": {"enabled": "auto"},
    "fp16": {"enabled": "auto"}, "zero_optimization": {"stage": 3}, "optimizer": {"type": "Adam"}
  })");
  const std::string start = "deepspeed --num_gpus 8 src/train.py --deepspeed " + file;
  const std::string text = start +
                           " --per_device_train_batch_size 2 --gradient_accumulation_steps=4 "
                           "--bf16 True --cutoff_len 4096 --gradient_checkpointing true";
  EXPECT_EQ(peer_format(text, "run.sh"), PeerFormat::deepspeed);
  const PeerRun run = import_deepspeed(text, "run.sh", 8);
  EXPECT_EQ(run.global_batch, 64);
  EXPECT_EQ(run.seq_len, 4096);
  EXPECT_EQ(run.precision, "bf16");
  expect_in("recompute=full", run.fix);
  expect_in("micro_batch=2", run.fix);
  EXPECT_TRUE(run.warnings.empty()) << all_of(run.warnings);
  // What is left out has the Trainer's default, or stays open.
  const PeerRun short_run =
      import_deepspeed(start + " --per-device-train-batch-size 2 --fp16", "run.sh", 8);
  EXPECT_EQ(short_run.global_batch, 16);
  expect_in("run.sh: " + file + ": fp16 is priced as bf16", all_of(short_run.warnings));
  const std::string own = "C=" + file + "\ndeepspeed train.py --deepspeed --deepspeed_config $C";
  EXPECT_EQ(peer_format(own, "run.sh"), PeerFormat::deepspeed);
  EXPECT_EQ(import_deepspeed(own, "run.sh", 8).global_batch, 0);
  expect_error("--gradient_accumulation_steps many; valid: a whole number", [&] {
    import_deepspeed(start + " --gradient_accumulation_steps many", "run.sh", 8);
  });
  std::remove(file.c_str());
  expect_error("argosy_deepspeed_launch_test.json", [&] { import_deepspeed(text, "run.sh", 8); });
  expect_error("run.sh: --deepspeed names no file; valid: ",
               [] { import_deepspeed("deepspeed train.py --deepspeed --x 1", "run.sh", 8); });
  expect_error("run.sh: starts a program with Hugging Face's arguments", [] {
    peer_format("torchrun train.py --model_name_or_path a --per_device_train_batch_size 2",
                "run.sh");
  });
  EXPECT_EQ(peer_format("deepspeed pretrain_gpt.py --deepspeed --num-layers 8", "run.sh"),
            PeerFormat::megatron);
}

TEST(DeepSpeedImport, KnowsWhatNeedsLessMemory) {
  const PeerRun run = import_deepspeed(
      R"({"train_batch_size": 8, "bf16": {"enabled": true},
          "data_types": {"grad_accum_dtype": "bf16"}})",
      "ds.json", 8);
  EXPECT_EQ(run.unmodelled_savings, "data_types.grad_accum_dtype (gradients of 2 bytes)");
  const PeerRun titan = import_torchtitan(
      "[model]\nflavor = \"8B\"\n[training]\ndtype = \"bfloat16\"\n", "x.toml", 8, nullptr);
  EXPECT_EQ(titan.unmodelled_savings, "training.dtype (master weights of 2 bytes)");
}

TEST(DeepSpeedImport, MistakesAreNamed) {
  const auto expect = [](const std::string& keys, const std::string& named) {
    expect_error(named, [&] {
      import_deepspeed("{\"train_micro_batch_size_per_gpu\": 2, " + keys + "}", "ds.json", 64);
    });
  };
  expect(R"("train_batch_size": 512, "gradient_accumulation_steps": 2)",
         "ds.json: train_batch_size 512 is not train_micro_batch_size_per_gpu 2 * "
         "gradient_accumulation_steps 2 * 64 data parallel ranks = 256");
  expect(R"("train_batch_size": 500)", "train_batch_size 500");
  expect(R"("train_batch_size": 64)", "train_batch_size 64");  // less than a micro-batch each
  expect(R"("tensor_parallel": {"autotp_size": 3})", "autotp_size 3");
  expect(R"("tensor_parallel": {"autotp_size": 8}, "sequence_parallel_size": 16)",
         "does not divide the 64 devices");
  expect(R"("pipeline": {"stages": 4000000000000}, "sequence_parallel_size": 4000000000000)",
         "= 9223372036854775807 does not divide");
  expect(R"("sequence_parallel_size": 0)", "sequence_parallel_size");
  expect(R"("zero_optimization": {"stage": 4})", "zero_optimization.stage: expected 0, 1, 2, 3");
  expect(R"("zero_optimization": {"stage": 3, "zero_hpz_partition_size": 8})",
         "zero_hpz_partition_size");
  expect(R"("zero_optimization": {"stage": 3, "mics_shard_size": 7})", "mics_shard_size");
  expect(R"("zero_optimization": {"stage": 2, "mics_shard_size": 8})", "expected stage 3");
  expect(R"("zero_optimization": {"stage": 3, "offload_param": {"device": "cpu"}})",
         "offload_param");
  expect(R"("zero_optimization": {"stage": 3, "offload_optimizer": {"device": "nvme"}})",
         "offload_optimizer: expected device");
  expect(R"("zero_optimization": {"offload_optimizer": {"device": "cpu"}})", "stage 1 to 3");
  expect(R"("zero_optimization": {"stage": 2, "offload_optimizer": {"device":"cpu","ratio":0.3}})",
         "offload_optimizer.ratio");
  expect(R"("zero_optimization": {"stage": 2}, "pipeline": {"stages": 4})",
         "DeepSpeed refuses it with pipeline.stages 4");
  expect(R"("optimizer": {"type": "OneBitAdam"})", "optimizer.type: cannot be priced");
  expect(R"("bf16": {"enabled": true}, "fp16": {"enabled": true})", "bf16.enabled with fp16");
  expect(R"("gradient_accumulation_steps": "many")", "gradient_accumulation_steps");
  expect(R"("gradient_accumulation_steps": 0)", "gradient_accumulation_steps");
  expect(R"("zero_optimization": 2)", "zero_optimization: expected an object");
  expect_error("line 1", [] { import_deepspeed("{,}", "ds.json", 8); });
  expect_error("is no ds_config.json",
               [] { import_deepspeed("{\"model_type\": \"llama\"}", "ds.json", 8); });
  expect_error("neither train_batch_size nor",
               [] { import_deepspeed("{\"zero_optimization\": {\"stage\": 1}}", "ds.json", 8); });
}

TEST(DeepSpeedImport, WarnsOfWhatCostsAndIsNotModelled) {
  const std::string warnings = all_of(import_deepspeed(R"({
    "train_batch_size": 64, "fp16": {"enabled": true}, "data_types": {"grad_accum_dtype": "bf16"},
    "zero_optimization": {"stage": 2, "overlap_comm": false, "zero_quantized_gradients": true,
                          "zero_quantized_weights": false},
    "activation_checkpointing": {"partition_activations": true, "cpu_checkpointing": true,
                                 "number_checkpoints": 4},
    "communication_data_type": "fp16", "compression_training": {"enabled": false},
    "sparse_attention": {"mode": "fixed"}, "a.b": 1, "optimizer": null, "amp": null, "pipeline": {"stages": "auto"}
  })",
                                                       "ds.json", 8)
                                          .warnings);
  for (const char* named :
       {"fp16 is priced as bf16", "grad_accum_dtype: bf16", "zero_optimization.overlap_comm",
        "zero_optimization.zero_quantized_gradients", "partition_activations", "cpu_checkpointing",
        "communication_data_type", "a.b", "sparse_attention", "optimizer: is the code's",
        "pipeline.stages"}) {
    expect_in(named, warnings);
  }
  for (const char* silent :
       {"zero_quantized_weights", "compression_training", "number_check", "amp"}) {
    EXPECT_EQ(warnings.find(silent), std::string::npos) << silent << "\n" << warnings;
  }
}

TEST(DeepSpeedImport, HalfPrecisionOfTheTrainer) {
  const auto precision = [](const std::string& keys) {
    return import_deepspeed("{\"train_batch_size\": 8, " + keys + "}", "ds.json", 8).precision;
  };
  EXPECT_EQ(precision(R"("fp16": {"enabled": "auto"})"), "bf16");
  EXPECT_EQ(precision(R"("bf16": {"enabled": "auto"}, "fp16": {"enabled": "auto"})"), "bf16");
  EXPECT_EQ(precision(R"("bf16": {"enabled": false}, "fp16": {"enabled": false})"), "fp32");
}

TEST(DeepSpeedImport, ReadsPipelineExpertsAndOldOffload) {
  const PeerRun run = import_deepspeed(R"({
    "train_batch_size": 64, "train_micro_batch_size_per_gpu": 1, "pipeline": {"stages": 4},
    "zero_optimization": {"stage": 1, "cpu_offload": true},
    "expert_parallel": {"enabled": true, "autoep_size": 2}, "activation_checkpointing": {}
  })",
                                       "ds.json", 16);
  EXPECT_EQ(run.fix,
            "tp=1,pp=4,cp=1,dp=4,sequence_parallel=0,schedule=1f1b,order=tp-cp-dp-pp,ep=2,etp=1,"
            "zero=1,zero_shard=0,offload=optimizer,micro_batch=1,recompute=full");
  EXPECT_EQ(run.precision, "fp32");
}

TEST(TorchtitanImport, ThereAndBackAgain) {
  const Case kCases[] = {
      {"llama-3.1-8b", "tp=1,pp=1,zero=0,recompute=full,micro_batch=1", 64},
      {"llama-3.1-8b", "tp=1,pp=1,zero=2,zero_shard=0,recompute=none,micro_batch=1", 64},
      {"llama-3.1-8b",
       "tp=2,sequence_parallel=1,pp=1,zero=3,zero_shard=0,recompute=selective,micro_batch=2", 64},
      {"llama-3.1-8b", "tp=1,pp=1,zero=3,zero_shard=8,recompute=full", 64},
      {"llama-3.1-8b",
       "tp=2,sequence_parallel=1,pp=1,cp=2,cp_kind=ring,zero=2,zero_shard=0,recompute=full", 64},
      {"llama-3.1-8b",
       "tp=2,sequence_parallel=1,pp=4,zero=2,zero_shard=0,micro_batch=1,schedule=1f1b,layers=8+8+8+"
       "8,order=tp-cp-dp-pp,"
       "recompute=full",
       64},
      {"llama-3.1-8b",
       "tp=2,sequence_parallel=1,pp=4,zero=3,zero_shard=0,micro_batch=1,schedule=gpipe,layers=8+8+"
       "8+8,order=tp-cp-dp-pp,"
       "recompute=full",
       64},
      {"llama-3.1-8b",
       "tp=1,pp=4,zero=2,zero_shard=0,micro_batch=1,schedule=interleaved,virtual_stages=4,"
       "layers=2+2+2+2+2+2+2+2+2+2+2+2+2+2+2+2,recompute=full,order=tp-cp-dp-pp",
       64},
      {"llama-3.1-8b",
       "tp=2,sequence_parallel=1,pp=2,zero=0,micro_batch=1,schedule=zb-v,layers=8+8+8+8,order=tp-"
       "cp-dp-pp,recompute=none",
       4},
      {"llama-3.1-70b",
       "tp=8,sequence_parallel=1,pp=1,zero=3,zero_shard=0,recompute=full,micro_batch=1", 256},
      {"qwen3-30b-a3b", "tp=1,pp=1,ep=8,zero=3,zero_shard=0,micro_batch=1,recompute=full", 64},
      {"qwen3-30b-a3b",
       "tp=2,sequence_parallel=1,pp=1,ep=8,etp=2,zero=3,zero_shard=0,micro_"
       "batch=1,recompute=full",
       64},
      {"qwen3-30b-a3b",
       "tp=2,sequence_parallel=1,pp=1,ep=1,etp=2,zero=3,zero_shard=0,micro_"
       "batch=1,recompute=full",
       64}};
  for (const Case& c : kCases) {
    const Plan plan = plan_of(c.model, c.devices, c.fix, enlarge);
    const PeerRun run = import_torchtitan(torchtitan_toml(plan), "train.toml", c.devices, nullptr);
    EXPECT_EQ(run.model_config, c.model);
    expect_back(c, plan, run);
    EXPECT_EQ(run.warnings.empty(), plan.recompute.front() != Recompute::selective)
        << all_of(run.warnings);
  }
}

// A job as users write it.
const std::string kLlama = R"(
[job]
dump_folder = "./outputs"
description = "Llama 3 8B training"

[profiling]
enable_profiling = true
profile_freq = 100

[model]
name = "llama3"
flavor = "8B"
hf_assets_path = "./assets/hf/Llama-3.1-8B"
# converters = ["quantize.linear.float8"]

[optimizer]
name = "AdamW"
lr = 3e-4
eps = 1e-8

[lr_scheduler]
warmup_steps = 200

[training]
local_batch_size = 4
seq_len = 8192
max_norm = 1.0  # grad norm clipping
steps = 1000
dataset = "c4"

[parallelism]
data_parallel_replicate_degree = 1
data_parallel_shard_degree = -1
tensor_parallel_degree = 2
pipeline_parallel_degree = 4
context_parallel_degree = 1

[checkpoint]
enable = false
interval = 500

[activation_checkpoint]
mode = "selective"  # ["none", "selective", "full"]
selective_ac_option = '2'

[compile]
enable = true
components = ["model", "loss"]

[float8]
enable_float8_linear = false

[quantize.linear.float8]
enable_fsdp_float8_all_gather = false
filter_fqns = ["output"]
)";

// 32 layers and 2 for embedding and head on 4 stages: 9, 9, 8, 8 less one at each end.
TEST(TorchtitanImport, ReadsAJobWithItsDefaults) {
  const PeerRun run = import_torchtitan(kLlama, "llama3_8b.toml", 64, nullptr);
  EXPECT_EQ(run.fix,
            "tp=2,pp=4,cp=1,dp=8,order=tp-cp-dp-pp,sequence_parallel=1,zero=2,zero_shard=0,ep=1,"
            "etp=1,micro_batch=1,schedule=1f1b,layers=8+9+8+7,recompute=full,recompute_layers=16");
  EXPECT_EQ(run.global_batch, 32);
  EXPECT_EQ(run.seq_len, 8192);
  EXPECT_EQ(run.precision, "bf16");
  EXPECT_EQ(run.model_config, "llama-3.1-8b");
  EXPECT_EQ(all_of(run.warnings), "llama3_8b.toml: compile.enable is not modelled\n");
}

TEST(TorchtitanImport, FlagsWinOverTheirFile) {
  const std::string file = testing::TempDir() + "argosy_exchange_import_test.toml";
  write_text_file(file, kLlama);
  const PeerRun run = import_torchtitan(
      "torchrun --nproc_per_node=8 -m torchtitan.train --job.config_file " + file +
          " --training.local-batch-size=1 --parallelism.pipeline_parallel_degree 1 \\\n"
          " --parallelism.tensor_parallel_degree=1 --compile.no-enable "
          "--activation_checkpoint.selective_ac_option=1 --parallelism.fsdp_reshard_after_forward "
          "default --training.global_batch_size 256",
      "--import", 64, nullptr);
  std::remove(file.c_str());
  EXPECT_EQ(run.fix,
            "tp=1,pp=1,cp=1,dp=64,order=tp-cp-dp-pp,sequence_parallel=0,zero=3,zero_shard=0,ep=1,"
            "etp=1,micro_batch=1,recompute=full");
  EXPECT_EQ(run.global_batch, 256);
  EXPECT_TRUE(run.warnings.empty()) << all_of(run.warnings);
}

// run_train.sh of torchtitan up to 0.2 takes the file from its environment.
TEST(TorchtitanImport, TheFileOfTheEnvironment) {
  const std::string file = testing::TempDir() + "argosy_config_file_test.toml";
  write_text_file(file, kLlama);
  const std::string alone =
      import_torchtitan("CONFIG_FILE=" + file + " ./run_train.sh", "--import", 64, nullptr).fix;
  EXPECT_EQ(alone, import_torchtitan(kLlama, "job.toml", 64, nullptr).fix);
  for (const std::string& text :
       {"NGPU=8 CONFIG_FILE=\"" + file + "\" ./run_train.sh --training.seq_len 4096",
        "export CONFIG_FILE=" + file + "\n./run_train.sh --training.seq_len=4096",
        "DIR=" + testing::TempDir() +
            "\nexport NGPU=8 CONFIG_FILE=${DIR}argosy_config_file_test.toml\n"
            "bash torchtitan/run_train.sh --training.seq_len=4096"}) {
    EXPECT_EQ(peer_format(text, "run.sh"), PeerFormat::torchtitan) << text;
    const PeerRun run = import_torchtitan(text, "run.sh", 64, nullptr);
    EXPECT_EQ(run.fix, alone) << text;
    EXPECT_EQ(run.seq_len, 4096) << text;
  }
  std::remove(file.c_str());
  expect_error("argosy_config_file_test.toml", [&] {
    import_torchtitan("CONFIG_FILE=" + file + " ./run_train.sh", "--import", 64, nullptr);
  });
}

// Parameters as the makers publish them: Qwen3's technical report and model cards (arXiv
// 2505.09388), DeepSeek-V2-Lite (15.7B) and V2 (236B; arXiv 2405.04434), V3 without the module for
// multi-token prediction, which torchtitan does not have (671B; arXiv 2412.19437).
TEST(TorchtitanImport, FlavorsHaveTheirModels) {
  const struct {
    const char *name, *flavor;
    double parameters, within;
  } kModels[] = {{"qwen3", "0.6B", 596'049'920, 0},      {"qwen3", "1.7B", 1'720'574'976, 0},
                 {"qwen3", "4B", 4'022'468'096, 0},      {"qwen3", "14B", 14'768'307'200, 0},
                 {"qwen3", "32B", 32'762'123'264, 0},    {"qwen3", "235B-A22B", 235'093'634'560, 0},
                 {"deepseek_v3", "16B", 15.7e9, 0.05e9}, {"deepseek_v3", "236B", 236e9, 0.5e9},
                 {"deepseek_v3", "671B", 671e9, 0.5e9},  {"llama3", "debugmodel", 6'163'712, 0}};
  for (const auto& m : kModels) {
    const std::string job =
        concat("[model]\nname = \"", m.name, "\"\nflavor = \"", m.flavor, "\"\n");
    const PeerRun run = import_torchtitan(job, "x.toml", 8, nullptr);
    ASSERT_FALSE(run.model_json.empty()) << m.flavor;
    const ModelReading read = parse_model(run.model_json, "imported", "x.toml");
    EXPECT_TRUE(read.warnings.empty()) << all_of(read.warnings);
    EXPECT_NEAR(static_cast<double>(count_parameters(read.model).total), m.parameters, m.within)
        << m.flavor;
    const TorchtitanFlavor* const back = find_torchtitan_flavor(read.model);
    ASSERT_NE(back, nullptr) << m.flavor;
    EXPECT_STREQ(back->flavor, m.flavor);
    EXPECT_TRUE(import_torchtitan(job, "x.toml", 8, &read.model).model_json.empty());
  }
  const PeerRun flex =
      import_torchtitan("[model]\nname = \"llama3\"\nflavor = \"8B_flex\"\n", "x", 8, nullptr);
  EXPECT_EQ(flex.model_config, "llama-3.1-8b");
  expect_in("model.flavor: 8B_flex is priced as 8B", all_of(flex.warnings));
  expect_error("pipeline_parallel_degree: qwen3 has no pipeline there; expected 1", [] {
    import_torchtitan(
        "[model]\nname = \"qwen3\"\nflavor = \"8B\"\n[parallelism]\n"
        "pipeline_parallel_degree = 2\n",
        "x.toml", 8, nullptr);
  });
  const PeerRun eight = import_torchtitan("[model]\nflavor = \"8B\"\nconverters = [\"float8\"]\n",
                                          "x.toml", 8, nullptr);
  EXPECT_EQ(eight.precision, "fp8");
}

TEST(TorchtitanImport, AnyModelByItsConfig) {
  const ModelSpec model = job_of("mixtral-8x7b", 64).model;
  const PeerRun run = import_torchtitan(
      "[model]\nname = \"mixtral\"\nflavor = \"8x7B\"\n[parallelism]\ntensor_parallel_degree = 2\n"
      "expert_parallel_degree = 8\nenable_async_tensor_parallel = true\n",
      "x.toml", 64, &model);
  expect_in("ep=8,etp=1,", run.fix);
  EXPECT_TRUE(run.model_config.empty());
  expect_in("mixtral 8x7B is taken to be --model", all_of(run.warnings));
  expect_in("parallelism.enable_async_tensor_parallel is not modelled", all_of(run.warnings));
}

TEST(TorchtitanImport, EightBits) {
  const auto read = [](const std::string& flags) {
    return import_torchtitan("--model.name=llama3 --model.flavor=8B " + flags, "--import", 64,
                             nullptr);
  };
  const PeerRun run = read("--model.converters=quantize.linear.float8");
  EXPECT_EQ(run.precision, "fp8");
  EXPECT_TRUE(run.warnings.empty() || all_of(run.warnings).find("float8") == std::string::npos);
  expect_in("enable_fsdp_float8_all_gather",
            all_of(read("--model.converters=quantize.linear.float8 "
                        "--quantize.linear.float8.enable_fsdp_float8_all_gather")
                       .warnings));
  const ModelSpec experts = job_of("qwen3-30b-a3b", 64).model;
  const std::string linears = "[model]\nconverters = [\"quantize.linear.float8\"";
  expect_error("quantize.grouped_mm.float8",
               [&] { import_torchtitan(linears + "]\n", "x.toml", 64, &experts); });
  EXPECT_EQ(
      import_torchtitan(linears + ", \"quantize.grouped_mm.float8\"]\n", "x.toml", 64, &experts)
          .precision,
      "fp8");
}

TEST(TorchtitanImport, MistakesAreNamed) {
  const auto expect = [](const std::string& flags, const std::string& named) {
    expect_error(named, [&] {
      import_torchtitan("--model.name=llama3 --model.flavor=8B " + flags, "--import", 64, nullptr);
    });
  };
  const std::string p = "--parallelism.", pp = p + "pipeline_parallel_degree=4 ";
  expect(p + "tensor_parallel_degree=3", "does not divide the devices, 64");
  expect(p + "tensor_parallel_degree=0", "parallelism.tensor_parallel_degree");
  expect(p + "data_parallel_shard_degree=16", "data_parallel_shard_degree 16");
  expect(p + "data_parallel_shard_degree=0", "expected at least 1, or -1");
  expect(p + "data_parallel_shard_degree=1 " + p + "data_parallel_replicate_degree=32 " + p +
             "tensor_parallel_degree=2",
         "DDP with other parallelism");
  expect(p + "fsdp_reshard_after_forward=sometimes", "\"always\" or \"never\"");
  expect("--training.local_batch_size=4 --training.global_batch_size=300",
         "global_batch_size: expected a multiple of local_batch_size 4 * 64 data parallel ranks = "
         "256, found 300");
  expect(pp + "--training.local_batch_size=4 --training.global_batch_size=128",
         "emptied 2 times a step");
  expect(pp + p + "pipeline_parallel_microbatch_size=3",
         "pipeline_parallel_microbatch_size 3, but the key is missing");
  expect(pp + p + "pipeline_parallel_schedule=DualPipeV",
         "expected one of GPipe, 1F1B, Interleaved1F1B, ZBVZeroBubble, found \"DualPipeV\"");
  expect(pp + p + "pipeline_parallel_schedule=zbvzerobubble", "with sharded gradients");
  expect(pp + p + "pipeline_parallel_schedule_csv=a.csv", "pipeline_parallel_schedule_csv");
  expect(pp + p + "pipeline_parallel_layers_per_stage=4", "9 stages on 4 ranks");
  expect(pp + p + "pipeline_parallel_layers_per_stage=9 " + p +
             "pipeline_parallel_schedule=Interleaved1F1B",
         "two or more");
  expect(pp + p + "pipeline_parallel_first_stage_less_layers=16", "leave one without a layer");
  expect(pp + p + "module_fqns_per_model_part=a", "module_fqns_per_model_part");
  expect("--activation_checkpoint.mode=memory_budget", "activation_checkpoint.mode");
  expect("--activation_checkpoint.selective_ac_option=some", "every so many layers");
  expect("--training.enable_cpu_offload", "training.enable_cpu_offload");
  expect("--training.mixed_precision_param=float16", "mixed_precision_param");
  expect("--optimizer.name=Muon", "optimizer.name");
  expect("--model.converters=quantize.linear.mx", "found \"quantize.linear.mx\"");
  expect("--model.converters=quantize.grouped_mm.float8", "a part in 8 bits cannot be priced");
  expect("--model.converters=quantize.linear.float8 --training.mixed_precision_param=float32",
         "bfloat16");
  expect("--training.batch_size=8", "training.batch_size is not known");
  expect(p + "expert_degree=8", "parallelism.expert_degree is not known");
  expect("--training.seq_len=8k", "training.seq_len");
  expect("--tensor-model-parallel-size 8", "--tensor-model-parallel-size");
  expect("--training.seq_len=$LEN", "$LEN");
  expect("--job.config_file=/nowhere/job.toml", "/nowhere/job.toml");
  expect("--model.flavor=1B", "expected one of llama3 8B, ");
  const ModelSpec other = job_of("llama-65b", 64).model;
  expect_error("the shapes of --model", [&] { import_torchtitan(kLlama, "x.toml", 64, &other); });
  expect_error("is no job of torchtitan",
               [] { import_torchtitan("[tool]\na = 1", "x.toml", 8, nullptr); });
  expect_error("x.toml:2: ",
               [] { import_torchtitan("[training]\nseq_len: 3", "x.toml", 8, nullptr); });
  const ModelSpec experts = job_of("qwen3-30b-a3b", 64).model;
  expect_error("expected 1, or tensor_parallel_degree 4", [&] {
    import_torchtitan(
        "--parallelism.tensor_parallel_degree=4 --parallelism.expert_parallel_degree=8 "
        "--parallelism.expert_tensor_parallel_degree=2",
        "--import", 64, &experts);
  });
}

TEST(TorchtitanExport, NamesWhatItCannotSay) {
  const auto expect = [](const std::string& model, const std::string& fix,
                         const std::string& named) {
    expect_error(named, [&] { torchtitan_toml(plan_of(model, 64, fix, enlarge)); });
  };
  // Context parallelism is a part of FSDP there; experts of one group are cut as the rest.
  expect("llama-3.1-8b", "zero=0,cp=64,tp=1,pp=1,cp_kind=ring,recompute=full", "zero=0");
  expect("qwen3-30b-a3b", "tp=2,pp=1,ep=1,etp=1,zero=3,recompute=full", "ep=1 with etp=1");
}

TEST(PeerFormat, ByExtensionElseByContent) {
  EXPECT_EQ(peer_format("x", "--import: a/ds.json"), PeerFormat::deepspeed);
  EXPECT_EQ(peer_format("x", "--import: job.toml"), PeerFormat::torchtitan);
  EXPECT_EQ(peer_format("\n {\"a\": 1}", "--import: config"), PeerFormat::deepspeed);
  EXPECT_EQ(peer_format("# job\n[model]", "--import: config"), PeerFormat::torchtitan);
  EXPECT_EQ(peer_format("./run_train.sh --training.seq_len 8", "--import"), PeerFormat::torchtitan);
  EXPECT_EQ(peer_format("python pretrain_gpt.py --num-layers 8 --lr 6.0e-5", "--import"),
            PeerFormat::megatron);
  expect_error("job.yaml: is no setup that can be read; valid: a ds_config.json",
               [] { peer_format("model: llama", "--import: job.yaml"); });
  expect_error("empty.sh", [] { peer_format("# nothing\n", "--import: empty.sh"); });
}

}  // namespace
}  // namespace argosy
