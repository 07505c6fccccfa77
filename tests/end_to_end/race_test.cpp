// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a thread sanitizer is to look at (preset tsan): a layout for each axis, schedule and feature
// with all guards on, while another thread reads what each rank is doing, as a watchdog does. Each
// of them equals one rank here too; a race shows as a report that ends the program.
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <set>
#include <thread>

#include "comm/self/self_communicator.h"
#include "comm/thread/thread_communicator.h"
#include "tests/end_to_end/layout_run.h"
#include "tests/end_to_end/layouts.h"

namespace argosy {
namespace {

constexpr int kSteps = 2;

// Reads a heartbeat until it goes, far more often than a watchdog.
class Reader {
 public:
  explicit Reader(const Heartbeat& heartbeat)
      : thread_([this, &heartbeat](const std::stop_token& stop) {
          do {
            actions_.insert(heartbeat.activity().action);
            std::this_thread::sleep_for(std::chrono::microseconds(200));
          } while (!stop.stop_requested());
        }) {}
  std::set<std::string> stop() {
    thread_.request_stop();
    thread_.join();
    return actions_;
  }

 private:
  std::set<std::string> actions_;
  std::jthread thread_;  // declared last: starts when the rest is there
};

class UnderASanitizer : public testing::TestWithParam<const char*> {};

TEST_P(UnderASanitizer, RanksShareNothingWithoutALock) {
  const Layout& layout = layout_named(GetParam());
  const auto self = make_self_communicator();
  const LayoutRecord expected =
      run_layout(*self, reference_plan_of(layout), settings_of(layout), kSteps);
  const Plan plan = plan_of(layout);
  std::mutex mutex;
  run_on_threads(static_cast<int>(plan.mesh.world_size()), [&](Communicator& world) {
    Heartbeat heartbeat;
    TrainerSettings settings = settings_of(layout);
    settings.heartbeat = &heartbeat;
    Reader reader(heartbeat);
    const LayoutRecord actual = run_layout(world, plan, settings, kSteps);
    const std::set<std::string> actions = reader.stop();
    const std::lock_guard<std::mutex> lock(mutex);
    for (const std::string& line : compare(expected, actual)) ADD_FAILURE() << line;
    EXPECT_FALSE(actions.empty());
  });
}

INSTANTIATE_TEST_SUITE_P(Table, UnderASanitizer,
                         testing::Values("dp3_zero1", "zero2_pp2_dp2_gpipe", "zero3_tp2_sp_dp2",
                                         "zero3_interleaved_pp2_dp2", "zero3_shard2_moe_dp4_ep2",
                                         "tp2_sp", "tp4_kv_copies", "pp2_gpipe",
                                         "pp3_1f1b_fewer_microbatches", "pp2_tp2_sp_tied_zero1",
                                         "il_pp2_v2_odd_microbatches", "zbh1_pp2_tp2_sp_dp2_zero1",
                                         "zbv_pp2_tied_tp2_sp_dp2_zero1", "cp4_zero1",
                                         "cp2_tp2_sp_full", "ulysses2_dp2_zero1_adamw",
                                         "moe_tp2_sp_ep2", "moe_dp4_ep2_etp2_zero1",
                                         "sigmoid_dp2_ep2", "capacity_dp4_ep2_etp2_zero1",
                                         "global_dp4_ep2_etp2_zero1", "dropout_tp2_sp_pp2",
                                         "documents_cp2_dp2", "lora_tp2_sp"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace argosy
