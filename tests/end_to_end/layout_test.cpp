// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Every layout equals one rank, here with ranks as threads: loss, gradient norm, every gradient and
// every parameter of three SGD steps in fp64. Catches a reduction that is missing, doubled or over
// the wrong group, a wrong scale, a swapped shard.
#include <gtest/gtest.h>

#include <map>
#include <mutex>

#include "comm/self/self_communicator.h"
#include "comm/thread/thread_communicator.h"
#include "tests/end_to_end/layout_run.h"
#include "tests/end_to_end/layouts.h"

namespace argosy {
namespace {

constexpr int kSteps = 3;

std::string join(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += "\n  " + line;
  return text;
}

class LayoutEqualsOneRank : public testing::TestWithParam<Layout> {};

TEST_P(LayoutEqualsOneRank, InEveryNumber) {
  const auto self = make_self_communicator();
  const LayoutRecord expected =
      run_layout(*self, reference_plan_of(GetParam()), settings_of(GetParam()), kSteps);
  const Plan plan = plan_of(GetParam());
  std::mutex mutex;
  std::map<int, std::vector<std::string>> differences;
  run_on_threads(static_cast<int>(plan.mesh.world_size()), [&](Communicator& world) {
    const LayoutRecord actual = run_layout(world, plan, settings_of(GetParam()), kSteps);
    const std::lock_guard<std::mutex> lock(mutex);
    differences[world.rank()] = compare(expected, actual);
  });
  for (const auto& [rank, lines] : differences) {
    EXPECT_TRUE(lines.empty()) << "rank " << rank << " of " << to_string(plan.mesh) << ":"
                               << join(lines);
  }
}

INSTANTIATE_TEST_SUITE_P(Table, LayoutEqualsOneRank, testing::ValuesIn(layouts()),
                         [](const auto& test) { return test.param.name; });
INSTANTIATE_TEST_SUITE_P(Pairs, LayoutEqualsOneRank, testing::ValuesIn(layouts_of_pairs()),
                         [](const auto& test) { return test.param.name; });

// The measured ledger of a step equals the predicted one. Routing makes single ranks of an expert
// group vary: there the sum over the ranks is compared.
class LedgerIsPredicted : public testing::TestWithParam<Layout> {};

Ledger sum(const std::map<int, Ledger>& ledgers) {
  Ledger total;
  for (const auto& [rank, ledger] : ledgers) {
    total.parameter_bytes += ledger.parameter_bytes;
    total.gradient_bytes += ledger.gradient_bytes;
    total.optimizer_bytes += ledger.optimizer_bytes;
    total.host_bytes += ledger.host_bytes;
    total.matmul_flops += ledger.matmul_flops;
    for (const auto& [layer, bytes] : ledger.saved_bytes) total.saved_bytes[layer] += bytes;
    for (const auto& [key, value] : ledger.collectives) {
      total.collectives[key].count += value.count;
      total.collectives[key].bytes += value.bytes;
    }
  }
  return total;
}

// With a capacity the prediction bounds what is sent to experts, computed and kept there.
void expect_within(const Ledger& predicted, const Ledger& measured) {
  const auto is_expert_axis = [](Axis axis) { return axis == Axis::ep || axis == Axis::etp; };
  EXPECT_LT(measured.matmul_flops, predicted.matmul_flops);
  Ledger exact = predicted;
  exact.matmul_flops = measured.matmul_flops;
  for (auto& [key, total] : exact.collectives) {
    const auto found = measured.collectives.find(key);
    if (!is_expert_axis(key.axis) || found == measured.collectives.end()) continue;
    EXPECT_LT(found->second.bytes, total.bytes) << to_string(key.axis);
    total.bytes = found->second.bytes;
  }
  for (auto& [layer, bytes] : exact.saved_bytes) {
    const auto found = measured.saved_bytes.find(layer);
    if (found == measured.saved_bytes.end()) continue;
    EXPECT_LE(found->second, bytes) << "layer " << layer;
    bytes = found->second;
  }
  EXPECT_EQ(difference(exact, measured), "");
}

TEST_P(LedgerIsPredicted, IntegerForInteger) {
  const Plan plan = plan_of(GetParam());
  std::mutex mutex;
  std::map<int, Ledger> measured, predicted;
  run_on_threads(static_cast<int>(plan.mesh.world_size()), [&](Communicator& world) {
    const LayoutRecord actual = run_layout(world, plan, settings_of(GetParam()), 1);
    const Ledger expected = predict_ledger(plan, world.rank());
    const std::lock_guard<std::mutex> lock(mutex);
    EXPECT_EQ(actual.dropped_share > 0, plan.moe_capacity_factor > 0);
    measured[world.rank()] = actual.ledger;
    predicted[world.rank()] = expected;
  });
  if (plan.moe_capacity_factor > 0) {
    expect_within(sum(predicted), sum(measured));
    return;
  }
  if (plan.mesh.ep * plan.mesh.etp > 1) {
    EXPECT_EQ(difference(sum(predicted), sum(measured)), "");
    return;
  }
  for (const auto& [rank, ledger] : predicted) {
    EXPECT_EQ(difference(ledger, measured[rank]), "") << "rank " << rank;
  }
}

INSTANTIATE_TEST_SUITE_P(Table, LedgerIsPredicted, testing::ValuesIn(layouts()),
                         [](const auto& test) { return test.param.name; });
INSTANTIATE_TEST_SUITE_P(Pairs, LedgerIsPredicted, testing::ValuesIn(layouts_of_pairs()),
                         [](const auto& test) { return test.param.name; });

// What cannot be together is a short list, each with its reason; whatever else is left out of the
// table runs as a layout of its own, above.
TEST(FeaturePairs, OnlyTheseAreRefused) {
  const std::map<std::string, std::string> expected = {
      {"moe_and_tp_plain", "needs sequence_parallel"},
      {"shared_expert_and_tp_plain", "needs sequence_parallel"},
      {"sigmoid_router_and_tp_plain", "needs sequence_parallel"},
      {"gpt_oss_and_tp_plain", "needs sequence_parallel"},
      {"tp_plain_and_ep", "needs sequence_parallel"},
      {"tp_plain_and_etp", "needs sequence_parallel"},
      {"tp_plain_and_capacity", "needs sequence_parallel"},
      {"tp_plain_and_global_aux_loss", "needs sequence_parallel"},
      {"tied_and_ep", "excludes"},  // the tied model and gpt2 have no experts
      {"tied_and_etp", "excludes"},
      {"tied_and_capacity", "excludes"},
      {"tied_and_global_aux_loss", "excludes"},
      {"gpt2_and_ep", "excludes"},
      {"gpt2_and_etp", "excludes"},
      {"gpt2_and_capacity", "excludes"},
      {"gpt2_and_global_aux_loss", "excludes"},
      {"gpt2_and_adamw", "excludes"},  // Adam scales a gradient that is rounding alone
      {"zbh1_and_zero2", "split backward"},
      {"zbh1_and_zero3", "split backward"},
      {"zbv_and_zero2", "split backward"},
      {"zbv_and_zero3", "split backward"}};
  std::map<std::string, std::string> refused;
  for (const FeaturePair& pair : pairs_beside_the_table()) {
    if (!pair.refusal.empty()) refused[pair.layout.name] = pair.refusal;
  }
  for (const auto& [name, reason] : expected) {
    EXPECT_NE(refused[name].find(reason), std::string::npos) << name << ": " << refused[name];
  }
  for (const auto& [name, reason] : refused) EXPECT_TRUE(expected.contains(name)) << name << reason;
}

}  // namespace
}  // namespace argosy
