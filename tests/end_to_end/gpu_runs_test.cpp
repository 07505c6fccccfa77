// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Runs of the demo's models on a GPU, one rank: twice the same to the bit; bf16 against fp32 on the
// CPU; checkpoints that go to the CPU and back. cuda_runs_test.cpp has the same on emulated GPUs,
// several ranks each.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "comm/nccl/nccl_communicator.h"
#include "comm/self/self_communicator.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/model.h"
#include "tests/end_to_end/runs_support.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;
constexpr int64_t kSeqLen = 64;
// On the CPU bf16 stays within 0.5% of fp32 over 20 steps at this rate; within 4.4% at 3e-4, and
// 28% at 3e-3, where single steps jump.
constexpr double kLearningRate = 1e-4;

class GpuRuns : public testing::Test {
 protected:
  void SetUp() override {
    try {
      (void)count_cuda_devices();
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_ = fs::temp_directory_path() / concat("argosy_gpu_runs.", ::getpid());
};

void run_on(Device kind, int64_t num_ranks,
            const std::function<void(Communicator&, DeviceContext&)>& body) {
  if (kind == Device::cpu) return run_on_cpus(num_ranks, body);
  CHECK(num_ranks == 1, num_ranks, " ranks on one GPU");
  DeviceContext device(Device::cuda);
  const auto world =
      make_nccl_communicator(make_self_communicator(), *device.backend().streams(), {});
  body(*world, device);
}

// The demo's mixture, and the same without experts. A program that tests/gpu.sh --pack has brought
// finds it in the working directory: the folder that it was built in is on another machine.
std::vector<ModelSpec> demo_models() {
  fs::path path = "configs/models/demo-moe.json";
  if (!fs::exists(path)) path = ARGOSY_SOURCE_DIR / path;
  auto config = nlohmann::json::parse(read_text_file(path), nullptr, true, true);
  config["model_type"] = "llama";
  for (const char* key : {"architectures", "num_local_experts", "num_experts_per_tok",
                          "router_aux_loss_coef", "sliding_window"}) {
    config.erase(key);
  }
  return {read_model(path).model, parse_model(config.dump(), "demo-dense", path.string()).model};
}

TEST_F(GpuRuns, AreTheSameToTheBit) {
  for (const ModelSpec& model : demo_models()) {
    const Plan plan = plan_for_losses(model, {}, Precision::bf16, kSeqLen);
    const std::vector<double> once = losses_of(run_on, Device::cuda, plan, kLearningRate);
    EXPECT_EQ(losses_of(run_on, Device::cuda, plan, kLearningRate), once) << model.name;
  }
}

TEST_F(GpuRuns, TwentyStepsInBf16EqualFp32OnTheCpu) {
  for (const ModelSpec& model : demo_models()) {
    SCOPED_TRACE(model.name);
    expect_losses_within_a_hundredth(run_on, plan_for_losses(model, {}, Precision::fp32, kSeqLen),
                                     plan_for_losses(model, {}, Precision::bf16, kSeqLen),
                                     kLearningRate);
  }
}

TEST_F(GpuRuns, CheckpointsGoToTheCpuAndBack) {
  for (const ModelSpec& model : demo_models()) {
    SCOPED_TRACE(model.name);
    const Plan plan = plan_for_losses(model, {}, Precision::bf16, kSeqLen);
    expect_checkpoints_to_travel(run_on, plan, plan, folder_ / model.name);
  }
}

}  // namespace
}  // namespace argosy
