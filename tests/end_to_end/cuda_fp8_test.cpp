// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Whole steps in fp8 on emulated GPUs: near the same steps in fp32 on the CPU, and every byte where
// the planner has counted it.
#include <gtest/gtest.h>

#include <mutex>

#include "comm/self/self_communicator.h"
#include "planner/spec/check.h"
#include "planner/spec/work.h"
#include "tests/end_to_end/layout_run.h"
#include "tests/end_to_end/runs_support.h"
#include "tests/planner/tiny_models.h"
#include "tests/support/cuda_emulation/emulation.h"
#include "tests/support/cuda_emulation/gpu_ranks.h"
#include "trainer/trainer.h"

namespace argosy {
namespace {

constexpr int kSteps = 3;

// Every block's matrix has rows and columns of whole 16, on two ranks too.
ModelSpec model_of(const std::string& kind) {
  if (kind == "gpt2") {
    return tiny_model("gpt2", R"({"model_type": "gpt2", "vocab_size": 61, "n_embd": 32, "n_head": 2,
        "n_layer": 2, "n_positions": 16, "initializer_range": 0.2})");
  }
  if (kind == "moe") {
    return tiny_model("moe", R"({"model_type": "mixtral", "vocab_size": 61, "hidden_size": 32,
        "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 4, "num_local_experts": 4, "num_experts_per_tok": 2,
        "router_aux_loss_coef": 0.01, "initializer_range": 0.2})");
  }
  return tiny_model("llama", R"({"model_type": "llama", "vocab_size": 61, "hidden_size": 32,
      "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
      "num_key_value_heads": 4, "initializer_range": 0.2})");
}

Plan plan_of(const std::string& kind, const Mesh& mesh, int zero_stage, int64_t lora_rank) {
  Plan plan = tiny_plan(model_of(kind), mesh, zero_stage, lora_rank);
  plan.seq_len = 16;
  plan.precision = Precision::fp8;
  validate(plan);
  return plan;
}

LayoutRecord run_on_gpus(const Plan& plan) {
  LayoutRecord of_first;
  std::mutex mutex;
  cuda_emulation::run_on_gpus(
      static_cast<int>(plan.mesh.world_size()), [&](Communicator& world, DeviceContext& device) {
        LayoutRecord record = run_layout(world, device, plan, {}, kSteps);
        const std::lock_guard lock(mutex);
        const Ledger predicted = predict_ledger(plan, world.rank());
        EXPECT_EQ(record.ledger.parameter_bytes, predicted.parameter_bytes) << world.rank();
        // How many rows a rank's experts get is not predicted.
        if (!plan.model.has_moe() || plan.mesh.ep == 1) {
          EXPECT_EQ(difference(predicted, record.ledger), "") << "rank " << world.rank();
        }
        if (world.rank() == 0) of_first = std::move(record);
      });
  return of_first;
}

LayoutRecord run_on_cpu(Plan plan) {
  plan.mesh = {};
  plan.zero_stage = 0;
  plan.sequence_parallel = false;
  plan.precision = Precision::fp32;
  const auto world = make_self_communicator();
  return run_layout(*world, plan, {}, kSteps);
}

// The widest e4m3 step is 1/8 of a number, and what a loss of 61 words sees of it is far less.
void expect_near(const LayoutRecord& expected, const LayoutRecord& actual,
                 size_t num_steps = kSteps) {
  for (size_t i = 0; i < num_steps; ++i) {
    EXPECT_NEAR(actual.losses[i], expected.losses[i], 0.03 * expected.losses[i]) << "step " << i;
    EXPECT_NEAR(actual.grad_norms[i], expected.grad_norms[i], 0.2 * expected.grad_norms[i]);
    EXPECT_NE(actual.losses[i], expected.losses[i]);
  }
}

TEST(CudaFp8, StepsOfDenseModels) {
  for (const char* kind : {"gpt2", "llama"}) {
    const Plan plan = plan_of(kind, {}, 0, 0);
    const LayoutRecord once = run_on_gpus(plan);
    expect_near(run_on_cpu(plan), once);
    EXPECT_EQ(once.losses, run_on_gpus(plan).losses) << "a second run";
  }
}

TEST(CudaFp8, TensorParallelAndZero) {
  const Mesh tp{.tp = 2}, dp{.dp = 2};
  for (const Plan& plan : {plan_of("llama", tp, 0, 0), plan_of("gpt2", dp, 2, 0)})
    expect_near(run_on_cpu(plan), run_on_gpus(plan));
}

// Rows of experts are what routers make them; split backward passes put weight gradients off, and
// change no bit. Two steps: after two updates tokens that were near a tie have chosen otherwise
// than in fp32.
TEST(CudaFp8, Experts) {
  const Mesh one, ep{.dp = 2, .ep = 2}, pp{.pp = 2};
  const LayoutRecord on_one = run_on_gpus(plan_of("moe", one, 0, 0));
  expect_near(run_on_cpu(plan_of("moe", one, 0, 0)), on_one, 2);
  expect_near(run_on_cpu(plan_of("moe", ep, 1, 0)), run_on_gpus(plan_of("moe", ep, 1, 0)), 2);
  Plan split = plan_of("moe", pp, 0, 0);
  split.schedule = ScheduleKind::zb_h1;
  EXPECT_EQ(run_on_gpus(split).losses, on_one.losses);
}

// The same weights are rounded, as they were gathered or as they are kept, and the same sums are
// scattered: the same run to the bit.
TEST(CudaFp8, Zero3RoundsWhatItGathers) {
  const Mesh dp{.dp = 2}, ep{.dp = 4, .ep = 2};
  for (const auto& [kind, mesh] : {std::pair("llama", dp), {"gpt2", dp}, {"moe", ep}}) {
    const LayoutRecord kept = run_on_gpus(plan_of(kind, mesh, 2, 0)),
                       gathered = run_on_gpus(plan_of(kind, mesh, 3, 0));
    EXPECT_EQ(gathered.losses, kept.losses) << kind;
    EXPECT_EQ(gathered.grad_norms, kept.grad_norms) << kind;
    EXPECT_TRUE(gathered.parameters == kept.parameters) << kind;
  }
}

int64_t launches_of_a_step(const Plan& plan) {
  int64_t launches = 0;
  cuda_emulation::run_on_gpus(1, [&](Communicator& world, DeviceContext& device) {
    Trainer trainer(device, world, plan, {.optimizer = {}, .check_replicas_every = 0});
    const Sentences tokens;
    const SampleOrder order(tokens.num_tokens(), plan.seq_len, 1, "sentences");
    trainer.step(tokens, order, 1, 0.01);
    const int64_t before = cuda_emulation::num_launches();
    trainer.step(tokens, order, 2, 0.01);
    launches = cuda_emulation::num_launches() - before;
  });
  return launches;
}

// By the kernels that bf16 does without. Forward: the inputs of q, k, v, of o, of gate and up, of
// down. Backward: these again, as transposes, and the gradients of seven products, in both forms at
// once. Weights once a step.
TEST(CudaFp8, WhatSeveralProductsReadIsRoundedOnce) {
  const Plan fp8 = plan_of("llama", {}, 0, 0);
  Plan bf16 = fp8;
  bf16.precision = Precision::bf16;
  constexpr int64_t kProducts = 7, kInputs = 4, kKernels = 3;  // maxima, scale, rounding
  const int64_t of_a_microbatch = 2 * kInputs + kProducts;
  EXPECT_EQ(
      launches_of_a_step(fp8) - launches_of_a_step(bf16),
      fp8.model.num_layers * (fp8.num_microbatches() * of_a_microbatch + kProducts) * kKernels);
}

// Sums over tokens are padded.
TEST(CudaFp8, AnyNumberOfTokens) {
  Plan plan = plan_of("llama", {}, 0, 0);
  plan.seq_len = 13;
  expect_near(run_on_cpu(plan), run_on_gpus(plan));
}

// The first step: the random factors that run_layout gives the adapters are not in the master
// weights, which the update writes back. A small alpha: at 16 these factors make a model whose
// gradient is 60% longer for errors of fp8's size.
TEST(CudaFp8, Lora) {
  Plan plan = plan_of("llama", {}, 0, 4);
  plan.lora.alpha = 4;
  expect_near(run_on_cpu(plan), run_on_gpus(plan), 1);
}

TEST(CudaFp8, SizesThatDoNotFitAreNamed) {
  Plan plan = plan_of("llama", {}, 0, 0);
  plan.model = tiny_llama();
  plan.layers_per_stage = {plan.model.num_layers};
  plan.recompute.assign(static_cast<size_t>(plan.model.num_layers), Recompute::none);
  try {
    run_on_gpus(plan);
    FAIL() << "rows of 8 elements were taken";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("multiples of 16"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace argosy
