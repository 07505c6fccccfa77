// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Models and tasks beside plain pre-training: what their layers cost, and that memory and time of a
// candidate follow from the same ledger as everybody's.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>

#include "planner/cost/compute.h"
#include "planner/cost/evaluate.h"
#include "planner/cost/offload.h"
#include "planner/cost/search.h"
#include "planner/cost/step_pass.h"
#include "planner/spec/check.h"
#include "planner/spec/nf4.h"
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

Job lora_job(int64_t base_bits) {
  Job job = small_job(SmallModel::llama, 8, 8);
  job.model = read_model(kModels / "llama-2-7b.json").model;
  job.task = Task::lora;
  job.lora = {8, 16.0, {"q_proj", "v_proj"}, base_bits};
  return job;
}

Box whole(int64_t rows, int64_t cols) {
  return {{0, rows}, {0, cols}};
}

// Dettmers et al. 2023 (arXiv:2305.14314, section 3): 4 bits, and scales of 0.127 bits a parameter.
TEST(Qlora, Nf4TakesTheBitsOfThePaper) {
  const double bits = 8.0 * static_cast<double>(nf4_bytes(whole(4096, 4096))) / (4096 * 4096);
  EXPECT_NEAR(bits, 4.127, 0.0005);
  EXPECT_EQ(nf4_bytes(whole(1, 1)), 1 + 1 + 4);
  EXPECT_EQ(nf4_bytes(whole(1, 128)), 64 + 2 + 4);
  EXPECT_EQ(nf4_bytes(whole(0, 128)), 0);
}

// Blocks are of the whole weight: a part that cuts them keeps the scales of all that it touches.
TEST(Qlora, PartsKeepTheScalesOfWhatTheyTouch) {
  const Box part = {{60, 70}, {100, 300}};  // blocks 1 to 4 of 10 rows; 2 by 2 tiles
  EXPECT_EQ(nf4_bytes(part), 1000 + 10 * 4 + 4 * 4);
  EXPECT_EQ(nf4_tiles_around(part, 100, 310), (Box{{0, 100}, {0, 310}}));
  EXPECT_EQ(nf4_tiles_around(part, 1000, 1000), (Box{{0, 128}, {0, 512}}));
  EXPECT_EQ(nf4_bytes({{64, 128}, {256, 512}}), 64 * 256 / 2 + 256 + 4);
}

TEST(Qlora, BlocksAreQuantizedAndTheRestIsNot) {
  const Job job = lora_job(4);
  Candidate c;
  c.mesh.dp = 8;
  LayerCostCache cache(job);
  const StageMemory memory =
      stage_memory(job, c, stage_layers(job.model, 1), 0, cache.elements(c), cache.costs(c));
  const int64_t products =
      32 * (4 * nf4_bytes(whole(4096, 4096)) + 3 * nf4_bytes(whole(4096, 11008)));
  const int64_t tables = 2 * 32000 * 4096, norms = 65 * 4096, adapters = 32 * 2 * 8 * 8192;
  EXPECT_EQ(memory.bytes[0], products + 2 * (tables + norms + adapters));
  EXPECT_EQ(memory.bytes[0], predict_ledger(to_plan(job, c), 0).parameter_bytes);
  EXPECT_EQ(memory.bytes[1], 4 * adapters);
}

// Each pass reads a block's weights in NF4 and writes them in bf16; no product has more FLOPs.
TEST(Qlora, EachPassDequantizes) {
  Candidate c;
  c.mesh.dp = 8;
  const LayerWork plain = layer_works(lora_job(16), c)[1], packed = layer_works(lora_job(4), c)[1];
  const auto moved = [](const Pass& pass) {
    int64_t bytes = 0;
    for (const OpWork& op : pass.ops) bytes += op.bytes * op.count;
    return bytes;
  };
  const int64_t weights = 4 * 4096 * 4096 + 3 * 4096 * 11008;
  const int64_t once =
      4 * nf4_bytes(whole(4096, 4096)) + 3 * nf4_bytes(whole(4096, 11008)) + 2 * weights;
  EXPECT_EQ(moved(packed.forward) - moved(plain.forward), once);
  EXPECT_EQ(moved(packed.backward) - moved(plain.backward), once);
  EXPECT_EQ(flops(packed.forward), flops(plain.forward));
  EXPECT_EQ(packed.saved_bytes, plain.saved_bytes);
  EXPECT_EQ(packed.workspace_bytes - plain.workspace_bytes, 2 * 4096 * 11008);
}

// Adapters of 8 on q and v alone add 0.1%: what is left is two products of three.
TEST(Qlora, LoraCountsTwoThirdsOfTheLinears) {
  Job job = lora_job(16);
  Candidate c;
  c.mesh.dp = 8;
  job.seq_len = 4096;
  const double lora = model_flops_per_step(to_plan(job, c));
  job.task = Task::finetune;
  job.lora = {};
  const double full = model_flops_per_step(to_plan(job, c));
  const double pairs = 4096.0 * 4097 / 2, attention = 8 * 32 * 3 * 4.0 * 128 * 32 * pairs;
  EXPECT_NEAR((lora - attention) / (full - attention), 2.0 / 3, 0.002);
}

// Shards of a frozen base are gathered as they are stored.
TEST(Qlora, ShardsAreGatheredInNf4) {
  const Job plain = lora_job(16), packed = lora_job(4);
  Candidate c;
  c.mesh.dp = 8;
  c.zero_stage = 3;
  const auto gathered = [&](const Job& job) {
    const Pass pass = step_work(to_plan(job, c), 0);
    LayerCostCache cache(job);
    EXPECT_EQ(totals_of(step_pass(job, c,
                                  stage_buckets(stage_layers(job.model, 1)[0], cache.elements(c),
                                                false, false)),
                        job, c.mesh),
              totals_of(pass, job, c.mesh));
    return totals_of(pass, job, c.mesh)[{CollectiveKind::all_gather, Axis::dp_cp}].bytes;
  };
  EXPECT_LT(gathered(packed), gathered(plain) / 3);
}

// A rank keeps a part of a block's bytes, levels and scales, and lent memory has them all; tables
// and the last norm are cut by elements. By hand, and as the layout of each rank says.
TEST(Qlora, ShardsAreKeptAndLentInNf4) {
  const int64_t block =
      4 * nf4_bytes(whole(4096, 4096)) + 3 * nf4_bytes(whole(4096, 11008)) + 2 * 2 * 4096;
  const int64_t table = 2 * 32000 * 4096, norm = 2 * 4096, adapters = 2 * 2 * 8 * 8192;
  Job job = lora_job(4);
  Candidate c;
  for (const int64_t dp : {8, 7}) {  // bytes that divide, and that do not
    job.cluster.num_devices = job.global_batch = dp;
    c.mesh.dp = dp;
    LayerCostCache cache(job);
    const auto memory = [&](int zero_stage) {
      c.zero_stage = zero_stage;
      return stage_memory(job, c, stage_layers(job.model, 1), 0, cache.elements(c), cache.costs(c));
    };
    const auto part = [&](int64_t size) { return split_range(size, dp, 0).size(); };
    const StageMemory whole_base = memory(2), shards = memory(3);
    EXPECT_EQ(shards.bytes[0], 32 * (part(block) + 2 * part(adapters / 2)) +
                                   2 * (2 * part(table / 2)) + 2 * part(norm / 2));
    const auto buffers = static_cast<size_t>(MemoryCategory::buffers);
    EXPECT_EQ(shards.bytes[buffers] - whole_base.bytes[buffers],
              block + adapters + std::max(block + adapters, table + norm));
    const Plan plan = to_plan(job, c);
    EXPECT_EQ(shards.bytes[0], predict_ledger(plan, 0).parameter_bytes);
    int64_t next = 0;
    for (int64_t rank = 0; rank < dp; ++rank) {
      const RankLayout layout = rank_layout(plan, model_tensors(plan.model, plan.lora), rank);
      const Bucket& bucket =
          layout[Domain::dense_frozen].buckets[2];  // embedding, block 0, block 1
      ASSERT_EQ(bucket.layer, 1);
      EXPECT_EQ(bucket.packed_bytes, block);
      EXPECT_EQ(bucket.packed_shard.begin, next);
      next = bucket.packed_shard.end;
    }
    EXPECT_EQ(next, block);
  }
}

TEST(Fp8, CopiesStandBesideBf16Weights) {
  Job job = small_job(SmallModel::llama, 8, 8);
  job.model = read_model(kModels / "llama-2-7b.json").model;
  Candidate c;
  c.mesh.dp = 8;
  const auto parameters = [&](Precision precision) {
    job.precision = precision;
    LayerCostCache cache(job);
    return stage_memory(job, c, stage_layers(job.model, 1), 0, cache.elements(c), cache.costs(c));
  };
  job.cluster.accelerator.fp8_flops_per_s = 2e12;
  const StageMemory bf16 = parameters(Precision::bf16), fp8 = parameters(Precision::fp8);
  EXPECT_EQ(fp8.bytes[0] - bf16.bytes[0], 2 * int64_t{32} * (4 * 4096 * 4096 + 3 * 4096 * 11008));
  EXPECT_EQ(fp8.bytes[0], predict_ledger(to_plan(job, c), 0).parameter_bytes);
  for (const size_t category : {1, 2, 3}) EXPECT_EQ(fp8.bytes[category], bf16.bytes[category]);
}

// Blocks' products run at the peak of 8 bits behind a cast, the rest at that of bf16.
TEST(Fp8, OnlyProductsOfBlocksRunIn8Bits) {
  Accelerator a;
  a.bf16_flops_per_s = 1e12;
  a.fp8_flops_per_s = 2e12;
  a.memory_bytes_per_s = 1e9;
  OpWork op{.kind = OpKind::matmul,
            .flops = 4'000'000'000'000,
            .bytes = 100'000'000,
            .is_block_product = true};
  EXPECT_NEAR(op_seconds(op, a, Precision::bf16), 4, 1e-9);
  EXPECT_NEAR(op_seconds(op, a, Precision::fp8), 2 + 0.05, 1e-9);
  op.is_block_product = false;
  EXPECT_NEAR(op_seconds(op, a, Precision::fp8), 4, 1e-9);
  op.kind = OpKind::attention;
  EXPECT_NEAR(op_seconds(op, a, Precision::fp8), 4, 1e-9);
  Candidate c;
  c.mesh.dp = 8;
  const LayerWorks works = layer_works(small_job(SmallModel::moe, 8, 8), c);
  const auto share = [](const Pass& pass) {
    Pass products = pass;
    std::erase_if(products.ops, [](const OpWork& each) { return !each.is_block_product; });
    return static_cast<double>(flops(products)) / static_cast<double>(flops(pass));
  };
  EXPECT_GT(share(works[static_cast<size_t>(LayerKind::moe)].forward), 0.85);  // attention, router
  EXPECT_EQ(share(works[static_cast<size_t>(LayerKind::head)].forward), 0);
}

TEST(Fp8, MfuIsOfThe8BitPeak) {
  Job job = small_job(SmallModel::llama, 8, 8);
  job.cluster.accelerator.fp8_flops_per_s = 2e12;
  Candidate c;
  c.mesh.dp = 8;
  const auto predicted = [&](Precision precision) {
    job.precision = precision;
    LayerCostCache cache(job);
    return evaluate(job, c, cache).plan.predicted;
  };
  const Prediction bf16 = predicted(Precision::bf16), fp8 = predicted(Precision::fp8);
  EXPECT_LT(fp8.step_s, bf16.step_s);
  EXPECT_EQ(fp8.peak_flops_per_device, 2e12);
  EXPECT_NEAR(fp8.mfu * fp8.step_s, bf16.mfu * bf16.step_s / 2, 1e-12);
  EXPECT_NEAR(fp8.tflops_per_device * fp8.step_s, bf16.tflops_per_device * bf16.step_s, 1e-9);
}

// The rank whose experts are chosen most: its rows, its bytes, its messages; what the model needs
// stays.
TEST(MoeImbalance, FullestRankHasMoreRows) {
  Job job = small_job(SmallModel::moe, 8, 8);
  Candidate c;
  c.mesh.dp = 8;
  c.mesh.ep = 4;
  const auto verdict = [&](double imbalance, double capacity) {
    job.moe_imbalance = imbalance;
    c.moe_capacity_factor = capacity;
    LayerCostCache cache(job);
    return evaluate(job, c, cache).plan;
  };
  const Plan even = verdict(1, 0), uneven = verdict(1.5, 0);
  EXPECT_GT(uneven.predicted.step_s, even.predicted.step_s);
  EXPECT_LT(uneven.predicted.mfu, even.predicted.mfu);
  EXPECT_EQ(uneven.predicted.moe_imbalance, 1.5);
  // Inputs, gate and up of 64 tokens of 2 experts each: half as many again in 6 layers.
  const auto activations = [](const Plan& plan) { return plan.predicted.memory_bytes[3]; };
  EXPECT_EQ(activations(uneven) - activations(even), 6 * 64 * (64 + 2 * 128) * 2);
  // A capacity lets no more in than its factor, be it above or below the mean.
  EXPECT_EQ(activations(verdict(1.5, 1.25)) - activations(even), 6 * 32 * (64 + 2 * 128) * 2);
  EXPECT_EQ(activations(verdict(1.0, 1.25)), activations(even));
  EXPECT_EQ(activations(even) - activations(verdict(1.5, 0.5)), 6 * 64 * (64 + 2 * 128) * 2);
  EXPECT_LT(verdict(1.0, 0.5).predicted.step_s, even.predicted.step_s);
  // The ledger that a run is held against counts even routing.
  EXPECT_EQ(predict_ledger(uneven, 0).activation_peak_bytes, activations(even));
}

Job offload_job() {
  Job job = small_job(SmallModel::llama, 8, 8);
  job.cluster.host_memory_bytes = int64_t{1} << 30;
  job.cluster.host_memory_bytes_per_s = 40e9;
  job.cluster.host_link_bytes_per_s = 20e9;
  return job;
}

TEST(Offload, OptimizerMovesToTheHost) {
  Job job = offload_job();
  job.cluster.devices_per_node = 8;  // one node has no stragglers to wait for
  Candidate c;
  c.mesh.dp = 8;
  c.zero_stage = 1;
  LayerCostCache cache(job);
  const Prediction on_device = evaluate(job, c, cache).plan.predicted;
  c.offload = Offload::optimizer;
  const Plan plan = evaluate(job, c, cache).plan;
  const Prediction& offloaded = plan.predicted;
  EXPECT_EQ(offloaded.memory_bytes[2], 0);
  EXPECT_EQ(offloaded.peak_bytes, on_device.peak_bytes - on_device.memory_bytes[2]);
  // Moments of 4 bytes each and 2 of the master, there as here: the rank's ledger to the byte.
  EXPECT_EQ(offloaded.host_bytes, on_device.memory_bytes[2]);
  EXPECT_EQ(predict_ledger(plan, 0).host_bytes, offloaded.host_bytes);
  EXPECT_EQ(predict_ledger(plan, 0).optimizer_bytes, 0);
  // 8 devices share 40 GB/s, over which 28 bytes an element move; 6 bytes over 20 GB/s are faster.
  const double elements = static_cast<double>(on_device.memory_bytes[2]) / 10;
  const double update_s = elements * 28 / 5e9;
  c.offload = Offload::none;
  const Pass step = step_pass(
      job, c, stage_buckets(stage_layers(job.model, 1)[0], cache.elements(c), false, false));
  const double on_device_s = compute_seconds(step, job.cluster.accelerator, job.precision);
  EXPECT_NEAR(offloaded.stages[0].optimizer_s - on_device.stages[0].optimizer_s,
              update_s - on_device_s, 1e-12);
  EXPECT_GT(offloaded.step_s, on_device.step_s);
}

TEST(Offload, TheSlowerOfLinkAndHostCounts) {
  Job job = offload_job();
  Candidate c;
  c.offload = Offload::optimizer;
  StageBucket bucket;
  bucket.elements.size = 1000;
  EXPECT_NEAR(offload_seconds(job, c, {bucket}), 1000 * 28 / 10e9, 1e-15);
  job.cluster.host_link_bytes_per_s = 1e9;  // 4 bytes of gradient and 2 of weight down, 2 up
  EXPECT_NEAR(offload_seconds(job, c, {bucket}), 1000 * 6 / 1e9, 1e-15);
  c.offload = Offload::none;
  EXPECT_EQ(offload_seconds(job, c, {bucket}), 0);
}

TEST(Offload, HostMemoryIsChecked) {
  Job job = offload_job();
  Candidate c;
  c.mesh.dp = 8;
  c.offload = Offload::optimizer;
  job.cluster.host_memory_bytes = 1 << 20;  // of four devices
  LayerCostCache cache(job);
  const Verdict verdict = evaluate(job, c, cache);
  EXPECT_FALSE(verdict.feasible);
  EXPECT_NE(verdict.reason.find("short of host memory"), std::string::npos) << verdict.reason;
  EXPECT_GT(verdict.missing_bytes, 0);
}

// What passes through the host takes 9 MiB of it with bf16 weights, on each device's account.
TEST(Offload, LoadsTakeMemoryOfTheHostToo) {
  Job job = offload_job();
  job.cluster.devices_per_node = 4;
  const int64_t share = job.cluster.host_memory_bytes / 4;
  EXPECT_EQ(missing_host_bytes(job, 0), -share);
  EXPECT_EQ(missing_host_bytes(job, 1000), 1000 + 9 * (1 << 20) - share);
  job.precision = Precision::fp32;
  EXPECT_EQ(missing_host_bytes(job, 1000), 1000 + 12 * (1 << 20) - share);
}

TEST(Offload, MakesRoomForPlansThatDoNotFit) {
  Job job = offload_job();
  job.global_batch = 16;
  Candidate c;
  c.mesh.dp = 8;
  LayerCostCache cache(job);
  const int64_t peak = evaluate(job, c, cache).plan.predicted.peak_bytes;
  job.cluster.accelerator.memory_bytes = peak / 2;
  const Fixed none = parse_fixed("tp=1,pp=1,zero=0"),
              host = parse_fixed("tp=1,pp=1,zero=0,offload=optimizer");
  EXPECT_TRUE(search(job, none, 1, 1).plans.empty());
  const SearchResult found = search(job, host, 1, 1);
  ASSERT_FALSE(found.plans.empty());
  EXPECT_EQ(found.plans.front().offload, Offload::optimizer);
  job.cluster.host_memory_bytes = 0;
  EXPECT_THROW(search(job, host, 1, 1), ConfigError);
}

}  // namespace
}  // namespace argosy
