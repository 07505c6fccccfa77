// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-plan --fix offload=optimizer, then argosy-train: the numbers of the run without, to the
// bit, and the planned bytes of the host.
#include "planner/spec/check.h"
#include "planner/spec/ledger.h"
#include "planner/spec/plan.h"
#include "tests/end_to_end/programs.h"

namespace argosy {
namespace {

// Four cores that have a host beside them.
constexpr const char* kCluster = R"({"name": "hosted", "device": "cpu", "num_devices": 4,
    "devices_per_node": 4, "accelerator": {"name": "core", "fp64_flops_per_s": 5e10,
    "fp32_flops_per_s": 1.6e11, "bf16_flops_per_s": 1.6e11, "fp8_flops_per_s": 0,
    "memory_bytes": 2000000000, "reserved_bytes": 0, "memory_bytes_per_s": 2.4e10,
    "op_overhead_s": 0, "matmul_efficiency": [[1e4, 0.12], [1e6, 0.8], [3e7, 1.0]],
    "attention_efficiency": [[4e6, 0.2], [1e9, 0.5]], "memory_efficiency": [[1e4, 1.0]]},
    "tiers": [{"name": "shared memory", "devices": 4, "latency_s": 0, "bytes_per_s": 6e9,
    "efficiency": 1.0}], "host": {"memory_bytes": 8000000000, "memory_bytes_per_s": 4e10,
    "link_bytes_per_s": 2e10}, "operation": {"device_mtbf_hours": 0, "restart_s": 0,
    "checkpoint_s": 0, "device_power_w": 6, "idle_power_w": 2, "pue": 1.1,
    "usd_per_device_hour": 0.05, "carbon_kg_per_kwh": 0.385}})";

class OffloadTest : public ProgramTest {
 protected:
  // plan.json, and host.json, which keeps the optimizer on the host.
  void make_plans(const std::string& model, const std::string& fix, const std::string& precision) {
    write("hosted.json", kCluster);
    for (const char* name : {"plan", "host"}) {
      succeed(
          concat("argosy-plan --model ", model,
                 " --cluster hosted.json --devices 2 --seq-len 16 --global-batch 8 --precision ",
                 precision, " --out ", name, ".json --fix ", fix,
                 std::string(name) == "host" ? ",offload=optimizer" : ""));
    }
  }

  void expect_equal_runs(const char* run_dir, const char* other) const {
    const auto steps = metrics(run_dir), others = metrics(other);
    ASSERT_EQ(steps.size(), others.size());
    ASSERT_FALSE(steps.empty());
    for (size_t i = 0; i < steps.size(); ++i) {
      EXPECT_EQ(steps[i].loss, others[i].loss) << "step " << i + 1;
      EXPECT_EQ(steps[i].grad_norm, others[i].grad_norm) << "step " << i + 1;
    }
    const ProgramResult diff = succeed(concat("argosy-checkpoint diff ", run_dir, " ", other));
    EXPECT_TRUE(contains(diff.out, " equal to the bit, 0 not")) << diff.out;
  }
};

TEST_F(OffloadTest, IsTrainedAsPlanned) {
  make_plans("dense.json", "tp=1,pp=1,dp=2,zero=1,micro_batch=2", "bf16");
  succeed(launch("plan.json", "without", 3));
  const ProgramResult ran = succeed(launch("host.json", "with", 3));
  expect_equal_runs("without", "with");
  const Plan plan = parse_plan(read("host.json"), "host.json");
  EXPECT_EQ(plan.offload, Offload::optimizer);
  EXPECT_EQ(predict_ledger(plan, 0).host_bytes, plan.predicted.host_bytes);
  EXPECT_GT(plan.predicted.host_bytes, 0);
  EXPECT_TRUE(contains(unwrapped(ran.out), "the optimizer in the host's memory: ")) << ran.out;
  const auto at = static_cast<size_t>(MemoryCategory::optimizer);
  const StepMetrics with = metrics("with").back(), without = metrics("without").back();
  EXPECT_EQ(with.host_bytes, plan.predicted.host_bytes);
  EXPECT_EQ(with.memory_bytes[at], 0);
  EXPECT_EQ(plan.predicted.memory_bytes[at], 0);
  EXPECT_EQ(without.host_bytes, std::nullopt);
  EXPECT_EQ(without.memory_bytes[at], plan.predicted.host_bytes);
}

// Three steps on either side of a change: the same files, the same bits.
TEST_F(OffloadTest, ResumesWhatRanWithoutAndTheReverse) {
  make_plans("moe.json", "tp=1,pp=1,dp=2,ep=2,zero=1,micro_batch=2", "bf16");
  succeed(launch("plan.json", "whole", 4));
  for (const auto& [first, second] : {std::pair("plan", "host"), std::pair("host", "plan")}) {
    const std::string dir = concat(first, "_first");
    succeed(launch(concat(first, ".json"), dir, 2));
    succeed(launch(concat(second, ".json"), dir, 4, "--resume auto"));
    expect_equal_runs("whole", dir.c_str());
  }
}

TEST_F(OffloadTest, VerifiesAgainstOneRankWithout) {
  make_plans("dense.json", "tp=2,pp=1,dp=1,micro_batch=2,sequence_parallel=1", "fp64");
  succeed("argosy-launch --plan host.json -- --data text.txt --verify 2");
}

}  // namespace
}  // namespace argosy
