// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the notes of published runs and the profiles' rules say: other releases, formats, graphs,
// layers that are computed again, experts and traffic.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "planner/score/other_releases.h"
#include "planner/score/score.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"

namespace argosy {
namespace {

const ScoreFiles& files() {
  static const ScoreFiles read = read_score_files(std::string(ARGOSY_SOURCE_DIR) + "/configs");
  return read;
}

// Qwen3-30B-A3B on one node.
PublishedRun mixture_run() {
  PublishedRun run;
  run.id = "TEST-001";
  run.source = "Megatron-Bridge performance summary";
  run.notes = "container 26.06; arch: head_dim 128 (not h/a)";
  run.model_name = "Qwen3-30B-A3B";
  run.arch = "moe";
  run.gpu = "B200";
  run.precision = "mxfp8";
  run.layers = 48;
  run.hidden = 2048;
  run.ffn_hidden = 6144;
  run.heads = 32;
  run.kv_heads = 4;
  run.vocab = 151936;
  run.experts = 128;
  run.top_k = 8;
  run.expert_ffn_hidden = 768;
  run.seq_len = 4096;
  run.num_gpus = run.gpus_per_node = run.dp = run.ep = 8;
  run.tp = run.pp = run.cp = 1;
  run.micro_batch = 1;
  run.global_batch_seqs = 512;
  run.meas_iter_s = 10;
  return run;
}

double step_s(const PublishedRun& run) {
  const PreparedRun prepared = prepare(run, files());
  EXPECT_EQ(prepared.reason, "");
  return predict(prepared).predicted_step_s;
}

TEST(OtherReleases, AreRunsOfTheNotes) {
  PublishedRun run = mixture_run();
  EXPECT_TRUE(other_releases(run).empty());
  run.meas_tflops_per_gpu = 600;
  run.notes =
      "flops: model FLOPs; container 26.08 (same config also 26.06.01: 18304 tok/s, 26.04: 9650 "
      "tok/s); router force-balanced";
  const std::vector<PublishedRun> others = other_releases(run);
  ASSERT_EQ(others.size(), 2u);
  EXPECT_EQ(others[0].id, "TEST-001@26.06.01");
  EXPECT_EQ(others[0].group(), "TEST");
  EXPECT_EQ(others[0].notes, "flops: model FLOPs; container 26.06.01; router force-balanced");
  EXPECT_EQ(others[0].meas_tokens_per_s_per_gpu, 18304);
  EXPECT_EQ(others[1].meas_tokens_per_s_per_gpu, 9650);
  EXPECT_FALSE(others[1].meas_iter_s.has_value());
  EXPECT_FALSE(others[1].meas_tflops_per_gpu.has_value());
  EXPECT_EQ(others[1].layers, run.layers);
}

// A release may have kernels for some formats alone.
TEST(StackRules, NameFormats) {
  const auto stack_of = [](const char* notes, const char* precision) {
    return stack_of_run(files().stacks, "Megatron-Bridge performance summary", notes, precision)
        .name;
  };
  EXPECT_EQ(stack_of("container 26.06", "mxfp8"), "megatron-bridge-26.06");
  EXPECT_EQ(stack_of("container 26.08.01", "nvfp4"), "megatron-bridge-26.06");
  EXPECT_EQ(stack_of("container 26.06", "bf16"), "megatron-bridge-26.04");
  EXPECT_EQ(stack_of("container 26.04", "mxfp8"), "megatron-bridge-26.04");
  EXPECT_EQ(stack_of("container 25.09", "mxfp8"), "megatron-bridge-25.09");
}

TEST(Stacks, CapturedStepsDoNotWaitForTheHost) {
  PreparedRun prepared = prepare(mixture_run(), files());
  ASSERT_EQ(prepared.reason, "");
  ASSERT_TRUE(prepared.stack->facts.captures_steps);
  StackNumbers slow;
  slow.host_op_s = 1e-2;
  EXPECT_EQ(predict(prepared, slow).predicted_step_s,
            predict(prepared, StackNumbers{}).predicted_step_s);
  for (StackRun& configuration : prepared.configurations) {
    configuration.job.stack.facts.captures_steps = false;
  }
  EXPECT_GT(predict(prepared, slow).predicted_step_s,
            2 * predict(prepared, StackNumbers{}).predicted_step_s);
}

// A profile that was fitted on some accelerators deviates from "any" alike on all others.
TEST(Stacks, NumbersOfOtherAccelerators) {
  StackProfile any, profile;
  any.name = "any";
  any.accelerators["other"].matmul_share = 0.5;
  any.accelerators["B200"].matmul_share = 0.8;
  profile.name = "profile";
  profile.accelerators["H100"].matmul_share = 0.7;
  profile.of_any.matmul_share = 1.5;
  profile.of_any.host_op_s = 2;
  const std::vector<StackProfile> stacks = {any, profile};
  EXPECT_DOUBLE_EQ(numbers_of(stacks, profile, "H100").matmul_share, 0.7);
  EXPECT_DOUBLE_EQ(numbers_of(stacks, profile, "B200").matmul_share, 1.2);
  EXPECT_DOUBLE_EQ(numbers_of(stacks, profile, "B200").host_op_s, 2 * StackNumbers{}.host_op_s);
  EXPECT_DOUBLE_EQ(numbers_of(stacks, profile, "A100").matmul_share, 0.75);
  EXPECT_DOUBLE_EQ(numbers_of(stacks, any, "B200").matmul_share, 0.8);
}

// DeepSeek-V3's own run, 16 stages, with 30 to 120 micro-batches: what is played of a schedule
// stands for all of it.
TEST(StackRun, SchedulesThatAreCutShortTakeAsLong) {
  const std::string path = std::string(ARGOSY_SOURCE_DIR) + "/tests/golden/published_runs.csv";
  int64_t compared = 0;
  for (PublishedRun& run : published_runs(parse_csv(read_text_file(path), path))) {
    if (run.model_name != "DeepSeek-V3" || run.source.find("DeepSeek") != 0) continue;
    const int64_t batch = run.global_batch_seqs.value();  // of 120 micro-batches of one sequence
    for (const int64_t part : {4, 2, 1}) {
      run.global_batch_seqs = batch / part;
      const PreparedRun prepared = prepare(run, files());
      for (const StackRun& cut : prepared.configurations) {
        std::vector<StageDurations> durations;
        for (const StageTime& time : stage_times(cut.job, cut.candidate, cut.stages, cut.elements,
                                                 layer_costs_of(cut), cut.placements)) {
          durations.push_back(time.durations);
        }
        const ScheduleProgram whole(build_schedule(cut.candidate.schedule,
                                                   static_cast<int>(cut.candidate.mesh.pp),
                                                   static_cast<int>(cut.num_microbatches),
                                                   static_cast<int>(cut.candidate.virtual_stages)));
        const double whole_s = whole.step_s(durations), cut_s = step_seconds(cut);
        EXPECT_NEAR(cut_s, whole_s, 1e-9 * whole_s);
        EXPECT_LE(step_seconds(cut, 1e-9), cut_s * (1 + 1e-9));
        ++compared;
      }
    }
  }
  EXPECT_GE(compared, 3);
}

// Sources that no profile names whole fall to the nearest one.
TEST(StackRules, OtherSourcesOfKnownFrameworks) {
  const auto stack_of = [](const char* source) {
    return stack_of_run(files().stacks, source, "", "bf16").name;
  };
  EXPECT_EQ(stack_of("Megatron-LM of somebody"), "megatron-2024");
  EXPECT_EQ(stack_of("Megatron-LM SC21 Table 1"), "megatron-2021");
  EXPECT_EQ(stack_of("Nemotron-4 340B"), "megatron-2024");
  EXPECT_EQ(stack_of("Megatron-DeepSpeed blog"), "bigscience");
  EXPECT_EQ(stack_of("GLM-130B"), "bigscience");
  EXPECT_EQ(stack_of("DeepSpeed blog"), "zero-3");
  EXPECT_EQ(stack_of("NeMo 26.01"), "nemo-2025");
  EXPECT_EQ(stack_of("a framework of its own"), "any");
}

// A board that nobody has fitted has the numbers of another one with its chip.
TEST(Stacks, NumbersOfBoardsWithTheSameChip) {
  StackProfile any, profile;
  any.name = "any";
  any.accelerators["other"].matmul_share = 0.5;
  any.accelerators["A100-SXM4-80GB"].matmul_share = 0.8;
  profile.name = "profile";
  profile.accelerators["H100-SXM5-80GB"].matmul_share = 0.7;
  profile.of_any.matmul_share = 1.5;
  const std::vector<StackProfile> stacks = {any, profile};
  EXPECT_DOUBLE_EQ(numbers_of(stacks, profile, "H800-SXM5-80GB").matmul_share, 0.7);
  EXPECT_DOUBLE_EQ(numbers_of(stacks, profile, "A800-SXM4-80GB").matmul_share, 1.5 * 0.8);
  EXPECT_DOUBLE_EQ(numbers_of(stacks, profile, "H200-SXM5-141GB").matmul_share, 1.5 * 0.5);
  EXPECT_DOUBLE_EQ(numbers_of(stacks, profile, "").matmul_share, 1.5 * 0.5);
}

// 126 layers on 16 stages: with embedding and head they are 128, so that stages of one slot go
// round 8 times.
TEST(RunSetup, EmbeddingAndHeadCountWhereStagesAreVirtual) {
  PublishedRun run = mixture_run();
  run.source = "Llama 3 405B";
  run.arch = "dense";
  run.gpu = "H100-SXM5-80GB";
  run.precision = "bf16";
  run.layers = 126;
  run.ep.reset();
  run.dp = 1;
  run.pp = run.num_gpus = 16;
  run.global_batch_seqs = 32;
  run.recompute = "none";
  const double open_s = step_s(run);
  run.vpp = 1;
  EXPECT_LT(open_s, 0.85 * step_s(run));
}

TEST(RunCluster, NamesOfBoards) {
  const auto board_of = [](const char* name) {
    PublishedRun run = mixture_run();
    run.gpu = name;
    return cluster_of(run, files().accelerators).accelerator.name;
  };
  EXPECT_EQ(board_of("A100"), "A100-SXM4-80GB");
  EXPECT_EQ(board_of("A100-SXM4"), "A100-SXM4-80GB");
  EXPECT_EQ(board_of("A100-80GB"), "A100-SXM4-80GB");
  EXPECT_EQ(board_of("A100 40GB"), "A100-SXM4-40GB");
  EXPECT_EQ(board_of("A100-PCIe"), "A100-PCIe-80GB");
  EXPECT_EQ(board_of("H100"), "H100-SXM5-80GB");
  EXPECT_EQ(board_of("H100-SXM5"), "H100-SXM5-80GB");
  EXPECT_EQ(board_of("H100-96GB"), "H100-SXM5-96GB-HBM2e-500W");
  EXPECT_EQ(board_of("A800"), "A800-SXM4-80GB");
  EXPECT_EQ(board_of("H800"), "H800-SXM5-80GB");
  EXPECT_EQ(board_of("H200"), "H200-SXM5-141GB");
  EXPECT_EQ(board_of("GB200-NVL72"), "GB200");
  EXPECT_EQ(board_of("GB300"), "GB300");
  EXPECT_EQ(board_of("RTX 4090"), "RTX-4090");
  EXPECT_EQ(board_of("V100-32GB"), "V100-SXM2-32GB");
  EXPECT_EQ(board_of("V100-16GB"), "V100-SXM2-16GB");
  EXPECT_EQ(board_of("GH200"), "GH200-96GB");
  EXPECT_EQ(board_of("MI250X"), "MI250X-GCD");
  EXPECT_EQ(board_of("NVIDIA A40"), "A40");
  EXPECT_EQ(board_of("NVIDIA H100 80GB HBM3"), "H100-SXM5-80GB");
  EXPECT_EQ(board_of("NVIDIA GeForce RTX 3090"), "RTX-3090");
  EXPECT_EQ(board_of("Tesla V100-SXM2-16GB"), "V100-SXM2-16GB");
  EXPECT_EQ(board_of("AMD Instinct MI300X"), "MI300X");
  EXPECT_EQ(board_of("Google TPU v5p"), "TPUv5p");
  EXPECT_THROW(board_of("H100-17GB"), ConfigError);
}

// A10, H20 and L4 were taken for A100, H200 and L40S.
TEST(RunCluster, NumbersAreWholeWords) {
  const auto board_of = [](const char* name) {
    PublishedRun run = mixture_run();
    run.gpu = name;
    return cluster_of(run, files().accelerators).accelerator.name;
  };
  for (const char* name : {"A10", "L4", "L40", "L40S", "A40", "T4", "MI300X"}) {
    EXPECT_EQ(board_of(name), name);
  }
  EXPECT_EQ(board_of("T4 16GB"), "T4");
  EXPECT_EQ(board_of("L40S-48GB"), "L40S");
  EXPECT_EQ(board_of("L40S PCIe"), "L40S");
  EXPECT_EQ(board_of("H20"), "H20-SXM5-96GB");
  EXPECT_EQ(board_of("H20 96GB"), "H20-SXM5-96GB");
  for (const char* name : {"A1", "H2", "H10", "GB20", "V1000"}) {
    EXPECT_THROW(board_of(name), ConfigError) << name;
  }
}

TEST(RunSetup, SequenceParallelismWhereTheProfileSaysSo) {
  PublishedRun run = mixture_run();
  run.arch = "dense";
  run.gpu = "H100-SXM5-80GB";
  run.precision = "bf16";
  run.ep.reset();
  run.tp = 8;
  run.dp = 1;
  const auto is_parallel = [&run](const char* source) {
    run.source = source;
    const PreparedRun prepared = prepare(run, files());
    EXPECT_EQ(prepared.reason, "");
    return prepared.configurations.front().candidate.sequence_parallel;
  };
  EXPECT_TRUE(is_parallel("Nemotron-4"));
  EXPECT_FALSE(is_parallel("vTrain"));
  run.seq_parallel = false;
  EXPECT_FALSE(is_parallel("Nemotron-4"));
  run.seq_parallel.reset();
  run.tp = 1;
  run.dp = 8;
  EXPECT_FALSE(is_parallel("Nemotron-4"));
}

TEST(RunSetup, SomeLayersAreComputedAgain) {
  PublishedRun run = mixture_run();
  run.notes = "container 25.11; arch: head_dim 128";
  const double none_s = step_s(run);
  const std::string notes = run.notes;
  run.notes = notes + "; recipe recomputes 12 of 48 layers fully (inferred)";
  const double some_s = step_s(run);
  run.notes = notes + "; recipe recomputes 48 of 48 layers fully (inferred)";
  const double all_s = step_s(run);
  run.notes = notes;
  run.recompute = "full";
  EXPECT_DOUBLE_EQ(all_s, step_s(run));
  EXPECT_NEAR(some_s, none_s + (all_s - none_s) / 4, 1e-9 * all_s);
  EXPECT_GT(all_s, 1.1 * none_s);
}

// Automodel's recipes give each rank its part of the experts; a table may say nothing of it.
TEST(RunSetup, ExpertsAreSpreadWhereTheProfileSaysSo) {
  const auto ep_of = [](const char* source) {
    PublishedRun run = mixture_run();
    run.source = source;
    run.precision = "bf16";
    run.ep.reset();
    const PreparedRun prepared = prepare(run, files());
    EXPECT_EQ(prepared.reason, "");
    return prepared.configurations.front().candidate.mesh.ep;
  };
  EXPECT_EQ(ep_of("NeMo Automodel performance summary"), 8);
  EXPECT_EQ(ep_of("MoE Parallel Folding"), 1);
}

TEST(RunSetup, AsynchronousTensorParallelismHidesTraffic) {
  PublishedRun run = mixture_run();
  run.source = "torchtitan";
  run.arch = "dense";
  run.gpu = "H100-SXM5-80GB";
  run.precision = "bf16";
  run.tp = 8;
  run.dp = 1;
  run.ep.reset();
  run.seq_parallel = true;
  run.recompute = "none";
  run.notes = "vanilla TP, compile";
  const double vanilla_s = step_s(run);
  run.notes = "async TP, compile";
  EXPECT_LT(step_s(run), 0.97 * vanilla_s);
}

}  // namespace
}  // namespace argosy
