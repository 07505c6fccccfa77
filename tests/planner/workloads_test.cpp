// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Models and tasks that can be planned but not trained yet: what their layers cost, and that memory
// and time of a candidate follow from the same ledger as everybody's.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>

#include "planner/cost/evaluate.h"
#include "planner/spec/check.h"
#include "planner/spec/work.h"
#include "tests/planner/small_jobs.h"
#include "tests/planner/work_counts.h"

namespace argosy {
namespace {

const std::filesystem::path kModels = std::filesystem::path(ARGOSY_SOURCE_DIR) / "configs/models";

constexpr const char* kGptOss = R"({"model_type": "gpt_oss", "vocab_size": 130, "hidden_size": 16,
    "intermediate_size": 24, "num_hidden_layers": 6, "num_attention_heads": 4, "head_dim": 8,
    "num_key_value_heads": 2, "num_local_experts": 4, "num_experts_per_tok": 2,
    "sliding_window": 8})";
constexpr const char* kOlmoe = R"({"model_type": "olmoe", "vocab_size": 130, "hidden_size": 16,
    "intermediate_size": 24, "num_hidden_layers": 6, "num_attention_heads": 4,
    "num_key_value_heads": 4, "num_experts": 4, "num_experts_per_tok": 2})";
// Dense layers first; a module for multi-token prediction.
constexpr const char* kDeepSeek = R"({"model_type": "deepseek_v3", "vocab_size": 130,
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 6, "num_attention_heads": 4,
    "q_lora_rank": 8, "kv_lora_rank": 8, "qk_nope_head_dim": 4, "qk_rope_head_dim": 4,
    "v_head_dim": 4, "n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2,
    "moe_intermediate_size": 8, "first_k_dense_replace": 1, "num_nextn_predict_layers": 1})";

Job job_of(const char* config) {
  Job job = small_job(SmallModel::llama, 8, 8);
  job.model = parse_model(config, "small", "small").model;
  return job;
}

std::vector<Candidate> candidates() {
  std::vector<Candidate> all;
  for (const int64_t tp : {1, 2}) {
    for (const int64_t pp : {1, 2, 4}) {
      for (const int zero : {0, 1, 2, 3}) {
        for (const Recompute recompute : {Recompute::none, Recompute::selective, Recompute::full}) {
          Candidate c;
          c.mesh.tp = tp;
          c.mesh.pp = pp;
          c.mesh.dp = 8 / tp / pp;
          c.mesh.ep = c.mesh.dp > 1 ? 2 : 1;
          c.sequence_parallel = tp > 1;
          c.zero_stage = zero;
          c.recompute = recompute;
          all.push_back(c);
        }
      }
    }
  }
  return all;
}

std::string name_of(const Job& job, const Candidate& c) {
  return concat(job.model.model_type, " tp=", c.mesh.tp, " pp=", c.mesh.pp, " zero=", c.zero_stage,
                " recompute=", to_string(c.recompute));
}

// Where layers of several kinds share a stage, which of them is gathered or runs again first is not
// known to the sums: an upper bound.
void expect_memory_of_the_ledger(const Job& job, const Candidate& c) {
  LayerCostCache cache(job);
  const std::vector<StageLayers> stages = stage_layers(job.model, c.mesh.pp);
  for (int64_t stage = 0; stage < c.mesh.pp; ++stage) {
    const StageMemory memory =
        stage_memory(job, c, stages, stage, cache.elements(c), cache.costs(c));
    const Ledger ledger = predict_ledger(to_plan(job, c), stage * c.mesh.stage_size());
    EXPECT_EQ(memory.bytes[0], ledger.parameter_bytes) << name_of(job, c) << " stage " << stage;
    EXPECT_GE(memory.bytes[1], ledger.gradient_bytes) << name_of(job, c) << " stage " << stage;
    EXPECT_EQ(memory.bytes[2], ledger.optimizer_bytes) << name_of(job, c) << " stage " << stage;
    EXPECT_GE(memory.bytes[3], ledger.activation_peak_bytes) << name_of(job, c);
    if (c.zero_stage < 2) {
      EXPECT_EQ(memory.bytes[1], ledger.gradient_bytes) << name_of(job, c);
    }
    if (c.recompute != Recompute::full) {
      EXPECT_EQ(memory.bytes[3], ledger.activation_peak_bytes) << name_of(job, c);
    }
  }
}

TEST(Workloads, MemoryEqualsTheLedger) {
  for (const char* config : {kGptOss, kOlmoe, kDeepSeek}) {
    const Job job = job_of(config);
    for (const Candidate& c : candidates()) expect_memory_of_the_ledger(job, c);
  }
}

std::map<CollectiveKey, CollectiveTotal> totals_of(const Pass& pass, const Job& job,
                                                   const Mesh& mesh) {
  std::map<CollectiveKey, CollectiveTotal> totals;
  for (const CollectiveWork& work : pass.collectives) {
    const bool is_kv = work.axis == Axis::kv_replica;
    const int64_t ranks =
        is_kv ? std::max<int64_t>(1, mesh.tp / job.model.num_kv_heads) : degree(mesh, work.axis);
    if (ranks == 1) continue;
    CollectiveTotal& total = totals[{work.kind, work.axis}];
    total.count += work.count;
    total.bytes += work.count * work.bytes;
  }
  return totals;
}

TEST(Workloads, StepPassEqualsStepWork) {
  for (const char* config : {kGptOss, kOlmoe, kDeepSeek}) {
    const Job job = job_of(config);
    LayerCostCache cache(job);
    for (const Candidate& c : candidates()) {
      const std::vector<StageLayers> stages = stage_layers(job.model, c.mesh.pp);
      for (int64_t stage = 0; stage < c.mesh.pp; ++stage) {
        const bool is_end = stage == 0 || stage == c.mesh.pp - 1;
        const bool is_tied = job.model.needs_embedding_at_end() && c.mesh.pp > 1 && is_end;
        const std::vector<StageBucket> buckets = stage_buckets(
            stages[static_cast<size_t>(stage)], cache.elements(c), is_tied && stage > 0, is_tied);
        const Pass expected = step_work(to_plan(job, c), stage * c.mesh.stage_size());
        EXPECT_EQ(totals_of(step_pass(job, c, buckets), job, c.mesh),
                  totals_of(expected, job, c.mesh))
            << name_of(job, c) << " stage " << stage;
      }
    }
  }
}

// Layers in turn: 8 keys at most, and all 64 tokens before.
TEST(Workloads, AlternatingWindowsCountTheirPairs) {
  const Job job = job_of(kGptOss);
  Candidate c;
  c.mesh.dp = 8;
  const Plan plan = to_plan(job, c);
  const std::vector<LayerWork> layers = stage_work(plan, 0);
  const auto attention = [&](int64_t pairs) { return 4 * 8 * 4 * pairs; };  // 4 D a pair and head
  const int64_t windowed = 8 * 9 / 2 + (64 - 8) * 8, full = 64 * 65 / 2;
  EXPECT_EQ(flops(layers[2].forward) - flops(layers[1].forward),
            attention(full) - attention(windowed));
  EXPECT_EQ(layers[2].saved_bytes, layers[1].saved_bytes);
  ModelSpec all_full = job.model;
  all_full.sliding_window = 0;
  Plan wider = plan;
  wider.model = all_full;
  EXPECT_DOUBLE_EQ(model_flops_per_step(wider) - model_flops_per_step(plan),
                   8 * 3.0 * 3 * static_cast<double>(attention(full) - attention(windowed)));
  EXPECT_DOUBLE_EQ(model_flops_per_step(wider, true), model_flops_per_step(plan, true));
}

double gflop_per_token(const ModelSpec& model, int64_t seq_len) {
  Plan plan;
  plan.model = model;
  plan.seq_len = seq_len;
  plan.layers_per_stage = {model.num_layers};
  plan.recompute.assign(static_cast<size_t>(model.num_layers), Recompute::none);
  return model_flops_per_step(plan) / static_cast<double>(seq_len) / 1e9;
}

// Megatron-Bridge's performance summaries print TFLOPs and tokens/s of DeepSeek-V3 at 4,096 tokens:
// their quotient is 260 GFLOP a token with its module for multi-token prediction, 250 without.
TEST(Workloads, MultiTokenPredictionCostsWhatNvidiaCounts) {
  ModelSpec model = read_model(kModels / "deepseek-v3.json").model;
  EXPECT_NEAR(gflop_per_token(model, 4096), 260, 3);
  model.num_mtp_modules = 0;
  EXPECT_NEAR(gflop_per_token(model, 4096), 250, 3);
}

// The module stands on the last stage, with a copy of the embedding and logits of its own.
TEST(Workloads, MultiTokenPredictionIsOnTheLastStage) {
  const Job with = job_of(kDeepSeek);
  Job without = with;
  without.model.num_mtp_modules = 0;
  Candidate c;
  c.mesh.pp = 2;
  c.mesh.dp = 4;
  const auto memory = [&](const Job& job, int64_t stage) {
    LayerCostCache cache(job);
    return stage_memory(job, c, stage_layers(job.model, 2), stage, cache.elements(c),
                        cache.costs(c));
  };
  EXPECT_EQ(memory(with, 0).total_bytes, memory(without, 0).total_bytes);
  const int64_t added = memory(with, 1).bytes[0] - memory(without, 1).bytes[0];
  EXPECT_EQ(added, 2 * (count_parameters(with.model).mtp + 130 * 16));
  EXPECT_GT(memory(with, 1).bytes[3], memory(without, 1).bytes[3]);
  const std::vector<LayerWork> layers = stage_work(to_plan(with, c), 1);
  ASSERT_EQ(layers.back().layer, 7);
  const LayerWork& head = layers[layers.size() - 2];
  EXPECT_EQ(flops(layers.back().forward),
            flops(head.forward) + flops(layers.front().forward) + 2 * 64 * 32 * 16);
  EXPECT_EQ(layers.back().saved_bytes,
            head.saved_bytes + layers.front().saved_bytes + 64 * 16 * 2 + 2 * 64 * 4);
}

}  // namespace
}  // namespace argosy
