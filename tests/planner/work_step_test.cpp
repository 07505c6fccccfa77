// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// FLOPs of whole steps, chunks of the head, and the work after the last backward.
#include <gtest/gtest.h>

#include "planner/spec/work.h"
#include "tests/planner/tiny_models.h"
#include "tests/planner/work_counts.h"

namespace argosy {
namespace {

Plan config_plan(const std::string& name, int64_t seq_len) {
  Plan plan;
  plan.model = read_model(std::string(ARGOSY_SOURCE_DIR) + "/configs/models/" + name).model;
  plan.seq_len = seq_len;
  plan.layers_per_stage = {plan.model.num_layers};
  plan.recompute.assign(static_cast<size_t>(plan.model.num_layers), Recompute::none);
  return plan;
}

TEST(StepWork, HeadChunks) {
  Plan plan = config_plan("llama-3.1-8b.json", 8192);
  plan.mesh.tp = 8;
  plan.sequence_parallel = true;
  // 128256 / 8 rows in fp32: 2093 tokens would fit, 8192 tokens need four chunks.
  const int64_t chunk = 2048;
  EXPECT_EQ(head_chunk_tokens(plan, 0), chunk);
  const LayerWork head = stage_work(plan, 0, 7).back();
  const auto sums = collectives(head.forward)["all_reduce over tp"];
  ASSERT_EQ(sums.size(), 2u * 4);
  EXPECT_EQ(sums.front(), chunk * 4);
  EXPECT_EQ(sums.back(), 2 * chunk * 4);
  EXPECT_EQ(flops(head.forward), int64_t{6} * 8192 * 16032 * 4096);
  plan.seq_len = 8200;  // the last chunk is the shorter one
  EXPECT_EQ(head_chunk_tokens(plan, 0), 2050);
  plan.seq_len = 2094;  // one token too many for one chunk
  EXPECT_EQ(head_chunk_tokens(plan, 0), 1047);
  EXPECT_EQ(head_chunk_tokens(tiny_plan(tiny_llama(), {}), 0), 8);  // no more than there are
}

// Computed from the published shapes. PaLM (arXiv 2204.02311, appendix B) counts full attention,
// Megatron-LM the causal half.
TEST(StepWork, ModelFlopsOfLlama3) {
  Plan plan = config_plan("llama-3.1-8b.json", 8192);
  const double tokens = 8192;
  EXPECT_NEAR(model_flops_per_step(plan) / tokens, 51.5e9, 0.05e9);
  EXPECT_NEAR(model_flops_per_step(plan, true) / tokens, 57.9e9, 0.05e9);
  plan.lora.rank = 16;
  plan.lora.targets = {"all-linear"};
  EXPECT_NEAR(model_flops_per_step(plan) / tokens, 36.7e9, 0.05e9);
}

TEST(StepWork, ModelFlopsCountActiveExperts) {
  const Plan plan = config_plan("qwen3-30b-a3b.json", 4096);
  // 23.1 GFLOP a token with the 8 active of 128 experts, against 183 with all of them.
  EXPECT_NEAR(model_flops_per_step(plan) / 4096, 23.1e9, 0.1e9);
}

TEST(StepWork, ExecutedEqualsModelWithoutRecomputation) {
  for (const ModelSpec& model : {tiny_llama(), tiny_gpt2(), tiny_mixtral(), tiny_qwen2_moe()}) {
    for (const Mesh& mesh : {Mesh{}, Mesh{.tp = 2}, Mesh{.tp = 2, .pp = 3, .dp = 2}}) {
      const Plan plan = tiny_plan(model, mesh);
      EXPECT_EQ(executed_flops_per_step(plan), model_flops_per_step(plan))
          << model.name << " " << to_string(mesh);
    }
  }
  Plan plan = tiny_plan(tiny_llama(), {});
  plan.recompute.assign(3, Recompute::full);
  constexpr int64_t kForwardFlops = 8832, kDownFlops = 2 * 8 * 12 * 8;  // a block: work_test.cpp
  EXPECT_EQ(executed_flops_per_step(plan) - model_flops_per_step(plan),
            2 * 3 * (kForwardFlops - kDownFlops));
}

TEST(StepWork, StepReducesGradientsByBucket) {
  // tiny_llama: two tables (13, 8), three layers of 496 elements, the final norm; fp64.
  const std::vector<int64_t> bytes = {13 * 8 * 8, 496 * 8, 496 * 8, 496 * 8, 8 * 8, 13 * 8 * 8};
  EXPECT_EQ(collectives(step_work(tiny_plan(tiny_llama(), {.dp = 2}), 0)),
            (Calls{{"all_reduce over dp_cp", bytes}}));
  const Pass sharded = step_work(tiny_plan(tiny_llama(), {.dp = 2}, 1), 1);
  EXPECT_EQ(collectives(sharded),
            (Calls{{"reduce_scatter over dp_cp", bytes}, {"all_gather over dp_cp", bytes}}));
  EXPECT_EQ(sharded.collectives.front().kind, CollectiveKind::reduce_scatter);
  EXPECT_TRUE(collectives(step_work(tiny_plan(tiny_llama(), {}, 1), 0)).empty());
  // Norm gains are summed over tp: 7 vectors of 8.
  EXPECT_EQ(collectives(step_work(tiny_plan(tiny_llama(), {.tp = 2}), 0)),
            (Calls{{"all_reduce over tp", {7 * 8 * 8}}}));
  // The first of two shards of each layer has both of its norms at the front; the final norm is
  // cut.
  EXPECT_EQ(collectives(step_work(tiny_plan(tiny_llama(), {.tp = 2, .dp = 2}, 1), 0))
                .at("all_reduce over tp"),
            times(1, (6 * 8 + 4) * 8));
}

TEST(StepWork, StepOfMoeReducesExpertsOverTheirGrid) {
  Plan plan = tiny_plan(tiny_mixtral(), {.dp = 4, .ep = 2}, 1);
  const int64_t experts = 2 * 3 * 6 * 8;  // of a layer: local experts, matrices
  const auto calls = collectives(step_work(plan, 0));
  EXPECT_EQ(calls.at("reduce_scatter over edp"), times(3, experts * 8));
  EXPECT_EQ(calls.at("all_gather over edp"), times(3, experts * 8));
  plan.mesh.ep = 4;  // one replica only: nothing to reduce
  EXPECT_EQ(collectives(step_work(plan, 0)).count("reduce_scatter over edp"), 0u);
}

TEST(StepWork, StepSumsTiedEmbeddingsAndCopies) {
  Plan plan = tiny_plan(tiny_qwen2(), {.pp = 3});
  const Calls tied = {{"all_reduce over embedding", {11 * 8 * 8}}};
  EXPECT_EQ(collectives(step_work(plan, 0)), tied);
  EXPECT_TRUE(collectives(step_work(plan, 1)).empty());
  EXPECT_EQ(collectives(step_work(plan, 2)), tied);
  plan.lora = {2, 16.0, {"all-linear"}};
  EXPECT_TRUE(collectives(step_work(plan, 0)).empty());
  // One key/value head on two ranks: k and v with their biases, 3 layers.
  const auto calls = collectives(step_work(tiny_plan(tiny_qwen2(), {.tp = 2}), 0));
  EXPECT_EQ(calls.at("all_reduce over kv_replica"), times(1, 3 * 2 * (2 * 8 + 2) * 8));
}

TEST(StepWork, OptimizerState) {
  Plan plan = tiny_plan(tiny_llama(), {});
  EXPECT_EQ(optimizer_bytes_per_element(plan), 16);  // two fp64 moments
  plan.precision = Precision::fp32;
  EXPECT_EQ(optimizer_bytes_per_element(plan), 8);
  plan.precision = Precision::bf16;
  EXPECT_EQ(optimizer_bytes_per_element(plan), 10);  // two fp32 moments, half a master
  plan.optimizer = OptimizerKind::sgd;
  EXPECT_EQ(optimizer_bytes_per_element(plan), 2);
}

}  // namespace
}  // namespace argosy
