// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// FLOPs, saved bytes and collectives of the layers against counts by hand. tiny models: H = 8,
// 4 heads of 2, T = 8 tokens in a micro-batch, fp64, so e = z = 8 bytes and (n, H)e = 512 bytes.
#include "planner/spec/work.h"

#include <gtest/gtest.h>

#include "tests/planner/tiny_models.h"
#include "tests/planner/work_counts.h"

namespace argosy {
namespace {

constexpr int64_t kFullBytes = 8 * 8 * 8;  // (n, H)e
// A block of tiny_llama on one rank: q, k, v, attention, o, three MLP products.
constexpr int64_t kProjectionFlops = 1024 + 2 * 512 + 1024 + 3 * 1536;
constexpr int64_t kAttentionFlops = 4 * 2 * 4 * 36;  // 36 = 8 * 9 / 2 pairs
constexpr int64_t kLlamaSavedBytes = 4480;

Plan lora_plan(const ModelSpec& model, const Mesh& mesh, std::vector<std::string> targets) {
  Plan plan = tiny_plan(model, mesh, 0, 2);
  plan.lora.targets = std::move(targets);
  return plan;
}

TEST(Work, DenseBlockOnOneRank) {
  const auto layers = stage_work(tiny_plan(tiny_llama(), {}), 0);
  ASSERT_EQ(layers.size(), 5u);
  EXPECT_EQ(layers[0].layer, -1);
  EXPECT_EQ(layers[4].layer, 3);
  const LayerWork& block = layers[2];
  EXPECT_EQ(block.layer, 1);
  EXPECT_EQ(flops(block.forward), kProjectionFlops + kAttentionFlops);
  EXPECT_EQ(flops(block.backward), 2 * (kProjectionFlops + kAttentionFlops));
  EXPECT_EQ(block.saved_bytes, kLlamaSavedBytes);
  EXPECT_EQ(block.model_flops, 3 * (kProjectionFlops + kAttentionFlops));
  EXPECT_EQ(block.model_flops_palm, 3 * (kProjectionFlops + 4 * 2 * 4 * 64));
  EXPECT_TRUE(collectives(block.forward).empty());
  EXPECT_TRUE(collectives(block.backward).empty());
  EXPECT_EQ(layers[0].saved_bytes, 0);
  EXPECT_EQ(flops(layers[0].forward) + flops(layers[0].backward), 0);
  // Head: logits, gradient of the hidden state and of the weight; all in forward.
  EXPECT_EQ(flops(layers[4].forward), 3 * 2 * 8 * 13 * 8);
  EXPECT_EQ(flops(layers[4].backward), 0);
  EXPECT_EQ(layers[4].saved_bytes, 2 * kFullBytes + 8 * 8);
}

// Products say which weight they are of and what they make, and where backward makes again what
// forward does not keep.
TEST(Work, WhatOpsAreOf) {
  const LayerWork block = stage_work(tiny_plan(tiny_llama(), {}), 0).at(1);
  int64_t num_gradients = 0, num_again = 0;
  for (const OpWork& op : block.backward.ops) {
    num_again += op.is_computed_again ? 1 : 0;
    if (op.kind != OpKind::matmul) continue;
    EXPECT_NE(op.block_product, BlockProduct::none);
    EXPECT_NE(op.product_of, ProductOf::output);
    num_gradients += op.product_of == ProductOf::weight_gradient ? 1 : 0;
  }
  EXPECT_EQ(num_gradients, 7);  // q, k, v, o, gate, up, down
  EXPECT_EQ(num_again, 4);      // both normed inputs, the activation, rotations
}

// Two LayerNorm statistics, no gate, as many key/value heads as heads.
TEST(Work, Gpt2Block) {
  const LayerWork block = stage_work(tiny_plan(tiny_gpt2(), {}), 0).at(1);
  EXPECT_EQ(block.saved_bytes, 512 + 128 + 3 * 512 + 512 + 256 + 512 + 128 + 8 * 32 * 8);
  EXPECT_EQ(flops(block.forward), 4 * 1024 + kAttentionFlops + 2 * 2 * 8 * 8 * 32);
}

TEST(Work, SequenceParallelHalvesEverything) {
  const auto layers = stage_work(tiny_plan(tiny_llama(), {.tp = 2}), 0, 1);
  const LayerWork& block = layers[1];
  EXPECT_EQ(block.saved_bytes, kLlamaSavedBytes / 2);
  EXPECT_EQ(flops(block.forward), (kProjectionFlops + kAttentionFlops) / 2);
  EXPECT_EQ(block.model_flops, 3 * (kProjectionFlops + kAttentionFlops) / 2);
  // Korthikanti et al. (arXiv 2205.05198), section 4.2.2, and the gathers of saved inputs.
  EXPECT_EQ(collectives(block.forward), (Calls{{"all_gather over tp", times(2, kFullBytes)},
                                               {"reduce_scatter over tp", times(2, kFullBytes)}}));
  EXPECT_EQ(collectives(block.backward), (Calls{{"all_gather over tp", times(4, kFullBytes)},
                                                {"reduce_scatter over tp", times(2, kFullBytes)}}));
  EXPECT_EQ(collectives(layers[0].forward),
            (Calls{{"reduce_scatter over tp", times(1, kFullBytes)}}));
  EXPECT_EQ(collectives(layers[0].backward), (Calls{{"all_gather over tp", times(1, kFullBytes)}}));
  // One chunk of 8 tokens: the maximum, then sum and target logit.
  EXPECT_EQ(collectives(layers[4].forward), (Calls{{"all_gather over tp", times(1, kFullBytes)},
                                                   {"all_reduce over tp", {8 * 8, 2 * 8 * 8}},
                                                   {"reduce_scatter over tp", {kFullBytes}}}));
  EXPECT_EQ(flops(layers[4].forward), 3 * 2 * 8 * 6 * 8);  // 6 of 13 rows
  EXPECT_TRUE(collectives(layers[4].backward).empty());
}

TEST(Work, TensorParallelWithoutSequenceParallel) {
  Plan plan = tiny_plan(tiny_llama(), {.tp = 2});
  plan.sequence_parallel = false;
  const auto layers = stage_work(plan, 0);
  const Calls two_sums = {{"all_reduce over tp", times(2, kFullBytes)}};
  EXPECT_EQ(collectives(layers[1].forward), two_sums);
  EXPECT_EQ(collectives(layers[1].backward), two_sums);
  EXPECT_EQ(collectives(layers[0].forward), (Calls{{"all_reduce over tp", {kFullBytes}}}));
  EXPECT_TRUE(collectives(layers[0].backward).empty());
  EXPECT_EQ(collectives(layers[4].forward), (Calls{{"all_reduce over tp", {64, 128, kFullBytes}}}));
  // Input, MLP input and statistics are whole on both ranks, the rest is halved.
  EXPECT_EQ(layers[1].saved_bytes, (kLlamaSavedBytes + 2 * (512 + 64)) / 2);
}

TEST(Work, CopiesOfKeyValueHeads) {
  const LayerWork block = stage_work(tiny_plan(tiny_qwen2(), {.tp = 2}), 0).at(1);
  // q and o halved; k and v of the one head whole on both; MLP halved.
  EXPECT_EQ(flops(block.forward), 512 + 2 * 256 + 512 + 3 * 768 + kAttentionFlops / 2);
  // MFU counts the copies once.
  EXPECT_EQ(block.model_flops, 3 * (1024 + 2 * 256 + 1024 + 3 * 1536 + kAttentionFlops) / 2);
}

TEST(Work, Lora) {
  // r = 2 and all seven Linears: in + out = 16 + 12 + 12 + 16 + 20 + 20 + 20.
  const int64_t adapter_flops = 2 * 8 * 2 * 116;
  const auto layers = stage_work(lora_plan(tiny_llama(), {}, {"all-linear"}), 0);
  EXPECT_EQ(flops(layers[1].forward), kProjectionFlops + kAttentionFlops + adapter_flops);
  EXPECT_EQ(flops(layers[1].backward), kProjectionFlops + 2 * kAttentionFlops + 2 * adapter_flops);
  EXPECT_EQ(layers[1].saved_bytes, kLlamaSavedBytes + 7 * 8 * 2 * 8);
  EXPECT_EQ(flops(layers[4].forward), 2 * 2 * 8 * 13 * 8);  // the head is frozen
}

TEST(Work, LoraGathersInputsOnlyForAdapters) {
  const auto all = stage_work(lora_plan(tiny_llama(), {.tp = 2}, {"all-linear"}), 0);
  EXPECT_EQ(collectives(all[1].backward)["all_gather over tp"].size(), 4u);
  EXPECT_TRUE(collectives(all[0].backward).empty());  // a frozen embedding
  const auto one = stage_work(lora_plan(tiny_llama(), {.tp = 2}, {"v_proj", "down_proj"}), 0);
  EXPECT_EQ(collectives(one[1].backward)["all_gather over tp"].size(), 3u);
  const auto row = stage_work(lora_plan(tiny_llama(), {.tp = 2}, {"o_proj"}), 0);
  EXPECT_EQ(collectives(row[1].backward)["all_gather over tp"].size(), 2u);
  EXPECT_EQ(row[1].saved_bytes, kLlamaSavedBytes / 2 + 8 * 2 * 8);
}

// Up to gate and up: what nothing in backward reads is not run again.
TEST(Work, RecomputeRunsForwardAgain) {
  Plan plan = tiny_plan(tiny_llama(), {.tp = 2});
  plan.recompute[1] = Recompute::full;
  const auto layers = stage_work(plan, 0);
  EXPECT_EQ(layers[2].saved_bytes, 4 * 8 * 8);  // the input alone
  constexpr int64_t kDownFlops = 2 * 8 * 12 * 8 / 2;
  EXPECT_EQ(flops(layers[2].unread), kDownFlops);
  EXPECT_EQ(flops(layers[2].backward),
            flops(layers[1].backward) + flops(layers[1].forward) - kDownFlops);
  EXPECT_EQ(layers[2].backward.collectives.size(),
            layers[1].backward.collectives.size() + layers[1].forward.collectives.size() - 1);
  EXPECT_EQ(layers[2].model_flops, layers[1].model_flops);
  EXPECT_EQ(layers[3].saved_bytes, layers[1].saved_bytes);
}

// GELU comes with the product before it; an adapter behind an activation reads it; the gradient of
// the router's weights reads the rows that experts return, that of a shared expert's gate its
// output.
TEST(Work, WhatFullRecomputationNeedNotRun) {
  const auto unread = [](Plan plan) {
    plan.recompute.assign(plan.recompute.size(), Recompute::full);
    return stage_work(plan, 0).at(2).unread;  // a mixture, where there are any
  };
  const Pass gpt2 = unread(tiny_plan(tiny_gpt2(), {}));
  EXPECT_EQ(flops(gpt2), 2 * 8 * 8 * 32);
  ASSERT_EQ(gpt2.ops.size(), 2u);  // the product, the residual
  const Pass adapted = unread(lora_plan(tiny_llama(), {}, {"down_proj"}));
  EXPECT_EQ(flops(adapted), 2 * 8 * 12 * 8 + 2 * 8 * 2 * 8);  // x W^T and u B^T
  ASSERT_EQ(adapted.ops.size(), 3u);
  EXPECT_EQ(unread(tiny_plan(tiny_llama(), {})).ops.size(), 3u);  // the activation as well
  for (const ModelSpec& mixture : {tiny_mixtral(), tiny_qwen2_moe()}) {
    const Pass pass = unread(tiny_plan(mixture, {.tp = 2}));
    EXPECT_EQ(flops(pass), 0) << mixture.name;
    EXPECT_TRUE(pass.collectives.empty()) << mixture.name;
    EXPECT_FALSE(pass.ops.empty()) << mixture.name;
  }
  ModelSpec ungated = tiny_qwen2_moe();
  ungated.moe.shared_gate = false;
  const Pass shared = unread(tiny_plan(ungated, {.tp = 2}));
  EXPECT_EQ(flops(shared), 2 * 8 * 4 * 8 / 2);  // as a dense MLP of width 4
  EXPECT_EQ(collectives(shared)["reduce_scatter over tp"].size(), 1u);
}

// Attention as in tiny_llama; 4 experts of width 6, 2 a token.
constexpr int64_t kMixtralAttentionFlops = 1024 + 2 * 512 + 1024 + kAttentionFlops;

TEST(Work, MoeBlock) {
  const LayerWork block = stage_work(tiny_plan(tiny_mixtral(), {.dp = 2, .ep = 2}), 0).at(1);
  const int64_t router = 2 * 8 * 4 * 8, experts = 3 * 2 * 16 * 6 * 8;
  EXPECT_EQ(flops(block.forward), kMixtralAttentionFlops + router + experts);
  EXPECT_EQ(flops(block.backward), 2 * (kMixtralAttentionFlops + router + experts));
  const int64_t rows_bytes = 8 * 2 * 8 * 8;  // (s*k, H)e = (R, H)e
  const Calls exchange = {{"all_to_all over ep", times(2, rows_bytes)}};
  EXPECT_EQ(collectives(block.forward), exchange);
  EXPECT_EQ(collectives(block.backward), exchange);
  const int64_t attention_and_norms = kLlamaSavedBytes - 2 * 8 * 12 * 8;
  const int64_t routing = 8 * 4 * 8 + 8 * 2 * 4 + 8 * 2 * 8 + 8 * 8 + 8 * 2 * 4;
  EXPECT_EQ(block.saved_bytes, attention_and_norms + routing + 2 * rows_bytes + 2 * (16 * 6 * 8));
}

TEST(Work, ExpertRowsNeedNotDivide) {
  Plan plan = tiny_plan(tiny_mixtral(), {});
  plan.seq_len = 7;  // 14 rows for 4 experts
  const LayerWork block = stage_work(plan, 0).at(1);
  int64_t expert_flops = 0, num_products = 0;
  for (const OpWork& op : block.forward.ops) {
    if (op.count == 1) continue;  // two experts of 4 rows, two of 3
    num_products += op.count;
    expert_flops += op.flops * op.count;
  }
  EXPECT_EQ(num_products, 3 * 4);
  EXPECT_EQ(expert_flops, 3 * 2 * 14 * 6 * 8);
}

TEST(Work, SharedExpertWithGate) {
  const auto layers = stage_work(tiny_plan(tiny_qwen2_moe(), {.tp = 2, .ep = 2}), 0);
  const LayerWork& dense = layers[1];
  const LayerWork& moe = layers[2];  // decoder_sparse_step 2: layers 1, 3, ...
  const int64_t router = 2 * 4 * 4 * 8, experts = 3 * 2 * 8 * 6 * 8;
  const int64_t shared = 3 * 2 * 8 * 2 * 8, gate = 2 * 4 * 8;
  const int64_t attention = (4 * 1024 + kAttentionFlops) / 2;
  EXPECT_EQ(flops(moe.forward), attention + router + experts + shared + gate);
  EXPECT_EQ(flops(moe.backward), 2 * flops(moe.forward));
  // The shared expert gathers like a dense MLP; routed rows travel over ep.
  const int64_t rows_bytes = 4 * 2 * 8 * 8;
  Calls expected = collectives(dense.forward);
  expected["all_to_all over ep"] = times(2, rows_bytes);
  EXPECT_EQ(collectives(moe.forward), expected);
  expected = collectives(dense.backward);
  expected["all_to_all over ep"] = times(2, rows_bytes);
  EXPECT_EQ(collectives(moe.backward), expected);
  const int64_t dense_mlp = 2 * 8 * 6 * 8;
  const int64_t routing = 4 * 4 * 8 + 4 * 2 * 4 + 4 * 2 * 8 + 4 * 8 + 4 * 2 * 4;
  const int64_t shared_saved = 2 * 8 * 2 * 8 + 4 * 8 * 8 + 4 * 8;
  EXPECT_EQ(moe.saved_bytes, dense.saved_bytes - dense_mlp + routing + 2 * rows_bytes +
                                 2 * (8 * 6 * 8) + shared_saved);
}

TEST(Work, QkNormKeepsItsStatistics) {
  ModelSpec model = tiny_qwen3_moe();
  const int64_t with = stage_work(tiny_plan(model, {}), 0).at(1).saved_bytes;
  model.qk_norm = false;
  EXPECT_EQ(with - stage_work(tiny_plan(model, {}), 0).at(1).saved_bytes, 8 * (4 + 2) * 8);
}

TEST(Work, WindowedAttention) {
  ModelSpec model = tiny_llama();
  model.sliding_window = 3;  // 1 + 2 + 3 * 6 = 21 pairs
  const LayerWork block = stage_work(tiny_plan(model, {}), 0).at(1);
  EXPECT_EQ(flops(block.forward), kProjectionFlops + 4 * 2 * 4 * 21);
  EXPECT_EQ(block.model_flops_palm, 3 * (kProjectionFlops + 4 * 2 * 4 * 64));
}

TEST(Work, StagesSplitTheNetwork) {
  const Plan plan = tiny_plan(tiny_llama(), {.pp = 3});
  EXPECT_EQ(stage_work(plan, 0).front().layer, -1);
  EXPECT_EQ(stage_work(plan, 1).size(), 1u);
  EXPECT_EQ(stage_work(plan, 1).front().layer, 1);
  EXPECT_EQ(stage_work(plan, 2).back().layer, 3);
}

}  // namespace
}  // namespace argosy
