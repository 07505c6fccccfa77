// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What planner/spec says the host launches for a layer is what the trainer launches on emulated
// GPUs. Kernels alone are counted there, products of the library are not; attention is plain.
#include <gtest/gtest.h>

#include <mutex>

#include "planner/spec/work.h"
#include "tests/end_to_end/counted_tokens.h"
#include "tests/end_to_end/layouts.h"
#include "tests/support/cuda_emulation/emulation.h"
#include "tests/support/cuda_emulation/gpu_ranks.h"
#include "tests/support/cuda_emulation/streams.h"
#include "trainer/trainer.h"

namespace argosy {
namespace {

Plan plan_with(Layout layout, int64_t num_layers, int64_t num_microbatches) {
  layout.num_layers = num_layers;
  Plan plan = plan_of(layout);
  plan.precision = Precision::fp32;
  plan.global_batch = num_microbatches * plan.micro_batch * plan.mesh.dp;
  return plan;
}

// Kernels of the second step, of all ranks together.
int64_t kernels_of_step(const Layout& layout, const Plan& plan) {
  TrainerSettings settings = settings_of(layout);
  settings.check_replicas_every = 0;
  int64_t before = 0, after = 0;
  const auto body = [&](Communicator& world, DeviceContext& device) {
    Trainer trainer(device, world, plan, settings);
    const CountedTokens tokens(plan.model.vocab_size);
    const SampleOrder order(tokens.num_tokens(), plan.seq_len, 7, "counted tokens");
    trainer.step(tokens, order, 1, 0.01);
    world.barrier();
    if (world.rank() == 0) before = cuda_emulation::num_launches();
    world.barrier();
    trainer.step(tokens, order, 2, 0.01);
    world.barrier();
    if (world.rank() == 0) after = cuda_emulation::num_launches();
    world.barrier();
  };
  cuda_emulation::run_on_gpus(static_cast<int>(plan.mesh.world_size()), body);
  cuda_emulation::reset_devices();
  return after - before;
}

// Kernels that a pass launches there: no products, and of attention one launch less each, that of
// the statistics that cuDNN wants in another order.
int64_t kernels_of_pass(const Pass& pass) {
  int64_t count = pass.num_launches;
  for (const OpWork& op : pass.ops) count -= op.kind == OpKind::memory ? 0 : op.count;
  return count;
}

int64_t kernels_of_layer(const LayerWork& layer) {
  return kernels_of_pass(layer.forward) + kernels_of_pass(layer.backward);
}

class CudaLaunches : public testing::TestWithParam<Layout> {};

TEST_P(CudaLaunches, AreThoseOfTheSpec) {
  const Layout& layout = GetParam();
  const auto kernels = [&](int64_t num_layers, int64_t num_microbatches) {
    return kernels_of_step(layout, plan_with(layout, num_layers, num_microbatches));
  };
  // What one more micro-batch launches, of two layers and of three.
  const int64_t of_two = kernels(2, 3) - kernels(2, 2), of_three = kernels(3, 3) - kernels(3, 2);
  const Plan plan = plan_with(layout, 2, 2);
  const int64_t ranks = plan.mesh.world_size();
  const std::vector<LayerWork> works = stage_work(plan, 0);
  ASSERT_EQ(works.size(), 4u);
  const int64_t block = kernels_of_layer(works[1]);
  EXPECT_GT(block, 5);
  EXPECT_EQ(of_three - of_two, ranks * block);
  const int64_t copies = plan.mesh.tp > 1 ? 1 : 0;  // in the head; no kernel
  EXPECT_EQ(of_two - 2 * ranks * block,
            ranks * (kernels_of_layer(works[0]) + kernels_of_layer(works[3]) - copies));
}

// What one more micro-batch launches in one more block, on all ranks, and what the spec says of it.
struct BlockLaunches {
  int64_t kernels = 0, planned = 0;
};
BlockLaunches block_launches(const Layout& layout) {
  const auto kernels = [&](int64_t num_layers, int64_t num_microbatches) {
    return kernels_of_step(layout, plan_with(layout, num_layers, num_microbatches));
  };
  const int64_t of_two = kernels(2, 3) - kernels(2, 2), of_three = kernels(3, 3) - kernels(3, 2);
  const LayerWork block = stage_work(plan_with(layout, 2, 2), 0)[1];
  return {of_three - of_two, block.forward.num_launches + block.backward.num_launches};
}

// Experts: 4 products of attention, the router's and 3 of all experts, twice as many in backward;
// counts of rows are cleared and brought to the host without a kernel, rows of other ranks' experts
// are put in an order that comes from the host.
TEST(CudaLaunchesOfExperts, AreThoseOfTheSpec) {
  for (const int64_t ep : {1, 2}) {
    SCOPED_TRACE(ep);
    Layout layout{.name = "experts", .model = TinyModel::mixtral};
    layout.mesh.dp = layout.mesh.ep = ep;
    const BlockLaunches launches = block_launches(layout);
    const int64_t products = 3 * (4 + 1 + 3), attention = 2, copies = ep > 1 ? 6 : 2;
    EXPECT_EQ(launches.kernels, ep * (launches.planned - products - attention - copies));
  }
}

// Sinks, biases of experts and the router's, which is in fp32 as it is: one copy less.
TEST(CudaLaunchesOfGptOss, AreThoseOfTheSpec) {
  for (const bool is_lora : {false, true}) {
    SCOPED_TRACE(is_lora);
    Layout layout{.name = "gpt_oss", .model = TinyModel::gpt_oss};
    layout.lora_rank = is_lora ? 2 : 0;
    const BlockLaunches launches = block_launches(layout);
    const int64_t products = is_lora ? 2 * (4 + 1 + 3) + 6 * 4 : 3 * (4 + 1 + 3);
    const int64_t attention = 2, copies = 2;
    EXPECT_EQ(launches.kernels, launches.planned - products - attention - copies - 1);
  }
}

// Norms over all heads of a token, on one rank, over tp, and over cp; experts as above.
TEST(CudaLaunchesOfWholeNorms, AreThoseOfTheSpec) {
  for (const Mesh& mesh : {Mesh{}, Mesh{.tp = 2}, Mesh{.cp = 2}}) {
    SCOPED_TRACE(testing::Message() << "tp=" << mesh.tp << " cp=" << mesh.cp);
    Layout layout{.name = "whole_norms", .model = TinyModel::olmoe, .mesh = mesh};
    layout.cp_kind = ContextParallel::ulysses;
    const BlockLaunches launches = block_launches(layout);
    const int64_t products = 3 * (4 + 1 + 3), attention = 2, copies = 2;
    EXPECT_EQ(launches.kernels,
              mesh.world_size() * (launches.planned - products - attention - copies));
  }
}

// A whole micro-batch of a model with two modules for multi-token prediction, and so three heads,
// each of which copies its norm's gain without a kernel.
TEST(CudaLaunchesOfModules, AreThoseOfTheSpec) {
  for (const int64_t tp : {1, 2}) {
    for (const int64_t lora_rank : {0, 2}) {
      SCOPED_TRACE(testing::Message() << "tp=" << tp << " lora_rank=" << lora_rank);
      const Layout layout{.name = "modules",
                          .model = TinyModel::dense_mtp,
                          .mesh = {.tp = tp},
                          .lora_rank = lora_rank};
      const auto kernels = [&](int64_t num_microbatches) {
        return kernels_of_step(layout, plan_with(layout, 2, num_microbatches));
      };
      const std::vector<LayerWork> works = stage_work(plan_with(layout, 2, 2), 0);
      ASSERT_EQ(works.size(), 6u);
      int64_t planned = 0;
      for (const LayerWork& work : works) planned += kernels_of_layer(work);
      const int64_t copies = 3 * (tp > 1 ? 2 : 1);
      EXPECT_EQ(kernels(3) - kernels(2), tp * (planned - copies));
    }
  }
}

// A ring clears and copies without a kernel, and has no cuDNN.
TEST(CudaLaunchesOfARing, AreThoseOfTheSpec) {
  for (const int64_t cp : {2, 4}) {
    SCOPED_TRACE(cp);
    Layout layout{.name = "ring", .model = TinyModel::llama};
    layout.mesh.cp = cp;
    const BlockLaunches launches = block_launches(layout);
    const int64_t products = 3 * 7, copies = 1 + 2 * cp + 1 + 3;
    EXPECT_EQ(launches.kernels, cp * (launches.planned - products - copies));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Layouts, CudaLaunches,
    testing::Values(
        Layout{.name = "llama", .model = TinyModel::llama},
        Layout{.name = "qwen2_tied", .model = TinyModel::qwen2_tied},
        Layout{.name = "qwen3", .model = TinyModel::qwen3},
        Layout{.name = "gpt2", .model = TinyModel::gpt2},
        Layout{.name = "selective", .model = TinyModel::qwen3, .recompute = Recompute::selective},
        Layout{.name = "full", .model = TinyModel::llama, .recompute = Recompute::full},
        Layout{.name = "lora", .model = TinyModel::llama, .lora_rank = 2},
        Layout{.name = "nf4", .model = TinyModel::llama, .lora_rank = 2, .base_bits = 4},
        Layout{.name = "tp2", .model = TinyModel::llama, .mesh = {.tp = 2}},
        Layout{.name = "latent", .model = TinyModel::latent_dense},
        Layout{.name = "latent_tp2_sp", .model = TinyModel::latent_dense, .mesh = {.tp = 2}},
        Layout{.name = "latent_tp2",
               .model = TinyModel::latent_dense,
               .mesh = {.tp = 2},
               .sequence_parallel = false},
        Layout{.name = "ulysses",
               .model = TinyModel::llama,
               .mesh = {.cp = 2},
               .cp_kind = ContextParallel::ulysses}),
    [](const auto& layout) { return layout.param.name; });

}  // namespace
}  // namespace argosy
