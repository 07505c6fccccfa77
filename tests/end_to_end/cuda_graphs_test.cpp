// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Captured steps on emulated GPUs, whatever happens between them; what cannot be captured says so.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "checkpoint/checkpoint.h"
#include "tests/end_to_end/graph_steps.h"
#include "tests/planner/tiny_models.h"
#include "tests/support/cuda_emulation/graphs.h"
#include "tests/support/cuda_emulation/streams.h"
#include "trainer/device/pinned_copies.h"
#include "trainer/model_checkpoint.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;
using cuda_emulation::Timing;

class CudaGraphSteps : public testing::Test {
 protected:
  CudaGraphSteps() { fs::create_directories(folder_); }
  ~CudaGraphSteps() override {
    fs::remove_all(folder_);
    cuda_emulation::reset_devices();
  }
  fs::path folder_ = fs::temp_directory_path() / concat("argosy_cuda_graphs.", ::getpid());
};

// Copies of weights in 8 bits are made in the first use after an update: by an evaluation too, then
// the step before the capture would not make them.
TEST_F(CudaGraphSteps, MakeCopiesOfWeightsInEightBits) {
  Plan plan =
      tiny_plan(tiny_model("llama", R"({"model_type": "llama", "vocab_size": 61, "hidden_size": 32,
          "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
          "num_key_value_heads": 4, "initializer_range": 0.2})"),
                {.dp = 2}, 1, 0);
  plan.seq_len = 16;
  plan.precision = Precision::fp8;
  validate(plan);
  Settings settings{.num_steps = 7, .evaluate_after = {0, 3, 5}};
  const Record without = train(plan, {}, settings);
  settings.graphs = CudaGraphs::on;
  expect_equal(train(plan, {}, settings), without);
}

// As a checkpoint is: nobody but the update waits for the copy.
TEST_F(CudaGraphSteps, HoldTheUpdateWhileWeightsAreCopiedOut) {
  cuda_emulation::set_timing(Timing::others_late);
  std::vector<float> before;
  std::unique_ptr<DeviceQueue> queue;
  float* pinned = nullptr;
  const auto copy = [&](Trainer& trainer, int64_t step) {
    DeviceBackend& backend = trainer.context().device.backend();
    const Tensor& weights = trainer.parameters().values(Domain::dense);
    if (step == 5) {
      before = copy_to_host<float>(weights);
      pinned = static_cast<float*>(backend.pinned_copies()->allocate(weights.bytes()));
      queue = backend.streams()->make_queue();
      queue->wait_for(*backend.streams()->compute().mark());
      backend.pinned_copies()->begin(*queue, weights.raw(), pinned, weights.bytes());
      trainer.hold_update(queue->mark());
    }
    if (step != 6) return;
    const std::unique_ptr<DeviceMark> end = queue->mark();
    while (!end->reached()) {
    }
    EXPECT_TRUE(std::equal(before.begin(), before.end(), pinned)) << "an update came between";
    EXPECT_NE(copy_to_host<float>(weights), before);
    backend.pinned_copies()->release(pinned);
    queue.reset();
  };
  const Record with = train(plan_in(Precision::fp32, "accumulate"), settings_for("accumulate"),
                            {.num_steps = 6, .graphs = CudaGraphs::on, .after = copy});
  EXPECT_GT(with.graphs.front().num_nodes, 0);
}

// Into the tensors of a trainer that has graphs, and of one that has none yet.
TEST_F(CudaGraphSteps, GoOnFromACheckpoint) {
  const char* layout = "dp2_zero1_adamw";
  const Plan plan = plan_in(Precision::bf16, layout);
  const auto save_at_two = [&](Trainer& trainer, int64_t step) {
    if (step != 2) return;
    save_checkpoint(trainer.groups().control(), folder_, {2, to_json(plan), {}},
                    owned_pieces(trainer.context(), trainer.parameters(), trainer.optimizer()));
  };
  train(plan, settings_for(layout), {.num_steps = 2, .after = save_at_two});
  const auto restore_before = [&](int64_t when) {
    return [&, when](Trainer& trainer, int64_t step) {
      if (step != when) return;
      restore_checkpoint(trainer.context(), checkpoint_path(folder_, 2), Restore::resume,
                         trainer.parameters(), &trainer.optimizer());
    };
  };
  for (const int64_t when : {1, 6}) {
    SCOPED_TRACE(when);
    const Record without = train(plan, settings_for(layout), {.before = restore_before(when)});
    const Record with = train(plan, settings_for(layout),
                              {.graphs = CudaGraphs::on, .before = restore_before(when)});
    expect_equal(with, without);
    EXPECT_GT(with.graphs.front().num_nodes, 0);
  }
}

// --- time

// The device writes its stamps with each launch: parts and passes of a captured step are its own.
TEST_F(CudaGraphSteps, TellTheirTimeByTheDevicesClock) {
  cuda_emulation::set_timing(Timing::seeded, 3);
  for (const char* layout : {"accumulate", "dp2_zero1_adamw"}) {
    SCOPED_TRACE(layout);
    const Plan plan = plan_in(Precision::fp32, layout);
    const Record without = train(plan, settings_for(layout), {.num_steps = 7});
    const Record with =
        train(plan, settings_for(layout), {.num_steps = 7, .graphs = CudaGraphs::on});
    EXPECT_NEAR(total_s(with.parts), with.timeline.step_s, 1e-9);
    EXPECT_GT(with.parts.compute_s, 0);
    EXPECT_GT(with.parts.optimizer_s, 0);
    std::multiset<std::string> names, expected;
    for (const TimelineEvent& event : without.timeline.events) expected.insert(event.name);
    for (const TimelineEvent& event : with.timeline.events) {
      names.insert(event.name);
      EXPECT_GE(event.start_s, 0) << event.name;
      EXPECT_LE(event.start_s, event.end_s) << event.name;
      EXPECT_LE(event.end_s, with.timeline.step_s + 1e-9) << event.name;
    }
    EXPECT_EQ(names, expected);
  }
}

// --- failures and refusals

TEST_F(CudaGraphSteps, FailWithTheDevice) {
  const char* layout = "dp2_zero1_adamw";
  const auto fail = [](Trainer& trainer, int64_t step) {
    if (step == 6 && trainer.groups().rank() == 1)
      cuda_emulation::fail_later(1, 20, cudaErrorIllegalAddress);
  };
  try {
    train(plan_in(Precision::fp32, layout), settings_for(layout),
          {.graphs = CudaGraphs::on, .before = fail});
    FAIL() << "ran through";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("illegal memory access"), std::string::npos)
        << error.what();
  }
}

// More than the device has: what can be given back is, and that is not what graphs use.
void expect_no_room(DeviceContext& device) {
  try {
    (void)device.empty({int64_t{1} << 30}, DType::fp32, MemoryCategory::workspace);
    ADD_FAILURE() << "4 GiB of 1";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_EQ(text.find("out of device memory: "), 0u) << text;
    EXPECT_NE(text.find("kept for CUDA graphs"), std::string::npos) << text;
  }
}

// Whatever a graph uses is its own: what is made and dropped between launches is not written over,
// and does not take its place.
TEST_F(CudaGraphSteps, KeepTheirMemory) {
  const Plan plan = plan_in(Precision::bf16, "accumulate");
  std::vector<Tensor> kept;
  const auto use_memory = [&](Trainer& trainer, int64_t step) {
    DeviceContext& device = trainer.context().device;
    if (step == 6) expect_no_room(device);
    for (const int64_t size : {1, 12, 61, 96, 500, 1000}) {
      Tensor tensor = device.empty({size}, DType::fp32, MemoryCategory::workspace);
      copy_to_device(std::span<const float>(std::vector<float>(static_cast<size_t>(size), 7.0f)),
                     tensor);
      kept.push_back(tensor);
    }
  };
  const auto check_memory = [&](Trainer&, int64_t step) {
    for (const Tensor& tensor : kept) {
      for (const float value : copy_to_host<float>(tensor)) ASSERT_EQ(value, 7.0f);
    }
    if (step == 8) kept.clear();
  };
  const Record without = train(plan, settings_for("accumulate"), {});
  const Record with =
      train(plan, settings_for("accumulate"),
            {.graphs = CudaGraphs::on, .before = use_memory, .after = check_memory});
  EXPECT_EQ(with.losses, without.losses);
  EXPECT_TRUE(with.values == without.values);
}

TEST_F(CudaGraphSteps, AreLeftOutWhereTheyCannotBe) {
  const std::pair<const char*, const char*> obstacles[] = {
      {"moe_dp2", "experts: "},
      {"pp2_1f1b", "pp=2: "},
      {"cp2", "cp=2 with ring attention: "},
      {"documents_cp2_dp2", "ring attention: "},
      {"offload_dp2", "offload=optimizer: "}};
  for (const auto& [layout, why] : obstacles) {
    const Plan plan = plan_in(Precision::fp32, layout);
    try {
      train(plan, settings_for(layout), {.num_steps = 1, .graphs = CudaGraphs::on});
      ADD_FAILURE() << layout << " was captured";
    } catch (const ConfigError& error) {
      const std::string text = error.what();
      EXPECT_EQ(text.find("--cuda-graphs on: no step can be captured, "), 0u) << text;
      EXPECT_NE(text.find(why), std::string::npos) << text;
      EXPECT_NE(text.find("; valid: auto, off"), std::string::npos) << text;
    }
  }
  const int64_t launches = cuda_emulation::num_graph_launches();
  const Plan plan = plan_in(Precision::fp32, "moe_dp2");
  const Settings steps{.num_steps = 5, .graphs = CudaGraphs::automatic};
  expect_equal(train(plan, settings_for("moe_dp2"), steps),
               train(plan, settings_for("moe_dp2"), {.num_steps = 5}));
  EXPECT_EQ(cuda_emulation::num_graph_launches(), launches);
  EXPECT_EQ(
      obstacle_to_graphs(plan_in(Precision::fp32, "dp2"), {.document_mask = true}, Device::cuda)
          .find("--document-mask: "),
      0u);
  EXPECT_EQ(obstacle_to_graphs(plan_in(Precision::fp32, "dp2"), {}, Device::cpu),
            "the device is cpu");
}

}  // namespace
}  // namespace argosy
