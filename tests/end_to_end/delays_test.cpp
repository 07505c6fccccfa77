// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Every pipeline schedule with ranks that are late at random, 200 training steps in all: no hang,
// and not a bit different from undisturbed ranks. Catches a receive that takes the message of
// another stage or micro-batch, a buffer that is reused too early, an order that timing decides.
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <mutex>
#include <thread>

#include "comm/thread/thread_communicator.h"
#include "planner/spec/philox.h"
#include "tests/end_to_end/layout_run.h"
#include "tests/end_to_end/layouts.h"

namespace argosy {
namespace {

constexpr int kSteps = 40;                  // of each of five schedules
constexpr uint64_t kLongestDelay_us = 200;  // about the time of an action of the tiny model
constexpr uint64_t kDelaySeed = 11;

const std::vector<Layout>& disturbed_layouts() {
  static const std::vector<Layout> table = {
      {.name = "gpipe", .mesh = {.pp = 4}, .schedule = ScheduleKind::gpipe},
      {.name = "one_f_one_b", .mesh = {.pp = 4}},
      {.name = "interleaved",
       .model = TinyModel::qwen2_tied,
       .mesh = {.pp = 2, .dp = 2},
       .zero_stage = 1,
       .micro_batch = 2,
       .schedule = ScheduleKind::interleaved,
       .virtual_stages = 2,
       .num_layers = 4},
      {.name = "zb_h1", .mesh = {.pp = 4}, .schedule = ScheduleKind::zb_h1},
      {.name = "zb_v",
       .mesh = {.pp = 2},
       .schedule = ScheduleKind::zb_v,
       .recompute = Recompute::full,
       .virtual_stages = 2},
  };
  return table;
}

// By world rank.
std::map<int, LayoutRecord> run(const Plan& plan, bool with_delays) {
  std::mutex mutex;
  std::map<int, LayoutRecord> records;
  run_on_threads(static_cast<int>(plan.mesh.world_size()), [&](Communicator& world) {
    const auto rank = static_cast<uint64_t>(world.rank());
    ComputeHook hook;
    if (with_delays) {
      hook = [rank, action = uint64_t{0}](const Action&) mutable {
        const uint64_t delay_us = random_bits(kDelaySeed, rank, action++) % kLongestDelay_us;
        std::this_thread::sleep_for(std::chrono::microseconds(delay_us));
      };
    }
    LayoutRecord record = run_layout(world, plan, kSteps, {}, hook);
    const std::lock_guard<std::mutex> lock(mutex);
    records[world.rank()] = std::move(record);
  });
  return records;
}

class DelayedRanks : public testing::TestWithParam<Layout> {};

TEST_P(DelayedRanks, ChangeNoBit) {
  Layout layout = GetParam();
  layout.optimizer = OptimizerKind::adamw;
  const Plan plan = plan_of(layout);
  const std::map<int, LayoutRecord> undisturbed = run(plan, false), disturbed = run(plan, true);
  for (const auto& [rank, expected] : undisturbed) {
    const LayoutRecord& actual = disturbed.at(rank);
    EXPECT_EQ(actual.losses, expected.losses) << "rank " << rank;
    EXPECT_EQ(actual.grad_norms, expected.grad_norms) << "rank " << rank;
    EXPECT_EQ(actual.parameters, expected.parameters) << "rank " << rank;
    EXPECT_LT(expected.losses.back(), expected.losses.front()) << "nothing was learned";
  }
}

INSTANTIATE_TEST_SUITE_P(Schedules, DelayedRanks, testing::ValuesIn(disturbed_layouts()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace argosy
