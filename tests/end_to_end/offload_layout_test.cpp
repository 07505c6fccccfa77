// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// An optimizer in the host's memory trains what one on the device does, to the bit, in every layout
// and precision; only where its bytes are counted differs. Ranks are threads. (That these layouts
// equal one rank, and their ledgers the predicted ones: layout_test.cpp.)
#include <gtest/gtest.h>

#include <map>
#include <mutex>

#include "comm/thread/thread_communicator.h"
#include "tests/end_to_end/layout_run.h"
#include "tests/end_to_end/layouts.h"

namespace argosy {
namespace {

using Records = std::map<int, LayoutRecord>;  // by rank

Records run(const Plan& plan, const TrainerSettings& settings) {
  Records records;
  std::mutex mutex;
  run_on_threads(static_cast<int>(plan.mesh.world_size()), [&](Communicator& world) {
    LayoutRecord record = run_layout(world, plan, settings, 2);
    const std::lock_guard lock(mutex);
    records[world.rank()] = std::move(record);
  });
  return records;
}

struct Case {
  const char* layout;
  Precision precision;
  OptimizerKind optimizer = OptimizerKind::adamw;
};
void PrintTo(const Case& one, std::ostream* out) {
  *out << one.layout;
}

class OffloadedOptimizer : public testing::TestWithParam<Case> {};

TEST_P(OffloadedOptimizer, TrainsTheSameToTheBit) {
  const Layout& layout = layout_named(GetParam().layout);
  Plan plan = plan_of(layout);
  plan.precision = GetParam().precision;
  plan.optimizer = GetParam().optimizer;
  TrainerSettings settings = settings_of(layout);
  settings.clip = 0.5;
  const Records expected = run(plan, settings);
  plan.offload = Offload::optimizer;
  const Records actual = run(plan, settings);
  for (const auto& [rank, record] : expected) {
    SCOPED_TRACE(rank);
    const LayoutRecord& other = actual.at(rank);
    EXPECT_EQ(other.losses, record.losses);
    EXPECT_EQ(other.grad_norms, record.grad_norms);
    EXPECT_TRUE(other.gradients == record.gradients);
    EXPECT_TRUE(other.parameters == record.parameters);
    Ledger moved = record.ledger;
    std::swap(moved.optimizer_bytes, moved.host_bytes);
    EXPECT_EQ(difference(moved, other.ledger), "");
  }
}

constexpr auto k16 = Precision::bf16;
constexpr auto k32 = Precision::fp32;
constexpr auto k64 = Precision::fp64;
INSTANTIATE_TEST_SUITE_P(
    Table, OffloadedOptimizer,
    testing::Values(Case{"accumulate", k16}, Case{"dp2", k32}, Case{"dp3_zero1", k16},
                    Case{"dp4_zero1_gpt2", k64, OptimizerKind::sgd}, Case{"zero2_dp2", k16},
                    Case{"zero3_dp2", k16}, Case{"zero3_shard2_dp4_tied", k32},
                    Case{"tp2_sp_dp2_zero1", k64}, Case{"pp3_tied_dp2_zero1", k16},
                    Case{"zbv_pp2", k32}, Case{"cp4_zero1", k32}, Case{"ulysses2", k16},
                    Case{"moe_dp4_ep2_etp2_zero1", k16}, Case{"zero3_moe_dp4_ep2", k32},
                    Case{"sigmoid_dp2_ep2", k64}, Case{"lora_tp2_sp", k16},
                    Case{"nf4_tp2_sp_dp2_zero2", k16}, Case{"zero3_dp12", k64}),
    [](const auto& test) {
      return std::string(test.param.layout) + "_" + std::string(to_string(test.param.precision));
    });

}  // namespace
}  // namespace argosy
