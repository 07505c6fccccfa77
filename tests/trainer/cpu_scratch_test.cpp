// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A step's workspace stays below what is told at its start, and not by much more than kernels and
// rounding explain.
#include "planner/spec/cpu_scratch.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <memory>

#include "comm/self/self_communicator.h"
#include "planner/spec/work.h"
#include "trainer/ops/attention.h"
#include "trainer/ops/cpu_kernels.h"
#include "trainer/ops/matmul.h"
#include "trainer/trainer.h"

namespace argosy {
namespace {

constexpr auto kWorkspace = static_cast<size_t>(MemoryCategory::workspace);

class Counting : public TokenSource {
 public:
  int64_t num_tokens() const override { return 2000; }
  int32_t token(int64_t index) const override { return static_cast<int32_t>(index * 7919 % 4201); }
  int32_t max_token() const override { return 4200; }
};

// Sums over 4,160 columns of the MLP and 4,201 of the vocabulary: longer than one go.
Plan small_plan(Precision precision) {
  Plan plan;
  plan.model = parse_model(R"({"model_type": "llama", "hidden_size": 64, "intermediate_size": 4160,
    "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 4201,
    "max_position_embeddings": 128, "rms_norm_eps": 1e-5, "tie_word_embeddings": false,
    "hidden_act": "silu", "rope_theta": 10000.0})",
                           "scratch", "scratch")
                   .model;
  plan.seq_len = 96;
  plan.micro_batch = plan.global_batch = 2;
  plan.precision = precision;
  plan.layers_per_stage = {plan.model.num_layers};
  plan.recompute.assign(static_cast<size_t>(plan.model.num_layers), Recompute::none);
  validate(plan);
  return plan;
}

// Sinks, and experts with biases.
Plan small_gpt_oss(Precision precision) {
  Plan plan = small_plan(precision);
  plan.model =
      parse_model(R"({"model_type": "gpt_oss", "hidden_size": 64, "intermediate_size": 1040,
    "num_hidden_layers": 2, "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 16,
    "num_local_experts": 4, "num_experts_per_tok": 2, "vocab_size": 4201, "sliding_window": 16,
    "max_position_embeddings": 128})",
                  "scratch", "scratch")
          .model;
  validate(plan);
  return plan;
}

LayerWork block_of(const Plan& plan) {
  return stage_work(plan, 0)[1];  // behind the embedding
}

class CpuScratchTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (ops::detail::kernel_choice(DType::bf16).kernel == nullptr)
      GTEST_SKIP() << "without our kernels for bf16 operands are converted whole";
    omp_set_num_threads(GetParam());
  }
  void TearDown() override { omp_set_num_threads(before_); }
  int before_ = omp_get_max_threads();
};
INSTANTIATE_TEST_SUITE_P(Threads, CpuScratchTest, ::testing::Values(1, 3));

TEST_P(CpuScratchTest, StepStaysBelow) {
  for (const Plan& plan : {small_plan(Precision::fp32), small_plan(Precision::bf16),
                           small_gpt_oss(Precision::fp32), small_gpt_oss(Precision::bf16)}) {
    SCOPED_TRACE(plan.model.model_type);
    int64_t most_bytes = 0;
    for (const LayerWork& work : stage_work(plan, 0)) {
      most_bytes = std::max(
          most_bytes, work.workspace_bytes + cpu_scratch(plan, work, GetParam()).most_bytes());
    }
    DeviceContext device(Device::cpu);
    const std::unique_ptr<Communicator> world = make_self_communicator();
    Trainer trainer(device, *world, plan, {});
    const Counting tokens;
    const SampleOrder order(tokens.num_tokens(), plan.seq_len, 1, "counting");
    const StepResult result = trainer.step(tokens, order, 1, 1e-4);
    EXPECT_LE(result.memory.peak[kWorkspace], most_bytes) << to_string(plan.precision);
  }
}

TEST_P(CpuScratchTest, ProductsAreBounded) {
  const Plan plan = small_plan(Precision::bf16);
  DeviceContext ctx(Device::cpu);
  const auto zeros = [&](int64_t rows, int64_t cols) {
    return ctx.zeros({rows, cols}, DType::bf16, MemoryCategory::buffers);
  };
  // The MLP's last product: 192 tokens, sums of 4,160.
  ops::matmul_nt(ctx, zeros(192, 4160), zeros(64, 4160), zeros(192, 64));
  EXPECT_LE(ctx.memory().peak[kWorkspace],
            cpu_scratch(plan, block_of(plan), GetParam()).product_bytes);
  EXPECT_GE(ctx.memory().peak[kWorkspace], 192 * 64 * 4);  // sums that wait
}

TEST_P(CpuScratchTest, AttentionIsBounded) {
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    for (const int64_t seq_len : {1, 100, 1000}) {
      Plan plan = small_plan(precision);
      plan.seq_len = seq_len;
      DeviceContext ctx(Device::cpu);
      const ops::AttentionShape s = {.batch = 3,
                                     .seq_len = seq_len,
                                     .num_heads = 2,
                                     .num_kv_heads = 1,
                                     .head_dim = 32,
                                     .scale = 1.0};
      const int64_t n = 3 * seq_len;
      const auto zeros = [&](int64_t cols, DType dtype) {
        return ctx.zeros({n, cols}, dtype, MemoryCategory::buffers);
      };
      const DType dtype = compute_dtype(precision);
      const Tensor q = zeros(64, dtype), k = zeros(32, dtype), v = zeros(32, dtype);
      const Tensor out = zeros(64, dtype), lse = zeros(2, DType::fp32);
      ops::attention_forward(ctx, s, q, k, v, out, lse);
      ops::attention_backward(ctx, s, zeros(64, dtype), q, k, v, out, lse, zeros(64, dtype),
                              zeros(32, dtype), zeros(32, dtype));
      const int64_t bound = cpu_scratch(plan, block_of(plan), GetParam()).attention_bytes;
      EXPECT_LE(ctx.memory().peak[kWorkspace], bound) << to_string(precision) << ", " << seq_len;
      if (seq_len == 1000) {
        EXPECT_GE(ctx.memory().peak[kWorkspace], bound / 2) << to_string(precision);
      }
    }
  }
}

}  // namespace
}  // namespace argosy
