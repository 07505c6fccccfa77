// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Predicted ledgers against counts by hand, and their sum over ranks.
#include "planner/spec/ledger.h"

#include <gtest/gtest.h>

#include "planner/spec/work.h"
#include "tests/planner/tiny_models.h"

namespace argosy {
namespace {

// See work_test.cpp: one block of tiny_llama and its head on one rank, 8 tokens in fp64.
constexpr int64_t kBlockSaved = 4480, kHeadSaved = 1088, kInput = 512;
constexpr int64_t kBlockFlops = 3 * 8832, kHeadFlops = 4992;
constexpr int64_t kParameters = 1704;

CollectiveTotal total(const Ledger& ledger, CollectiveKind kind, Axis axis) {
  const auto found = ledger.collectives.find({kind, axis});
  return found == ledger.collectives.end() ? CollectiveTotal{} : found->second;
}

TEST(Ledger, OneRank) {
  const Ledger ledger = predict_ledger(tiny_plan(tiny_llama(), {}), 0);
  EXPECT_EQ(ledger.parameter_bytes, kParameters * 8);
  EXPECT_EQ(ledger.gradient_bytes, kParameters * 8);
  EXPECT_EQ(ledger.optimizer_bytes, kParameters * 16);
  EXPECT_EQ(ledger.saved_bytes,
            (std::map<int, int64_t>{
                {0, kBlockSaved}, {1, kBlockSaved}, {2, kBlockSaved}, {3, kHeadSaved}}));
  EXPECT_EQ(ledger.activation_peak_bytes, 3 * kBlockSaved + kHeadSaved);
  EXPECT_EQ(ledger.matmul_flops, 2 * (3 * kBlockFlops + kHeadFlops));
  EXPECT_TRUE(ledger.collectives.empty());
}

TEST(Ledger, ActivationPeakFollowsTheSchedule) {
  Plan plan = tiny_plan(tiny_llama(), {});
  plan.schedule = ScheduleKind::gpipe;  // both micro-batches at once
  EXPECT_EQ(predict_ledger(plan, 0).activation_peak_bytes, 2 * (3 * kBlockSaved + kHeadSaved));
  plan = tiny_plan(tiny_llama(), {.pp = 3});
  plan.global_batch = 5;
  EXPECT_EQ(predict_ledger(plan, 0).activation_peak_bytes, 3 * kBlockSaved);
  EXPECT_EQ(predict_ledger(plan, 1).activation_peak_bytes, 2 * kBlockSaved);
  EXPECT_EQ(predict_ledger(plan, 2).activation_peak_bytes, kBlockSaved + kHeadSaved);
}

// A recomputed block keeps its input; during its backward the rest of its set is alive, too. The
// head's set is gone by then.
TEST(Ledger, ActivationPeakWithRecomputation) {
  Plan plan = tiny_plan(tiny_llama(), {});
  plan.recompute.assign(3, Recompute::full);
  EXPECT_EQ(predict_ledger(plan, 0).activation_peak_bytes, 2 * kInput + kBlockSaved);
  plan.schedule = ScheduleKind::gpipe;
  EXPECT_EQ(predict_ledger(plan, 0).activation_peak_bytes,
            (3 * kInput + kHeadSaved) + 2 * kInput + kBlockSaved);
  plan.recompute[2] = Recompute::none;  // now the last forward is the peak
  plan.schedule = ScheduleKind::one_f_one_b;
  EXPECT_EQ(predict_ledger(plan, 0).activation_peak_bytes, 2 * kInput + kBlockSaved + kHeadSaved);
}

TEST(Ledger, PipelineTransfers) {
  Plan plan = tiny_plan(tiny_llama(), {.tp = 2, .pp = 3});
  plan.global_batch = 5;
  const int64_t bytes = 4 * 8 * 8;  // (s, H)e
  EXPECT_EQ(total(predict_ledger(plan, 0), CollectiveKind::send, Axis::pp),
            (CollectiveTotal{5, 5 * bytes}));
  EXPECT_EQ(total(predict_ledger(plan, 3), CollectiveKind::send, Axis::pp),
            (CollectiveTotal{10, 10 * bytes}));
  EXPECT_EQ(total(predict_ledger(plan, 3), CollectiveKind::recv, Axis::pp),
            (CollectiveTotal{10, 10 * bytes}));
  EXPECT_EQ(total(predict_ledger(plan, 5), CollectiveKind::recv, Axis::pp),
            (CollectiveTotal{5, 5 * bytes}));
}

TEST(Ledger, SequenceParallelStep) {
  const Ledger ledger = predict_ledger(tiny_plan(tiny_llama(), {.tp = 2}), 0);
  // 2 micro-batches: 3 blocks of 6 gathers and 4 scatters, 1 of each for embedding and head.
  EXPECT_EQ(total(ledger, CollectiveKind::all_gather, Axis::tp),
            (CollectiveTotal{2 * 20, 2 * 20 * 512}));
  EXPECT_EQ(total(ledger, CollectiveKind::reduce_scatter, Axis::tp),
            (CollectiveTotal{2 * 14, 2 * 14 * 512}));
  // The head's maximum and sums a micro-batch, the norms' gradients once.
  EXPECT_EQ(total(ledger, CollectiveKind::all_reduce, Axis::tp),
            (CollectiveTotal{2 * 2 + 1, 2 * (64 + 128) + 7 * 8 * 8}));
}

TEST(Ledger, Zero1ShardsOptimizerState) {
  Plan plan = tiny_plan(tiny_llama(), {.dp = 5}, 1);
  plan.precision = Precision::bf16;
  int64_t optimizer_bytes = 0;
  for (int64_t rank = 0; rank < 5; ++rank) {
    const Ledger ledger = predict_ledger(plan, rank);
    EXPECT_EQ(ledger.parameter_bytes, kParameters * 2);
    EXPECT_EQ(ledger.gradient_bytes, kParameters * 4);
    optimizer_bytes += ledger.optimizer_bytes;
  }
  EXPECT_EQ(optimizer_bytes, kParameters * 10);
  // The first rank's parts of two tables of 104 elements, three layers of 496, a norm of 8.
  EXPECT_EQ(predict_ledger(plan, 0).optimizer_bytes, (2 * 21 + 3 * 100 + 2) * 10);
}

TEST(Ledger, AnOffloadedOptimizerIsOnTheHost) {
  Plan plan = tiny_plan(tiny_llama(), {.dp = 5}, 1);
  plan.precision = Precision::bf16;
  const Ledger on_device = predict_ledger(plan, 0);
  plan.offload = Offload::optimizer;
  Ledger expected = predict_ledger(plan, 0);
  EXPECT_EQ(expected.optimizer_bytes, 0);
  EXPECT_EQ(expected.host_bytes, (2 * 21 + 3 * 100 + 2) * 10);
  EXPECT_EQ(difference(on_device, expected),
            "host_bytes: expected 0, actual 3440 (+3440)\n"
            "optimizer_bytes: expected 3440, actual 0 (-3440)\n");
}

TEST(Ledger, LoraHasNoStateForTheBase) {
  const Ledger ledger = predict_ledger(tiny_plan(tiny_llama(), {}, 0, 2), 0);
  const int64_t adapters = 3 * 2 * 116;  // r (in + out) of seven Linears
  EXPECT_EQ(ledger.parameter_bytes, (kParameters + adapters) * 8);
  EXPECT_EQ(ledger.gradient_bytes, adapters * 8);
  EXPECT_EQ(ledger.optimizer_bytes, adapters * 16);
}

TEST(Ledger, RanksSumUpToExecutedFlops) {
  for (const ModelSpec& model : {tiny_llama(), tiny_gpt2(), tiny_qwen2_moe(), tiny_qwen3_moe(),
                                 tiny_olmoe(), tiny_glm4_moe()}) {
    const int64_t ep = model.has_moe() ? 2 : 1;
    for (const int64_t lora_rank : {0, 2}) {
      Plan plan = tiny_plan(model, {.tp = 2, .pp = 3, .dp = 2, .ep = ep}, 0, lora_rank);
      plan.recompute[1] = Recompute::full;
      validate(plan);
      int64_t flops = 0;
      for (int64_t rank = 0; rank < plan.mesh.world_size(); ++rank) {
        flops += predict_ledger(plan, rank).matmul_flops;
      }
      EXPECT_EQ(flops, executed_flops_per_step(plan)) << model.name;
    }
  }
}

TEST(Ledger, DifferenceNamesWhatDiffers) {
  Ledger expected, actual;
  expected.record(CollectiveKind::all_gather, Axis::tp, 512);
  expected.record(CollectiveKind::all_gather, Axis::tp, 512);
  actual.record(CollectiveKind::all_gather, Axis::tp, 1024);
  expected.saved_bytes[2] = 7;
  actual.saved_bytes[-1] = 0;  // nothing kept, said explicitly
  actual.matmul_flops = 5;
  EXPECT_EQ(difference(expected, actual),
            "all_gather over tp, count: expected 2, actual 1 (-1)\n"
            "matmul_flops: expected 0, actual 5 (+5)\n"
            "saved_bytes[2]: expected 7, actual 0 (-7)\n");
  EXPECT_EQ(difference(actual, actual), "");
  EXPECT_NE(to_string(expected).find("all_gather over tp: 2 calls, 1024 bytes"), std::string::npos);
}

}  // namespace
}  // namespace argosy
