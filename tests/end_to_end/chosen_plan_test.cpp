// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the search decides on its own where memory is short, interleaved stages, stages of unequal
// layers, recomputation layer by layer, is what argosy-train then does: its ledger is the predicted
// one on every rank, and so are its bytes of parameters, gradients, optimizer and activations.
#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "comm/thread/thread_communicator.h"
#include "planner/spec/check.h"
#include "planner/spec/ledger.h"
#include "planner/spec/plan.h"
#include "tests/end_to_end/layout_run.h"
#include "tests/end_to_end/programs.h"

namespace argosy {
namespace {

constexpr const char* kDeep = R"({"model_type": "llama", "vocab_size": 258, "hidden_size": 32,
    "intermediate_size": 64, "num_hidden_layers": 11, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "initializer_range": 0.05})";
// Four devices with 890 kB each: the state takes most of it, what kernels pack the rest.
constexpr const char* kTight = R"({"name": "tight", "device": "cpu", "num_devices": 4,
    "devices_per_node": 4, "accelerator": {"name": "core", "fp64_flops_per_s": 5e10,
    "fp32_flops_per_s": 1.6e11, "bf16_flops_per_s": 1.6e11, "fp8_flops_per_s": 0,
    "memory_bytes": 890000, "reserved_bytes": 0, "memory_bytes_per_s": 2.4e10, "op_overhead_s": 0,
    "matmul_efficiency": [[1e4, 0.12], [1e6, 0.8], [3e7, 1.0]],
    "attention_efficiency": [[4e6, 0.2], [1e9, 0.5]], "memory_efficiency": [[1e4, 1.0]]},
    "tiers": [{"name": "shared memory", "devices": 4, "latency_s": 0, "bytes_per_s": 6e9,
    "efficiency": 1.0}], "operation": {"device_mtbf_hours": 0, "restart_s": 0, "checkpoint_s": 0,
    "device_power_w": 6, "idle_power_w": 2, "pue": 1.1, "usd_per_device_hour": 0.05,
    "carbon_kg_per_kwh": 0.385}})";

class ChosenPlanTest : public ProgramTest {
 protected:
  Plan search() {
    write("deep.json", kDeep);
    write("tight.json", kTight);
    succeed(
        "argosy-plan --model deep.json --cluster tight.json --seq-len 16 --global-batch 8 "
        "--precision fp32 --out plan.json");
    return parse_plan(read("plan.json"), "plan.json");
  }
};

template <typename Value>
size_t num_different(const std::vector<Value>& values) {
  return std::set<Value>(values.begin(), values.end()).size();
}

TEST_F(ChosenPlanTest, IsWhatTheTrainerRuns) {
  const Plan plan = search();
  EXPECT_EQ(plan.schedule, ScheduleKind::interleaved);
  EXPECT_GT(num_different(plan.layers_per_stage), 1u);
  EXPECT_GT(num_different(plan.recompute), 1u);

  // The program, under MPI: the fullest rank's bytes are the predicted ones.
  succeed(launch("plan.json", "run", 2, "--checkpoint-every 0"));
  const std::vector<StepMetrics> steps = metrics("run");
  ASSERT_EQ(steps.size(), 2u);
  Ledger most;
  for (int64_t rank = 0; rank < plan.mesh.world_size(); ++rank) {
    const Ledger ledger = predict_ledger(plan, rank);
    most.parameter_bytes = std::max(most.parameter_bytes, ledger.parameter_bytes);
    most.gradient_bytes = std::max(most.gradient_bytes, ledger.gradient_bytes);
    most.optimizer_bytes = std::max(most.optimizer_bytes, ledger.optimizer_bytes);
    most.activation_peak_bytes = std::max(most.activation_peak_bytes, ledger.activation_peak_bytes);
  }
  const auto measured = [&](MemoryCategory category) {
    return steps.back().memory_bytes[static_cast<size_t>(category)];
  };
  EXPECT_EQ(measured(MemoryCategory::parameters), most.parameter_bytes);
  EXPECT_EQ(measured(MemoryCategory::gradients), most.gradient_bytes);
  EXPECT_EQ(measured(MemoryCategory::optimizer), most.optimizer_bytes);
  EXPECT_EQ(measured(MemoryCategory::activations), most.activation_peak_bytes);
}

// What stands before `end`, from `begin` on.
std::string text_between(const std::string& text, const std::string& begin,
                         const std::string& end) {
  const size_t last = text.find(end);
  if (last == std::string::npos) return "no '" + end + "' in: " + text;
  const size_t first = text.rfind(begin, last) + begin.size();
  return text.substr(first, last - first);
}

// Under MPI ranks of a node communicate through a window: the planner names its bytes, and the
// trainer's groups take them. Rank 0 says what it has.
TEST_F(ChosenPlanTest, WindowsTakeThePlannedBytes) {
  for (const char* fix : {"tp=1,pp=1", "tp=2,pp=1", "tp=2,pp=2", "tp=1,pp=4"}) {
    SCOPED_TRACE(fix);
    write("deep.json", kDeep);
    const std::string planned =
        succeed(concat("argosy-plan --model deep.json --cluster local-cpu --devices 4 --seq-len 16 "
                       "--global-batch 8 --precision fp32 --out plan.json --top 1 --explain --fix ",
                       fix))
            .out;
    const std::string ran = succeed(launch("plan.json", "run", 1, "--checkpoint-every 0")).out;
    std::string line = planned;
    std::replace(line.begin(), line.end(), '\n', ' ');
    while (line.find("  ") != std::string::npos) line.erase(line.find("  "), 1);
    EXPECT_EQ(text_between(line, "beside it ", " are a window"),
              text_between(ran, "(window of ", " a rank)"));
    succeed("rm -rf run");
  }
}

TEST_F(ChosenPlanTest, HasThePredictedLedgerOnEveryRank) {
  const Plan plan = search();
  std::map<int, Ledger> ledgers;
  std::mutex mutex;
  run_on_threads(static_cast<int>(plan.mesh.world_size()), [&](Communicator& world) {
    const LayoutRecord record = run_layout(world, plan, 2);
    const std::lock_guard lock(mutex);
    ledgers[world.rank()] = record.ledger;
  });
  ASSERT_EQ(ledgers.size(), 4u);
  for (const auto& [rank, ledger] : ledgers) {
    EXPECT_EQ(difference(predict_ledger(plan, rank), ledger), "") << "rank " << rank;
  }
}

}  // namespace
}  // namespace argosy
