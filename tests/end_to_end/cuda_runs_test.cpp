// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Runs on emulated GPUs: twice the same to the bit, however streams are timed; checkpoints that go
// from a GPU to the CPU and back; bf16 against fp32 on the CPU; --verify.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <mutex>
#include <sstream>

#include "checkpoint/checkpoint.h"
#include "planner/spec/files.h"
#include "planner/spec/model.h"
#include "tests/end_to_end/layout_run.h"
#include "tests/end_to_end/layouts.h"
#include "tests/end_to_end/runs_support.h"
#include "tests/support/cuda_emulation/gpu_ranks.h"
#include "tests/support/cuda_emulation/streams.h"
#include "trainer/run_saves.h"
#include "trainer/trainer.h"
#include "trainer/verify_command.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;
using cuda_emulation::Timing;

class Devices : public testing::Test {
 protected:
  Devices() { fs::create_directories(folder_); }
  ~Devices() override {
    fs::remove_all(folder_);
    cuda_emulation::reset_devices();
  }
  fs::path folder_ = fs::temp_directory_path() / concat("argosy_cuda_runs.", ::getpid());
};
using CudaRuns = Devices;

void run_on(Device kind, int64_t num_ranks,
            const std::function<void(Communicator&, DeviceContext&)>& body) {
  if (kind == Device::cpu) return run_on_cpus(num_ranks, body);
  cuda_emulation::run_on_gpus(static_cast<int>(num_ranks), body);
}

Plan plan_in(Precision precision, const char* name, OptimizerKind optimizer) {
  Layout layout = layout_named(name);
  layout.optimizer = optimizer;
  Plan plan = plan_of(layout);
  plan.precision = precision;
  return plan;
}

TEST_F(CudaRuns, AreTheSameToTheBitHoweverStreamsAreTimed) {
  const std::pair<const char*, Precision> runs[] = {{"zero3_dp2", Precision::bf16},
                                                    {"il_pp2_v2", Precision::fp32},
                                                    {"moe_dp2_ep2", Precision::bf16},
                                                    {"offload_dp3_zero1", Precision::bf16}};
  for (const auto& [name, precision] : runs) {
    const Plan plan = plan_in(precision, name, OptimizerKind::adamw);
    std::vector<LayoutRecord> records;
    for (const Timing timing : {Timing::early, Timing::compute_late, Timing::others_late}) {
      cuda_emulation::set_timing(timing);
      run_on(Device::cuda, plan.mesh.world_size(),
             [&, layout = name](Communicator& world, DeviceContext& device) {
               LayoutRecord record =
                   run_layout(world, device, plan, settings_of(layout_named(layout)), 2);
               if (world.rank() == 0) records.push_back(std::move(record));
             });
    }
    for (size_t i = 1; i < records.size(); ++i) {
      EXPECT_EQ(records[i].losses, records[0].losses) << name;
      EXPECT_EQ(records[i].grad_norms, records[0].grad_norms) << name;
      EXPECT_TRUE(records[i].parameters == records[0].parameters) << name;
    }
  }
}

// --- what the host waits for

// How often rank 0 waits for its device in the second step.
cuda_emulation::HostWaits waits_of_a_step(const char* name, int64_t micro_batch) {
  const Layout& layout = layout_named(name);
  Plan plan = plan_of(layout);
  plan.precision = Precision::fp32;
  plan.micro_batch = micro_batch;
  cuda_emulation::HostWaits first;
  std::vector<cuda_emulation::HostWaits> waits;
  cuda_emulation::run_on_gpus(
      static_cast<int>(plan.mesh.world_size()),
      [&](Communicator& world, DeviceContext& device) {
        TrainerSettings settings = settings_of(layout);
        settings.check_replicas_every = 0;
        Trainer trainer(device, world, plan, settings);
        const Sentences tokens;
        const SampleOrder order(tokens.num_tokens(), plan.seq_len, 1, "sentences");
        trainer.step(tokens, order, 1, 0.01);
        const auto mine = static_cast<size_t>(world.rank());
        const cuda_emulation::HostWaits before = waits[mine];
        trainer.step(tokens, order, 2, 0.01);
        if (mine == 0) {
          first = {waits[mine].downloads - before.downloads,
                   waits[mine].synchronizations - before.synchronizations};
        }
      },
      {}, &waits);
  return first;
}

// A step of six more micro-batches waits for a loss each, and with experts for the tokens of each
// in each of the three layers, which decide how much there is to do, whenever these run forward.
// All else is read once a step.
TEST_F(CudaRuns, AMicrobatchWaitsForCountsOfExpertsAlone) {
  const auto of_six = [](const char* name) {
    return waits_of_a_step(name, 1).downloads - waits_of_a_step(name, 2).downloads;
  };
  const int64_t dense = of_six("tp2_sp");
  EXPECT_LE(dense, 6);
  EXPECT_EQ(of_six("moe_tp2_sp_ep2"), dense + 3 * 6);
  EXPECT_EQ(of_six("capacity_tp2_sp_ep2"), dense + 2 * 3 * 6) << "runs forward twice";
  EXPECT_LE(waits_of_a_step("moe_tp2_sp_ep2", 2).synchronizations, 1);
}

TEST_F(CudaRuns, CheckpointsGoToTheCpuAndBack) {
  cuda_emulation::set_timing(Timing::seeded, 3);
  const Plan on_gpus = plan_in(Precision::bf16, "zero3_moe_dp4_ep2", OptimizerKind::adamw);
  const Plan on_cpus = plan_in(Precision::bf16, "moe_tp2_sp_ep2", OptimizerKind::adamw);
  expect_checkpoints_to_travel(run_on, on_gpus, on_cpus, folder_);
}

// A save beside the steps gathers shards of levels and scales, and keeps what it has of them.
TEST_F(CudaRuns, ShardsOf4BitsGoToTheCpuAndBack) {
  cuda_emulation::set_timing(Timing::seeded, 4);
  const Plan on_gpus = plan_in(Precision::bf16, "nf4_zero3_moe_dp4_ep2", OptimizerKind::adamw);
  const Plan on_cpus = plan_in(Precision::bf16, "nf4_moe_tp2_sp_ep2", OptimizerKind::adamw);
  expect_checkpoints_to_travel(run_on, on_gpus, on_cpus, folder_);
}

// The optimizer's state is the host's then; masters are in both memories.
TEST_F(CudaRuns, CheckpointsOfAnOffloadedOptimizerGoToTheCpuAndBack) {
  cuda_emulation::set_timing(Timing::seeded, 4);
  const Plan on_gpus = plan_in(Precision::bf16, "offload_dp3_zero1", OptimizerKind::adamw);
  const Plan on_cpus = plan_in(Precision::bf16, "tp2_sp_dp2_zero1", OptimizerKind::adamw);
  expect_checkpoints_to_travel(run_on, on_gpus, on_cpus, folder_);
}

ModelSpec small_model(const char* config) {
  return parse_model(config, "small", "cuda_runs_test.cpp").model;
}

TEST_F(CudaRuns, TwentyStepsInBf16EqualFp32OnTheCpu) {
  cuda_emulation::set_timing(Timing::others_late);
  const auto within_a_hundredth = [](const char* config, const Mesh& mesh) {
    const ModelSpec model = small_model(config);
    expect_losses_within_a_hundredth(run_on, plan_for_losses(model, {}, Precision::fp32, 16),
                                     plan_for_losses(model, mesh, Precision::bf16, 16), 3e-3);
  };
  within_a_hundredth(R"({"model_type": "llama", "vocab_size": 61, "hidden_size": 32,
      "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
      "num_key_value_heads": 2, "max_position_embeddings": 32, "initializer_range": 0.05})",
                     {.dp = 2});
  within_a_hundredth(R"({"model_type": "mixtral", "vocab_size": 61, "hidden_size": 32,
      "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
      "num_key_value_heads": 2, "num_local_experts": 4, "num_experts_per_tok": 2,
      "router_aux_loss_coef": 0.01, "max_position_embeddings": 32, "initializer_range": 0.05})",
                     {.dp = 2, .ep = 2});
}

// --- the programs' way

// An llm.c file of 16-bit tokens that the tiny models know.
std::string token_file() {
  constexpr int kNumTokens = 500;
  int32_t header[256] = {20240520, 1, kNumTokens};
  std::string bytes(reinterpret_cast<const char*>(header), sizeof header);
  for (int i = 0; i < kNumTokens; ++i) {
    const auto token = static_cast<uint16_t>(i * i % 59);
    bytes.append(reinterpret_cast<const char*>(&token), sizeof token);
  }
  return bytes;
}

TrainOptions options_for(const fs::path& folder, const Plan& plan) {
  write_text_file(folder / "data.bin", token_file());
  write_plan(plan, folder / "plan.json");
  TrainOptions options;
  options.plan = folder / "plan.json";
  options.data = folder / "data.bin";
  options.lr.lr = 0.01;
  return options;
}

TEST_F(CudaRuns, VerifyComparesGpusWithOneGpu) {
  cuda_emulation::set_timing(Timing::compute_late);
  TrainOptions options =
      options_for(folder_, plan_in(Precision::fp32, "tp2_sp_dp2_zero1", OptimizerKind::adamw));
  options.mode = TrainMode::verify;
  options.verify_steps = 2;
  for (const Fault fault : {Fault::none, Fault::tensor_gradient_not_summed}) {
    run_on(Device::cuda, 4, [&](Communicator& world, DeviceContext& device) {
      std::ostringstream out;
      const int code = run_verify(options, device, world, out, fault);
      if (world.rank() != 0) return;
      EXPECT_EQ(code, fault == Fault::none ? kExitDone : kExitFailure) << out.str();
    });
  }
}

// A save beside the steps is waited for; the state after the last good step comes from the device.
TEST_F(CudaRuns, ARunThatIsNotFiniteSavesItsLastGoodStep) {
  cuda_emulation::set_timing(Timing::seeded, 3);
  for (const char* name : {"zero3_dp2", "moe_dp2_ep2", "offload_dp2"}) {
    const Plan plan = plan_in(Precision::bf16, name, OptimizerKind::adamw);
    TrainOptions options;
    options.run_dir = folder_ / name;
    run_on(Device::cuda, 2, [&](Communicator& world, DeviceContext& device) {
      TrainerSettings settings;
      settings.clip = 0;
      Trainer trainer(device, world, plan, settings);
      Heartbeat heartbeat;
      std::vector<int64_t> saved;
      RunSaves saves(options, {}, device, trainer, heartbeat,
                     [&](int64_t step, const std::string&) { saved.push_back(step); });
      const Sentences tokens;
      const SampleOrder order(tokens.num_tokens(), plan.seq_len, 1, "sentences");
      trainer.step(tokens, order, 1, 0.01);
      saves.begin(1);
      trainer.step(tokens, order, 2, 1e18);
      EXPECT_THROW(trainer.step(tokens, order, 3, 0.01), NotFinite);
      EXPECT_EQ(saves.rescue(2), "the last step is saved: --resume auto goes on from step 2");
      EXPECT_EQ(saved, (std::vector<int64_t>{1, 2}));
    });
    for (const int64_t step : {1, 2}) {
      EXPECT_EQ(verify_checkpoint(checkpoint_path(options.run_dir / "checkpoints", step)),
                std::vector<std::string>{});
    }
  }
}

}  // namespace
}  // namespace argosy
