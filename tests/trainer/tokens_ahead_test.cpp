// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What modules for multi-token prediction read and predict, told by hand: tokens further on, as far
// as the sequence and the document go, whoever has which part of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <vector>

#include "comm/self/self_communicator.h"
#include "comm/thread/thread_communicator.h"
#include "tests/planner/tiny_models.h"
#include "trainer/device/host_copy.h"
#include "trainer/microbatches.h"

namespace argosy {
namespace {

constexpr int64_t kSeqLen = 8;
constexpr int32_t kEnd = 1, kNone = -1;
using Ids = std::vector<int32_t>;

// One sequence of the tokens 2 to 9, the next of which is 10; 5 is not to be predicted.
const Batch kTokens = {{2, 3, 4, 5, 6, 7, 8, 9}, {3, 4, kNone, 6, 7, 8, 9, 10}};

Microbatch microbatch_of(Communicator& world, DeviceContext& device, const Batch& tokens,
                         const Mesh& mesh, const LayerSettings& settings,
                         ContextParallel kind = ContextParallel::ring) {
  Plan plan = tiny_plan(tiny_glm4_moe_mtp(), mesh);
  plan.seq_len = kSeqLen;
  plan.cp_kind = kind;
  ProcessGroups groups(world, plan.mesh, plan.model.num_kv_heads);
  const LayerContext ctx{device, groups, plan, settings};
  const auto batch = static_cast<int64_t>(tokens.inputs.size()) / kSeqLen;
  return make_microbatch(ctx, tokens, batch, kSeqLen);
}

void expect_ahead(const Microbatch& microbatch, size_t module, const Ids& inputs,
                  const Ids& targets) {
  const TokensAhead& ahead = microbatch.ahead.at(module);
  EXPECT_EQ(copy_to_host<int32_t>(ahead.inputs), inputs) << "module " << module;
  EXPECT_EQ(copy_to_host<int32_t>(ahead.targets), targets) << "module " << module;
  EXPECT_EQ(ahead.num_targets, std::count_if(targets.begin(), targets.end(),
                                             [](int32_t target) { return target >= 0; }));
}

Microbatch on_one_rank(DeviceContext& device, const Batch& tokens,
                       const LayerSettings& settings = {}) {
  const auto self = make_self_communicator();
  return microbatch_of(*self, device, tokens, {}, settings);
}

TEST(TokensAhead, EndWithTheSequence) {
  DeviceContext device(Device::cpu);
  const Microbatch one = on_one_rank(device, kTokens);
  expect_ahead(one, 0, {3, 4, 5, 6, 7, 8, 9, kNone}, {4, kNone, 6, 7, 8, 9, 10, kNone});
  expect_ahead(one, 1, {4, 5, 6, 7, 8, 9, kNone, kNone}, {kNone, 6, 7, 8, 9, 10, kNone, kNone});
  Batch twice = kTokens;
  twice.inputs.insert(twice.inputs.end(), kTokens.inputs.begin(), kTokens.inputs.end());
  twice.targets.insert(twice.targets.end(), kTokens.targets.begin(), kTokens.targets.end());
  expect_ahead(on_one_rank(device, twice), 1,
               {4, 5, 6, 7, 8, 9, kNone, kNone, 4, 5, 6, 7, 8, 9, kNone, kNone},
               {kNone, 6, 7, 8, 9, 10, kNone, kNone, kNone, 6, 7, 8, 9, 10, kNone, kNone});
}

TEST(TokensAhead, EndWithTheDocument) {
  const Batch tokens = {{2, 3, 4, kEnd, 6, 7, 8, kEnd}, {3, 4, kEnd, 6, 7, 8, kEnd, 10}};
  const LayerSettings masked = {.document_mask = true, .end_of_text = kEnd};
  DeviceContext device(Device::cpu);
  const Microbatch with_masks = on_one_rank(device, tokens, masked);
  expect_ahead(with_masks, 0, {3, 4, kEnd, kNone, 7, 8, kEnd, kNone},
               {4, kEnd, kNone, kNone, 8, kEnd, kNone, kNone});
  expect_ahead(with_masks, 1, {4, kEnd, kNone, kNone, 8, kEnd, kNone, kNone},
               {kEnd, kNone, kNone, kNone, kEnd, kNone, kNone, kNone});
  // Without masks attention goes on over their ends, and so do these.
  expect_ahead(on_one_rank(device, tokens), 0, {3, 4, kEnd, 6, 7, 8, kEnd, kNone},
               {4, kEnd, 6, 7, 8, kEnd, 10, kNone});
}

TEST(TokensAhead, EndWhereTheDataSaySo) {
  Batch tokens = kTokens;
  tokens.begins_document = {true, false, false, true, false, false, false, false};
  tokens.ends_document = {false, false, true, false, false, false, false, true};
  DeviceContext device(Device::cpu);
  const Microbatch microbatch = on_one_rank(device, tokens, {.document_mask = true});
  expect_ahead(microbatch, 0, {3, 4, kNone, 6, 7, 8, 9, kNone},
               {4, kNone, kNone, 7, 8, 9, kNone, kNone});
  tokens.ends_document.back() = false;  // the document goes on behind the sequence
  expect_ahead(on_one_rank(device, tokens, {.document_mask = true}), 0,
               {3, 4, kNone, 6, 7, 8, 9, kNone}, {4, kNone, kNone, 7, 8, 9, 10, kNone});
}

// A ring's ranks have the first and the last quarter, and those between.
TEST(TokensAhead, AreOfTheWholeSequenceOnRanksThatShareIt) {
  const auto expect_parts = [](ContextParallel kind, const std::vector<Ids>& inputs,
                               const std::vector<Ids>& targets) {
    std::mutex mutex;
    run_on_threads(2, [&](Communicator& world) {
      DeviceContext device(Device::cpu);
      const Microbatch part = microbatch_of(world, device, kTokens, {.cp = 2}, {}, kind);
      const std::lock_guard<std::mutex> lock(mutex);
      const auto rank = static_cast<size_t>(world.rank());
      expect_ahead(part, 0, inputs[rank], targets[rank]);
    });
  };
  expect_parts(ContextParallel::ring, {{3, 4, 9, kNone}, {5, 6, 7, 8}},
               {{4, kNone, 10, kNone}, {6, 7, 8, 9}});
  expect_parts(ContextParallel::ulysses, {{3, 4, 5, 6}, {7, 8, 9, kNone}},
               {{4, kNone, 6, 7}, {8, 9, 10, kNone}});
}

// A module's mean counts factor / modules of the objective, which is a sum over the next tokens
// that is divided by their number.
TEST(TokensAhead, AreWeighedByTheirOwnNumber) {
  DeviceContext device(Device::cpu);
  std::vector<Microbatch> microbatches = {on_one_rank(device, kTokens)};
  const Plan plan = tiny_plan(tiny_glm4_moe_mtp(), {});
  EXPECT_EQ(count_all_targets(plan, microbatches), (std::vector<double>{7, 6, 5}));
  weigh_tokens_ahead({70, 60, 0}, 0.3, &microbatches);
  EXPECT_DOUBLE_EQ(microbatches[0].loss_weight, 1);
  EXPECT_DOUBLE_EQ(microbatches[0].ahead[0].loss_weight, 0.3 / 2 * 70 / 60);
  EXPECT_TRUE(std::isfinite(microbatches[0].ahead[1].loss_weight)) << "nothing to predict";
}

}  // namespace
}  // namespace argosy
