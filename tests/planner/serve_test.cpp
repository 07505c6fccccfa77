// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/serve/serve.h"

#include <gtest/gtest.h>

#include "planner/cost/search_space.h"
#include "planner/spec/check.h"
#include "planner/spec/kv_cache.h"
#include "tests/planner/small_jobs.h"

namespace argosy {
namespace {

// A machine without any overhead: memory alone takes time.
ServeJob ideal_job(SmallModel model) {
  ServeJob job;
  const Job small = small_job(model, 4, 8);
  job.model = small.model;
  job.cluster = small.cluster;
  Accelerator& a = job.cluster.accelerator;
  a.bf16_flops_per_s = 1e18;
  a.memory_bytes_per_s = 1e9;
  a.op_overhead_s = 0;
  a.matmul_efficiency = a.attention_efficiency = a.memory_efficiency = {{1, 1.0}};
  for (LinkTier& tier : job.cluster.tiers) tier = {tier.name, tier.devices, 0, 1e18, 1.0};
  job.users = 1;
  job.context_tokens = 100;
  job.prompt_tokens = 10;
  return job;
}

double matrix_elements(const ModelSpec& model, bool with_experts) {
  double sum = 0;
  for (const TensorSpec& tensor : model_tensors(model)) {
    const bool is_vector = tensor.cols == 1;
    const bool is_table = tensor.role == TensorRole::embedding && !model.tied_head;
    if (is_vector || is_table || tensor.role == TensorRole::position_embedding) continue;
    if (!with_experts && tensor.is_expert()) continue;
    sum += static_cast<double>(tensor.size());
  }
  return sum;
}

TEST(Serve, ATokenStreamsWeightsAndCache) {
  const ServeJob job = ideal_job(SmallModel::llama);
  const DecodeModel model = decode_model(job.model);
  const ServePlan plan = serve_plan(job, model, 1, 1, 1);
  EXPECT_NEAR(plan.weight_s, matrix_elements(job.model, true) * 2 / 1e9, 1e-9);
  const double cache = 100.0 * 2 * 4 * 8 * 7 * 2;  // keys and values of 4 heads of 8, 7 layers
  EXPECT_NEAR(plan.cache_s, cache / 1e9, 1e-9);
  EXPECT_EQ(plan.cache_bytes, static_cast<int64_t>(cache));
  EXPECT_NEAR(plan.tokens_per_s_per_user, 1 / plan.token_s, 1e-9);
}

TEST(Serve, UsersShareTheWeightsButNotTheCache) {
  const ServeJob job = ideal_job(SmallModel::llama);
  const DecodeModel model = decode_model(job.model);
  const ServePlan one = serve_plan(job, model, 1, 1, 1), many = serve_plan(job, model, 1, 1, 16);
  EXPECT_NEAR(many.weight_s, one.weight_s, 1e-9);
  EXPECT_NEAR(many.cache_s, 16 * one.cache_s, 1e-9);
  EXPECT_EQ(many.cache_bytes, 16 * one.cache_bytes);
  EXPECT_GT(many.tokens_per_s_per_device, one.tokens_per_s_per_device);
  EXPECT_LT(many.usd_per_million_tokens, one.usd_per_million_tokens);
  // 2 USD an hour: a million tokens take 1e6 / rate seconds of it.
  EXPECT_NEAR(one.usd_per_million_tokens, 2.0 / 3600 * 1e6 * one.token_s, 1e-9);
}

TEST(Serve, SplitsCutWeightsAndCache) {
  const ServeJob job = ideal_job(SmallModel::llama);
  const DecodeModel model = decode_model(job.model);
  const ServePlan one = serve_plan(job, model, 1, 1, 4), cut = serve_plan(job, model, 4, 1, 4);
  EXPECT_NEAR(static_cast<double>(cut.weight_bytes), static_cast<double>(one.weight_bytes) / 4, 4);
  EXPECT_EQ(cut.cache_bytes, one.cache_bytes / 4);
  EXPECT_NEAR(cut.weight_s, one.weight_s / 4, 1e-9);
  // Stages of 7 layers: the longest of 4 has 2, and four groups of one user go round.
  const ServePlan stages = serve_plan(job, model, 1, 4, 4);
  EXPECT_EQ(stages.cache_bytes, one.cache_bytes * 2 / 7);
  EXPECT_NEAR(stages.weight_s, one.weight_s * 8 / 7, 1e-9);
  // 12 heads over 4 key/value heads: tp = 12 leaves three copies of each.
  const ServePlan copies = serve_plan(job, model, 12, 1, 4);
  EXPECT_EQ(copies.cache_bytes, one.cache_bytes / 4);
}

TEST(Serve, ExpertsAreReadWhenATokenChoosesThem) {
  const ServeJob job = ideal_job(SmallModel::moe);  // 2 of 8 experts
  const DecodeModel model = decode_model(job.model);
  const double dense = matrix_elements(job.model, false);
  const double experts = matrix_elements(job.model, true) - dense;
  const ServePlan one = serve_plan(job, model, 1, 1, 1);
  EXPECT_NEAR(one.weight_s, (dense + experts / 4) * 2 / 1e9, 1e-9);
  const ServePlan two = serve_plan(job, model, 1, 1, 2);
  EXPECT_NEAR(two.weight_s, (dense + experts * (1 - 0.75 * 0.75)) * 2 / 1e9, 1e-9);
}

TEST(Serve, NarrowWeightsAndCache) {
  ServeJob job = ideal_job(SmallModel::llama);
  const DecodeModel model = decode_model(job.model);
  const ServePlan wide = serve_plan(job, model, 1, 1, 1);
  job.weights = storage_from_string("int4", "--weights");
  job.cache = storage_from_string("fp8", "--cache");
  const ServePlan narrow = serve_plan(job, model, 1, 1, 1);
  EXPECT_NEAR(narrow.weight_s, wide.weight_s / 4, 1e-9);
  EXPECT_NEAR(narrow.cache_s, wide.cache_s / 2, 1e-9);
  EXPECT_THROW(storage_from_string("int5", "--weights"), ConfigError);
}

TEST(Serve, SearchKeepsWhatFitsAndIsFastEnough) {
  ServeJob job = ideal_job(SmallModel::llama);
  job.users = 0;
  const ServeResult all = search_serve(job, 1000);
  ASSERT_FALSE(all.plans.empty());
  for (size_t i = 1; i < all.plans.size(); ++i) {
    EXPECT_LE(all.plans[i - 1].usd_per_million_tokens, all.plans[i].usd_per_million_tokens);
  }
  const double rate = 1.5 * all.plans.front().tokens_per_s_per_user;
  job.tokens_per_s_per_user = rate;
  const ServeResult fast = search_serve(job, 1000);
  ASSERT_FALSE(fast.plans.empty());
  EXPECT_GT(fast.num_too_slow, 0);
  for (const ServePlan& plan : fast.plans) EXPECT_GE(plan.tokens_per_s_per_user, rate);
  EXPECT_EQ(fast.largest_parameters, 0);
  job.tokens_per_s_per_user = 2 * all.bandwidth_tokens_per_s;
  const ServeResult none = search_serve(job, 10);
  EXPECT_TRUE(none.plans.empty());
  EXPECT_TRUE(none.is_beyond_bandwidth);
  EXPECT_GT(none.largest_parameters, 0);
}

// One latent vector a token for all heads (DeepSeek-V3: 512 + 64 elements in 61 layers, 70 kB in
// bf16, arXiv:2412.19437), on every rank.
// Every number of users of every split that fits, on devices of many sizes: with all overheads,
// experts that are read by chance, groups that are not full, and a rate that must be kept.
TEST(Serve, NoNumberOfUsersIsCheaper) {
  int64_t num_odd = 0;
  for (const SmallModel kind : {SmallModel::llama, SmallModel::moe, SmallModel::tied_gpt2}) {
    for (const int64_t kilobytes : {400, 700, 1100, 1900, 3100}) {
      const Job small = small_job(kind, 8, 8, kilobytes * 1000);
      ServeJob job;
      job.model = small.model;
      job.cluster = small.cluster;
      job.context_tokens = 100;
      job.prompt_tokens = 10;
      const DecodeModel model = decode_model(job.model);
      for (const double rate : {0.0, 1000.0, 20000.0}) {
        job.tokens_per_s_per_user = rate;
        double most = 0;
        for (int64_t tp : {1, 2, 4, 8}) {
          if (!tp_reason(job.model, tp).empty()) continue;
          for (int64_t pp = 1; pp <= std::min(8 / tp, job.model.num_layers); ++pp) {
            for (int64_t users = 1; users < 3000; ++users) {
              const ServePlan plan = serve_plan(job, model, tp, pp, users);
              if (plan.shortage.starts_with("out of memory")) break;
              if (plan.shortage.empty()) most = std::max(most, plan.tokens_per_s_per_device);
            }
          }
        }
        const std::vector<ServePlan> found = search_serve(job, 1).plans;
        ASSERT_EQ(found.empty(), most == 0) << kilobytes << " " << rate;
        if (found.empty()) continue;
        EXPECT_LT(found[0].users, 3000);
        EXPECT_DOUBLE_EQ(found[0].tokens_per_s_per_device, most) << kilobytes << " " << rate;
        num_odd += (found[0].users & (found[0].users - 1)) != 0 ? 1 : 0;
      }
    }
  }
  EXPECT_GT(num_odd, 10);
}

// The cheapest plan has many users who wait: what one with chats in mind would take is beside it.
TEST(Serve, CheapestThatIsSlowerThanChatsHasOneThatIsNot) {
  ServeJob job = ideal_job(SmallModel::llama);
  job.users = 0;
  const DecodeModel model = decode_model(job.model);
  // Two users get it, three do not.
  const double read = serve_plan(job, model, 1, 1, 2).token_s * 1e9;
  job.cluster.num_devices = 1;
  job.cluster.accelerator.memory_bytes = 100'000'000;
  job.cluster.accelerator.memory_bytes_per_s = read * (kChatTokensPerS + 0.1);
  const ServeResult found = search_serve(job, 1);
  ASSERT_TRUE(found.for_chats.has_value());
  EXPECT_EQ(found.for_chats->users, 2);
  EXPECT_LT(found.plans[0].tokens_per_s_per_user, kChatTokensPerS);
  job.cluster.accelerator.memory_bytes_per_s *= 1000;
  job.users = 1;
  EXPECT_FALSE(search_serve(job, 1).for_chats.has_value());  // fast enough
  job.cluster.accelerator.memory_bytes_per_s /= 1000;
  job.users = 0;
  job.tokens_per_s_per_user = 1;
  EXPECT_FALSE(search_serve(job, 1).for_chats.has_value());  // who says it is not told
}

TEST(Serve, LatentCachesAreNotCut) {
  ServeJob job = ideal_job(SmallModel::llama);
  job.model = read_model(ARGOSY_SOURCE_DIR "/configs/models/deepseek-v3.json").model;
  const DecodeModel model = decode_model(job.model);
  EXPECT_EQ(kv_elements_per_token(job.model), (512 + 64) * 61);
  const ServePlan one = serve_plan(job, model, 1, 1, 1), cut = serve_plan(job, model, 8, 1, 1);
  EXPECT_EQ(one.cache_bytes, 100 * (512 + 64) * 61 * 2);
  EXPECT_EQ(cut.cache_bytes, one.cache_bytes);
  const ServeResult result = search_serve(job, 1);
  EXPECT_EQ(result.multi_query_cache_bytes, result.cache_bytes);
}

// gpt-oss-20b: 12 layers keep 128 tokens of 8 heads of 64, 12 all of them; weights are read alike.
TEST(Serve, WindowedLayersCacheTheirWindow) {
  ServeJob job = ideal_job(SmallModel::llama);
  job.model = read_model(ARGOSY_SOURCE_DIR "/configs/models/gpt-oss-20b.json").model;
  job.context_tokens = 8192;
  const DecodeModel model = decode_model(job.model);
  const ServePlan plan = serve_plan(job, model, 1, 1, 1);
  const int64_t layer_bytes = 2 * 8 * 64 * 2;  // of a token
  EXPECT_EQ(plan.cache_bytes, layer_bytes * 12 * (128 + 8192));
  EXPECT_NEAR(plan.cache_s, static_cast<double>(plan.cache_bytes) / 1e9, 1e-9);
  EXPECT_EQ(search_serve(job, 1).cache_bytes, static_cast<double>(plan.cache_bytes));
  ModelSpec full = job.model;
  full.sliding_window = 0;
  const ServePlan all = serve_plan(job, decode_model(full), 1, 1, 1);
  EXPECT_EQ(all.cache_bytes, layer_bytes * 24 * 8192);
  EXPECT_DOUBLE_EQ(all.weight_s, plan.weight_s);
  job.context_tokens = 64;  // shorter than the window
  EXPECT_EQ(serve_plan(job, model, 1, 1, 1).cache_bytes, layer_bytes * 24 * 64);
  EXPECT_TRUE(resized(job.model, 5e9, 8).is_windowed(0));
}

// 671B parameters are served, not the module that predicts further tokens in training.
TEST(Serve, ModulesForMultiTokenPredictionAreLeftOut) {
  const ModelSpec model = read_model(ARGOSY_SOURCE_DIR "/configs/models/deepseek-v3.json").model;
  EXPECT_NEAR(decode_model(model).parameters, 671.03e9, 0.02e9);
}

TEST(Serve, ResizedModelsHaveTheSizeAskedFor) {
  const ModelSpec model = read_model(ARGOSY_SOURCE_DIR "/configs/models/gpt3-175b.json").model;
  for (double parameters : {150e9, 60e9, 20e9}) {
    const ModelSpec small = resized(model, parameters, 8);
    EXPECT_EQ(small.num_heads % 8, 0);
    EXPECT_NEAR(static_cast<double>(count_parameters(small).total) / parameters, 1, 0.05);
  }
}

}  // namespace
}  // namespace argosy
