// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The ownership map: whatever the layout, the owned and counted elements of all ranks are every
// element of every tensor, each once.
#include "planner/spec/layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "planner/spec/check.h"
#include "tests/planner/tiny_models.h"

namespace argosy {
namespace {

// How often each element of a tensor is owned, row-major.
using Coverage = std::vector<std::vector<int>>;

void mark(const Box& box, int64_t tensor_cols, std::vector<int>& marks) {
  for (int64_t row = box.rows.begin; row < box.rows.end; ++row) {
    for (int64_t col = box.cols.begin; col < box.cols.end; ++col) {
      ++marks.at(static_cast<size_t>(row * tensor_cols + col));
    }
  }
}

// Buckets fill the flat buffer, shards fill the rank's shards, and what it owns is in its shards.
void check_buckets(const DomainLayout& domain) {
  int64_t end = 0, shards_end = 0;
  for (const Bucket& bucket : domain.buckets) {
    ASSERT_EQ(bucket.range.begin, end);
    ASSERT_FALSE(bucket.range.empty());
    end = bucket.range.end;
    ASSERT_EQ(bucket.in_shards(bucket.shard).begin, shards_end);
    shards_end += bucket.shard.size();
    ASSERT_TRUE(bucket.range.begin <= bucket.shard.begin && bucket.shard.end <= bucket.range.end);
    ASSERT_TRUE(bucket.shard.begin <= bucket.owned.begin && bucket.owned.end <= bucket.shard.end);
  }
  ASSERT_EQ(end, domain.num_elements);
  ASSERT_EQ(shards_end, domain.num_shard_elements);
}

// Adds what `rank` owns and counts; checks offsets and order on the way.
void add_rank(const Plan& plan, const std::vector<TensorSpec>& tensors, int64_t rank,
              Coverage& coverage) {
  const RankLayout layout = rank_layout(plan, tensors, rank);
  std::array<int64_t, kNumDomains> end{};
  for (const LocalTensor& local : layout.tensors) {
    const TensorSpec& tensor = tensors[static_cast<size_t>(local.tensor)];
    const auto domain = static_cast<size_t>(local.domain);
    ASSERT_EQ(local.offset, end[domain]) << tensor.name;
    end[domain] += local.box.size();
    ASSERT_EQ(is_trainable(local.domain), tensor.trainable) << tensor.name;
    const Bucket& bucket = layout.bucket_of(local);
    ASSERT_EQ(bucket.layer, tensor.layer) << tensor.name;
    ASSERT_EQ(bucket.is_table, tensor.shard == Shard::vocab) << tensor.name;
    ASSERT_EQ(intersect(local.elements(), bucket.range), local.elements()) << tensor.name;
    const int64_t in_bucket = local.offset - bucket.range.begin;
    const int64_t num_summed = bucket.num_tp_summed, num_kv = bucket.num_kv_summed;
    ASSERT_EQ(local.gradient_sum == GradientSum::tp, in_bucket < num_summed) << tensor.name;
    ASSERT_EQ(local.gradient_sum == GradientSum::kv_replica,
              in_bucket >= num_summed && in_bucket < num_summed + num_kv)
        << tensor.name;
    if (!local.counts) continue;
    const Range owned = intersect(bucket.owned, local.elements());
    if (owned.empty()) continue;
    const Range flat{owned.begin - local.offset, owned.end - local.offset};
    for (const Box& box : boxes_of_flat_range(local.box, flat)) {
      mark(box, tensor.cols, coverage[static_cast<size_t>(local.tensor)]);
    }
  }
  for (size_t domain = 0; domain < kNumDomains; ++domain) {
    ASSERT_EQ(end[domain], layout.domains[domain].num_elements);
    ASSERT_NO_FATAL_FAILURE(check_buckets(layout.domains[domain]));
  }
}

void expect_each_element_once(const Plan& plan) {
  ASSERT_NO_THROW(validate(plan)) << plan.model.name << " " << to_string(plan.mesh);
  const std::vector<TensorSpec> tensors = model_tensors(plan.model, plan.lora);
  Coverage coverage;
  for (const TensorSpec& tensor : tensors) {
    coverage.emplace_back(static_cast<size_t>(tensor.size()), 0);
  }
  for (int64_t rank = 0; rank < plan.mesh.world_size(); ++rank) {
    add_rank(plan, tensors, rank, coverage);
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    const auto [least, most] = std::minmax_element(coverage[i].begin(), coverage[i].end());
    ASSERT_TRUE(*least == 1 && *most == 1)
        << tensors[i].name << ": elements owned " << *least << " to " << *most << " times; "
        << plan.model.name << " " << to_string(plan.mesh) << " lora " << plan.lora.rank;
  }
}

Mesh mesh(int64_t tp, int64_t pp, int64_t dp, int64_t ep = 1) {
  Mesh result;
  result.tp = tp;
  result.pp = pp;
  result.dp = dp;
  result.ep = ep;
  return result;
}

TEST(Layout, EveryElementIsOwnedOnceUnderAnyLayout) {
  const ModelSpec models[] = {tiny_llama(),     tiny_qwen2(),     tiny_gpt2(),  tiny_mixtral(),
                              tiny_qwen2_moe(), tiny_qwen3_moe(), tiny_olmoe(), tiny_glm4_moe()};
  int num_plans = 0;
  for (const ModelSpec& model : models) {
    for (const int64_t tp : {1, 2, 4}) {
      for (const int64_t pp : {1, 2, 3}) {
        for (const int64_t dp : {1, 2, 3, 5}) {
          for (const int64_t ep : {1, 2, 4}) {
            if (ep > 1 && (!model.has_moe() || tp * dp % ep != 0)) continue;
            for (const int64_t lora_rank : {0, 3}) {
              for (const int zero_stage : {0, 1}) {
                const Plan plan = tiny_plan(model, mesh(tp, pp, dp, ep), zero_stage, lora_rank);
                ASSERT_NO_FATAL_FAILURE(expect_each_element_once(plan));
                ++num_plans;
              }
            }
          }
        }
      }
    }
  }
  EXPECT_GE(num_plans, 1000);
}

// The local tensor of `name` on `rank`; fails the test if the rank does not hold it.
LocalTensor find(const Plan& plan, const std::string& name, int64_t rank) {
  const std::vector<TensorSpec> tensors = model_tensors(plan.model, plan.lora);
  for (const LocalTensor& local : rank_layout(plan, tensors, rank).tensors) {
    if (tensors[static_cast<size_t>(local.tensor)].name == name) return local;
  }
  ADD_FAILURE() << "rank " << rank << " does not hold " << name;
  return {};
}

// What lets shards be summed over tp: the ranks of a tp group cut their buckets at equal places
// wherever there is something to sum, whatever the vocabulary.
TEST(Layout, SummedShardsAreEqualOnAllRanksOfATensorParallelGroup) {
  for (const ModelSpec& model : {tiny_llama(), tiny_gpt2(), tiny_qwen3_moe()}) {
    const Plan plan = tiny_plan(model, mesh(4, 1, 3), 1);
    const std::vector<TensorSpec> tensors = model_tensors(plan.model);
    for (int64_t rank = 0; rank < 12; ++rank) {
      const RankLayout first = rank_layout(plan, tensors, rank / 4 * 4);
      const RankLayout layout = rank_layout(plan, tensors, rank);
      const auto& expected = first[Domain::dense].buckets;
      const auto& actual = layout[Domain::dense].buckets;
      ASSERT_EQ(actual.size(), expected.size());
      for (size_t i = 0; i < actual.size(); ++i) {
        EXPECT_EQ(tp_summed(actual[i]).size(), tp_summed(expected[i]).size());
        EXPECT_EQ(kv_summed(actual[i]).size(), kv_summed(expected[i]).size());
      }
    }
  }
}

TEST(Layout, VocabularyIsRagged) {
  const Plan plan = tiny_plan(tiny_llama(), mesh(4, 1, 1));  // 13 rows on 4 ranks
  const std::string name = "model.embed_tokens.weight";
  EXPECT_EQ(find(plan, name, 0).box.rows, (Range{0, 4}));
  EXPECT_EQ(find(plan, name, 1).box.rows, (Range{4, 7}));
  EXPECT_EQ(find(plan, name, 3).box.rows, (Range{10, 13}));
}

TEST(Layout, KeyValueHeadsAreCopiedWhenRanksOutnumberThem) {
  const Plan plan = tiny_plan(tiny_llama(), mesh(4, 1, 1));  // 2 heads of 2 on 4 ranks
  const std::string name = "model.layers.0.self_attn.k_proj.weight";
  for (int64_t rank = 0; rank < 4; ++rank) {
    const LocalTensor k = find(plan, name, rank);
    EXPECT_EQ(k.box.rows, (Range{rank / 2 * 2, rank / 2 * 2 + 2}));
    EXPECT_EQ(k.gradient_sum, GradientSum::kv_replica);
    EXPECT_EQ(k.counts, rank % 2 == 0);
  }
  const Plan two = tiny_plan(tiny_llama(), mesh(2, 1, 1));
  EXPECT_EQ(find(two, name, 1).gradient_sum, GradientSum::none);
  EXPECT_TRUE(find(two, name, 1).counts);
}

TEST(Layout, GradientSumsOverTensorParallelRanks) {
  Plan plan = tiny_plan(tiny_qwen3_moe(), mesh(2, 1, 1));
  const std::string layer = "model.layers.0.";
  for (const char* name : {"input_layernorm", "post_attention_layernorm", "mlp.gate",
                           "self_attn.q_norm", "self_attn.k_norm"}) {
    const LocalTensor local = find(plan, layer + name + ".weight", 1);
    EXPECT_EQ(local.gradient_sum, GradientSum::tp) << name;
    EXPECT_FALSE(local.counts) << name;
  }
  for (const char* name : {"self_attn.q_proj", "self_attn.o_proj"}) {
    EXPECT_EQ(find(plan, layer + name + ".weight", 1).gradient_sum, GradientSum::none) << name;
  }
  // Rank 1 holds experts of its own only with ep; here both hold all four, one replica each.
  EXPECT_EQ(find(plan, layer + "mlp.experts.3.up_proj.weight", 1).gradient_sum, GradientSum::none);

  plan = tiny_plan(tiny_gpt2(), mesh(2, 1, 1));
  EXPECT_EQ(find(plan, "transformer.h.0.mlp.c_proj.bias", 1).gradient_sum, GradientSum::tp);
  EXPECT_EQ(find(plan, "transformer.wpe.weight", 1).gradient_sum, GradientSum::tp);
  EXPECT_EQ(find(plan, "transformer.h.0.mlp.c_fc.bias", 1).gradient_sum, GradientSum::none);
  plan.sequence_parallel = false;
  EXPECT_EQ(find(plan, "transformer.h.0.mlp.c_proj.bias", 1).gradient_sum, GradientSum::none);
}

TEST(Layout, AdaptersFollowTheirLinear) {
  const Plan plan = tiny_plan(tiny_llama(), mesh(4, 1, 1), 0, 3);
  const std::string attention = "model.layers.0.self_attn.";
  EXPECT_EQ(find(plan, attention + "q_proj.lora_A.weight", 1).gradient_sum, GradientSum::tp);
  EXPECT_EQ(find(plan, attention + "q_proj.lora_B.weight", 1).box, (Box{{2, 4}, {0, 3}}));
  EXPECT_EQ(find(plan, attention + "o_proj.lora_A.weight", 1).box, (Box{{0, 3}, {2, 4}}));
  EXPECT_EQ(find(plan, attention + "o_proj.lora_B.weight", 1).gradient_sum, GradientSum::tp);
  EXPECT_EQ(find(plan, attention + "k_proj.lora_A.weight", 1).gradient_sum, GradientSum::tp);
  EXPECT_EQ(find(plan, attention + "k_proj.lora_B.weight", 1).gradient_sum,
            GradientSum::kv_replica);
  const LocalTensor base = find(plan, attention + "q_proj.weight", 1);
  EXPECT_EQ(base.domain, Domain::dense_frozen);
  EXPECT_EQ(base.gradient_sum, GradientSum::none);
  EXPECT_EQ(find(plan, "model.norm.weight", 1).gradient_sum, GradientSum::none);
}

TEST(Layout, ExpertsLiveOnTheirOwnGrid) {
  const Plan plan = tiny_plan(tiny_mixtral(), mesh(2, 1, 2, 2));  // ep 2 takes the tp pairs
  const std::vector<TensorSpec> tensors = model_tensors(plan.model);
  for (int64_t rank = 0; rank < 4; ++rank) {
    for (const LocalTensor& local : rank_layout(plan, tensors, rank).tensors) {
      const TensorSpec& tensor = tensors[static_cast<size_t>(local.tensor)];
      if (!tensor.is_expert()) continue;
      EXPECT_EQ(tensor.expert / 2, rank % 2) << tensor.name;
      EXPECT_EQ(local.domain, Domain::expert);
      EXPECT_EQ(local.box.size(), tensor.size());
    }
  }
}

TEST(Layout, TiedEmbeddingHasACopyOnTheLastStage) {
  const Plan plan = tiny_plan(tiny_gpt2(), mesh(1, 3, 1));
  EXPECT_TRUE(find(plan, "transformer.wte.weight", 0).counts);
  EXPECT_FALSE(find(plan, "transformer.wte.weight", 2).counts);
  const std::vector<TensorSpec> tensors = model_tensors(plan.model);
  for (const LocalTensor& local : rank_layout(plan, tensors, 1).tensors) {
    EXPECT_NE(tensors[static_cast<size_t>(local.tensor)].role, TensorRole::embedding);
  }
}

TEST(Box, FlatRangesAreAtMostThreeRectanglesInOrder) {
  const Box box{{10, 14}, {5, 8}};  // (4, 3)
  for (int64_t begin = 0; begin <= box.size(); ++begin) {
    for (int64_t end = begin; end <= box.size(); ++end) {
      const std::vector<Box> boxes = boxes_of_flat_range(box, {begin, end});
      EXPECT_LE(boxes.size(), 3u);
      int64_t flat = begin;
      for (const Box& part : boxes) {
        for (int64_t row = part.rows.begin; row < part.rows.end; ++row) {
          for (int64_t col = part.cols.begin; col < part.cols.end; ++col, ++flat) {
            ASSERT_EQ(row, 10 + flat / 3);
            ASSERT_EQ(col, 5 + flat % 3);
          }
        }
      }
      EXPECT_EQ(flat, end);
    }
  }
  EXPECT_THROW(boxes_of_flat_range(box, {0, 13}), std::logic_error);
}

}  // namespace
}  // namespace argosy
