// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Deliberate mistakes, one at a time: the comparison with one rank must notice each of them, in at
// least one layout of the table. A mistake that it cannot see is a hole in the table. Prints what
// caught what. Then the guards of a run: the replica guard names a drifted copy, the log of
// collectives a call that differs.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <mutex>

#include "comm/self/self_communicator.h"
#include "comm/thread/thread_communicator.h"
#include "planner/spec/check.h"
#include "tests/end_to_end/layout_run.h"
#include "tests/end_to_end/layouts.h"
#include "trainer/layers/faults.h"

namespace argosy {
namespace {

constexpr int kSteps = 2;

// Lines of the table that together hold every kind of group.
constexpr const char* kLayouts[] = {"tp2_sp",
                                    "tp4_kv_copies",
                                    "dp2",
                                    "dp2_zero1_adamw",
                                    "pp2_1f1b",
                                    "pp2_tp2_sp_tied_zero1",
                                    "moe_dp2",
                                    "moe_dp2_ep2",
                                    "moe_dp4_ep2_zero1",
                                    "moe_tp2_sp_one_sequence",
                                    "moe_tp2_sp_ep2",
                                    "cp2_moe",
                                    "lora_tp2_sp",
                                    "cp2_tp2_sp_full",
                                    "ulysses2",
                                    "zero2_dp3_accumulate",
                                    "zero3_tp2_sp_dp2",
                                    "zero1_shard2_dp4"};

TrainerSettings settings_with(const Layout& layout, Fault fault, bool guards) {
  TrainerSettings settings = settings_of(layout);
  settings.fault = fault;
  if (!guards) settings.check_replicas_every = settings.check_collectives_every = 0;
  return settings;
}

// What notices the fault in one layout: the first difference, an error, or nothing.
std::string caught_by(const Layout& layout, const LayoutRecord& expected, Fault fault) {
  const Plan plan = plan_of(layout);
  std::string first;
  try {
    run_on_threads(
        static_cast<int>(plan.mesh.world_size()),
        [&](Communicator& world) {
          const LayoutRecord actual =
              run_layout(world, plan, settings_with(layout, fault, /*guards=*/false), kSteps);
          if (world.rank() != 0) return;
          const std::vector<std::string> lines = compare(expected, actual);
          if (!lines.empty()) first = lines.front();
        },
        /*timeout_s=*/20.0);
  } catch (const std::exception& error) {
    return error.what();
  }
  return first;
}

TEST(Mutation, EveryFaultTurnsTheTableRed) {
  std::map<std::string, LayoutRecord> expected;
  for (const char* name : kLayouts) {
    const Layout& layout = layout_named(name);
    const auto self = make_self_communicator();
    expected[name] = run_layout(*self, reference_plan_of(layout), settings_of(layout), kSteps);
    EXPECT_EQ(caught_by(layout, expected[name], Fault::none), "") << name << " without a fault";
  }
  for (int i = 1; i < kNumFaults; ++i) {
    const auto fault = static_cast<Fault>(i);
    const std::string fault_name(to_string(fault));
    int num_caught = 0;
    std::string first;
    for (const char* name : kLayouts) {
      const std::string line = caught_by(layout_named(name), expected[name], fault);
      if (line.empty()) continue;
      if (num_caught++ == 0) first = concat(name, ": ", line.substr(0, 150));
    }
    std::printf("%-27s caught by %2d of %zu layouts; %s\n", fault_name.c_str(), num_caught,
                std::size(kLayouts), first.c_str());
    EXPECT_GT(num_caught, 0) << fault_name << " went unnoticed";
  }
}

// Ranks of several nodes have no window, which would name calls that differ before a guard can.
constexpr Limits kMessagesAlone = {.window_slot_bytes = 0};

// The message of the guard that ends a run with the fault; empty: none does.
std::string guard_message(const char* layout, Fault fault, const Limits& limits = {}) {
  const Plan plan = plan_of(layout_named(layout));
  const TrainerSettings settings = settings_with(layout_named(layout), fault, /*guards=*/true);
  try {
    run_on_threads(
        static_cast<int>(plan.mesh.world_size()),
        [&](Communicator& world) { run_layout(world, plan, settings, kSteps); }, 60.0, limits);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

void expect_parts(const std::string& message, std::initializer_list<const char*> parts) {
  for (const char* part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " in '" << message << "'";
  }
}

TEST(ReplicaGuard, NamesTensorAxisAndRanks) {
  expect_parts(guard_message("tp2_sp", Fault::replica_drifts),
               {"step 1", "layernorm.weight", "rank 1 differ from rank 0", "along tp"});
  expect_parts(guard_message("dp2", Fault::replica_drifts),
               {"rank 1 differ from rank 0", "along dp"});
  expect_parts(guard_message("dp2_zero1_adamw", Fault::parameters_stale),
               {"copies of", "along dp"});
  expect_parts(guard_message("tp4_kv_copies", Fault::kv_copies_not_summed), {"k_proj", "along tp"});
  expect_parts(guard_message("pp2_tp2_sp_tied_zero1", Fault::tied_embedding_not_summed),
               {"embed_tokens", "along embedding"});
}

// Found in the step in which it happens, although nothing waits and no message is of a wrong size.
TEST(CollectiveGuard, NamesGroupRanksAndCalls) {
  expect_parts(guard_message("tp2_sp", Fault::gathers_for_a_sum, kMessagesAlone),
               {"step 1: ranks disagree: tp group of ranks 0, 1: call ", " is all_reduce of ",
                " fp64 on rank 0, all_gather of ", " fp64 on rank 1"});
  expect_parts(guard_message("pp2_tp2_sp_tied_zero1", Fault::gathers_for_a_sum, kMessagesAlone),
               {"step 1: ranks disagree: tp group of ranks ", " is all_reduce of ",
                " fp64 on rank 0, all_gather of ", " fp64 on rank 1"});
}

TEST(CollectiveGuard, TheWindowOfANodeNamesBothCalls) {
  const std::string message = guard_message("tp2_sp", Fault::gathers_for_a_sum);
  expect_parts(message, {"all_reduce of 1056 bytes in fp64", "all_gather of 2112 bytes in fp64",
                         " met ", "of group rank "});
}

}  // namespace
}  // namespace argosy
