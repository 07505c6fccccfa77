// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Plans of many kinds in every format: what is exported comes back as the same plan at the same
// price; what is not, is refused with a word on what would do.
#include <gtest/gtest.h>

#include <map>

#include "planner/exchange/export.h"
#include "planner/exchange/import.h"
#include "planner/exchange/megatron_import.h"
#include "planner/spec/check.h"
#include "planner/spec/integers.h"
#include "tests/planner/exchange_jobs.h"

namespace argosy {
namespace {

constexpr int64_t kDevices = 32;

constexpr const char* kFixes[] = {
    "zero=0,recompute=full",
    "zero=1,recompute=none",
    "zero=1,recompute=full,recompute_layers=8",
    "zero=2,recompute=full",
    "zero=3,recompute=selective",
    "zero=1,offload=optimizer,recompute=full",
    "zero=3,tp=1,recompute=full",
    "zero=2,pp=1,ep=1,etp=1,recompute=full,sequence_parallel=0",
    "zero=3,tp=2,pp=1,sequence_parallel=1,recompute=full",
    "zero=2,pp=2,schedule=1f1b,recompute=none,order=tp-cp-dp-pp,sequence_parallel=1,tp=2",
    "zero=3,pp=4,schedule=interleaved,recompute=full,order=tp-cp-dp-pp,zero_shard=0",
    "zero=3,cp=2,pp=1,zero_shard=0,recompute=full",
};

// Variants that a format may or may not have: precision, optimizer and task go round.
Job job_of_variant(const std::string& model, int variant) {
  Job job = job_of(model, kDevices);
  job.cluster = read_cluster(ARGOSY_SOURCE_DIR "/configs/clusters/h100-8192.json").cluster;
  job.cluster.num_devices = kDevices;
  job.cluster.accelerator.memory_bytes *= 4;
  job.model.vocab_size = round_up(job.model.vocab_size, 128);  // as Megatron has it
  job.global_batch = 64;
  if (model == "gpt2-124m") job.seq_len = 1024;
  if (variant % 3 == 1) job.precision = Precision::fp8;
  if (variant % 5 == 2) job.optimizer = OptimizerKind::sgd;
  if (variant % 4 == 3) job.task = Task::finetune;
  return job;
}

PeerRun import_of(ExportFormat format, const std::string& text) {
  switch (format) {
    case ExportFormat::megatron:
      return import_megatron(text, kDevices);
    case ExportFormat::deepspeed:
      return import_deepspeed(text, "ds_config.json", kDevices);
    case ExportFormat::torchtitan:
      return import_torchtitan(text, "train.toml", kDevices, nullptr);
  }
  return {};
}

TEST(RoundTrip, WhatIsExportedComesBack) {
  std::map<ExportFormat, int> num_said;
  int variant = 0;
  for (const char* model :
       {"llama-3.1-8b", "mixtral-8x7b", "qwen3-30b-a3b", "mistral-7b", "qwen2-7b", "gpt2-124m"}) {
    for (const char* fix : kFixes) {
      const Job job = job_of_variant(model, variant++);
      for (const Plan& plan : search(job, parse_fixed(fix), 4, 1, Rows::distinct).plans) {
        for (const ExportFormat format :
             {ExportFormat::megatron, ExportFormat::deepspeed, ExportFormat::torchtitan}) {
          std::string text;
          const HiddenTraffic hidden = {variant % 2 == 0, true, true};  // changes no plan
          const std::string refusal =
              error_of([&] { text = export_plan(plan, format, 0, hidden); });
          if (!refusal.empty()) {
            EXPECT_NE(refusal.find("; valid: "), std::string::npos) << refusal;
            continue;
          }
          ++num_said[format];
          const PeerRun run = import_of(format, text);
          expect_same(plan_of_peer(job, run), plan, std::string(model) + " " + fix + "\n" + text);
        }
      }
    }
  }
  std::printf("round trips: megatron %d, deepspeed %d, torchtitan %d\n",
              num_said[ExportFormat::megatron], num_said[ExportFormat::deepspeed],
              num_said[ExportFormat::torchtitan]);
  EXPECT_GE(num_said[ExportFormat::megatron], 40);
  EXPECT_GE(num_said[ExportFormat::deepspeed], 10);
  EXPECT_GE(num_said[ExportFormat::torchtitan], 12);
}

}  // namespace
}  // namespace argosy
