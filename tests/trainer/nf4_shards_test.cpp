// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// ZeRO 3 with a base in NF4: how a bucket's bytes lie, what ranks hold of them, and what a save
// takes. That it trains as one rank does is a matter of the layouts' table.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <vector>

#include "planner/cost/memory.h"
#include "tests/end_to_end/counted_tokens.h"
#include "tests/end_to_end/layouts.h"
#include "tests/end_to_end/runs_support.h"
#include "tests/planner/small_jobs.h"
#include "trainer/layers/packed_bucket.h"
#include "trainer/packed_save.h"
#include "trainer/replicas.h"
#include "trainer/trainer.h"

namespace argosy {
namespace {

// Odd parts of weights and an odd vector between them: nothing is aligned by luck.
TEST(PackedBucket, LiesWithoutGapsAndIsAligned) {
  const std::vector<PackedTensor> tensors = {{{{0, 7}, {0, 1}}, false},
                                             {{{60, 131}, {61, 98}}, true},
                                             {{{0, 3}, {0, 5}}, false},
                                             {{{0, 66}, {0, 300}}, true},
                                             {{{0, 0}, {0, 300}}, true}};
  for (const DType dtype : {DType::fp64, DType::fp32, DType::bf16}) {
    const std::vector<PackedPlace> places = packed_places(tensors, dtype);
    std::vector<Range> all;
    int64_t expected = (7 + 15) * size_in_bytes(dtype);
    for (size_t i = 0; i < tensors.size(); ++i) {
      const PackedPlace& place = places[i];
      EXPECT_EQ(place.values.begin % size_in_bytes(dtype), 0);
      EXPECT_EQ(place.tile_scales.begin % 4, 0);
      for (const Range range : {place.values, place.tile_scales, place.codes, place.scales}) {
        if (!range.empty()) all.push_back(range);
      }
      if (tensors[i].is_in_4_bits) expected += nf4_bytes(tensors[i].box);
    }
    EXPECT_EQ(packed_end(places), expected);
    std::sort(all.begin(), all.end(), [](Range a, Range b) { return a.begin < b.begin; });
    int64_t next = 0;
    for (const Range range : all) {
      EXPECT_EQ(range.begin, next);
      next = range.end;
    }
    EXPECT_EQ(next, expected);
  }
}

// Of a usual model each weight's levels begin at 16 bytes, as a kernel reads them.
TEST(PackedBucket, LevelsOfUsualWeightsAreAligned) {
  const std::vector<PackedTensor> tensors = {{{{0, 896}, {0, 1}}, false},  // Qwen2-0.5B
                                             {{{0, 896}, {0, 896}}, true},
                                             {{{0, 128}, {0, 896}}, true},
                                             {{{0, 896}, {0, 4864}}, true}};
  for (const DType dtype : {DType::fp32, DType::bf16}) {
    const std::vector<PackedPlace> places = packed_places(tensors, dtype);
    for (const PackedPlace& place : places) EXPECT_EQ(place.codes.begin % 16, 0);
    EXPECT_EQ(places.front().values.begin % 16, 0);
    EXPECT_EQ(places.back().tile_scales.begin % 4, 0);
  }
}

struct Measured {
  int64_t parameters = 0, lent = 0;  // of the first rank; `lent` with all other buffers
};

Measured measure(const Job& job, const Candidate& candidate) {
  const Plan plan = to_plan(job, candidate);
  Measured measured;
  run_on_cpus(plan.mesh.world_size(), [&](Communicator& world, DeviceContext& device) {
    Trainer trainer(device, world, plan, {});
    const CountedTokens tokens(plan.model.vocab_size);
    const SampleOrder order(tokens.num_tokens(), plan.seq_len, 1, "counted");
    const StepResult result = trainer.step(tokens, order, 1, 0.01);
    if (world.rank() != 0) return;
    measured = {result.memory.current[static_cast<size_t>(MemoryCategory::parameters)],
                result.memory.peak[static_cast<size_t>(MemoryCategory::buffers)]};
  });
  return measured;
}

// What 4 bits save of shards and of the memory that gathers lend: by the planner, by the trainer.
TEST(Nf4Shards, MemoryIsThePlanners) {
  for (const int64_t dp : {2, 3}) {
    std::map<int64_t, Measured> planned, measured;
    for (const int64_t bits : {int64_t{4}, kUnquantizedBits}) {
      Job job = small_job(SmallModel::llama, dp, 2 * dp);
      job.task = Task::lora;
      job.lora = {4, 8.0, {"all-linear"}, bits};
      Candidate c;
      c.mesh.dp = dp;
      c.zero_stage = 3;
      c.micro_batch = 1;
      LayerCostCache cache(job);
      const StageMemory memory =
          stage_memory(job, c, stage_layers(job.model, 1), 0, cache.elements(c), cache.costs(c));
      planned[bits] = {memory.bytes[static_cast<size_t>(MemoryCategory::parameters)],
                       memory.bytes[static_cast<size_t>(MemoryCategory::buffers)]};
      measured[bits] = measure(job, c);
      EXPECT_EQ(measured[bits].parameters, planned[bits].parameters) << bits << " bits, dp " << dp;
    }
    const int64_t saved = planned[kUnquantizedBits].lent - planned[4].lent;
    EXPECT_GT(saved, 0);
    EXPECT_EQ(measured[kUnquantizedBits].lent - measured[4].lent, saved) << "dp " << dp;
  }
}

// A save has one bucket whole at a time on the device, and what is read of it one weight at a time.
TEST(Nf4Shards, SaveHoldsOneBucketAtATime) {
  const Plan plan = plan_of(layout_named("nf4_zero3_moe_dp4_ep2"));
  run_on_cpus(plan.mesh.world_size(), [&](Communicator& world, DeviceContext& device) {
    Trainer trainer(device, world, plan, {});
    const ParameterStore& store = trainer.parameters();
    int64_t largest = 0, largest_weight = 0;
    for (const Domain domain : {Domain::dense_frozen, Domain::expert_frozen}) {
      for (const Bucket& bucket : store.layout()[domain].buckets)
        largest = std::max(largest, bucket.packed_bytes);
    }
    for (const LocalTensor& local : store.layout().tensors)
      largest_weight = std::max(largest_weight, local.box.size());
    const auto workspace = static_cast<size_t>(MemoryCategory::workspace);
    device.reset_peaks();
    const int64_t before = device.memory().current[workspace];
    const std::vector<TensorPiece> pieces = owned_packed_pieces(trainer.context(), store);
    EXPECT_FALSE(pieces.empty());
    EXPECT_EQ(device.memory().peak[workspace] - before, largest);
    EXPECT_EQ(device.memory().current[workspace], before);
    device.reset_peaks();
    for (const TensorPiece& piece : pieces) {
      std::vector<double> values(static_cast<size_t>(piece.box.size()));
      piece.memory->read(piece.data, values.data(), piece.box.size() * 8);
    }
    EXPECT_LT(device.memory().peak[workspace] - before, 2 * largest_weight * 8);
    EXPECT_EQ(device.memory().current[workspace], before);
  });
}

// Holders of the same shard hold the same bytes; one bit that differs is found by its tensor's
// name.
TEST(Nf4Shards, DifferingHoldersAreNamed) {
  const Plan plan = plan_of(layout_named("nf4_zero3_shard2_dp4"));
  std::mutex mutex;
  run_on_cpus(plan.mesh.world_size(), [&](Communicator& world, DeviceContext& device) {
    Trainer trainer(device, world, plan, {});
    const ParameterStore& store = trainer.parameters();
    const std::vector<std::string> none = differing_replicas(trainer.context(), store);
    const LocalTensor* packed = nullptr;
    for (const LocalTensor& local : store.layout().tensors) {
      if (store.is_in_packed_shards(local) && !store.kept_bytes(local).empty()) packed = &local;
    }
    ASSERT_NE(packed, nullptr);
    if (world.rank() == 3) store.kept_bytes(*packed).back().bytes.data<uint8_t>()[0] ^= 1;
    const std::vector<std::string> lines = differing_replicas(trainer.context(), store);
    const std::lock_guard<std::mutex> lock(mutex);
    EXPECT_TRUE(none.empty()) << none.front();
    ASSERT_EQ(lines.size(), 1u);
    if (world.rank() % 2 == 1) {  // those that hold the shard
      EXPECT_NE(lines.front().find(store.spec_of(*packed).name), std::string::npos)
          << lines.front();
    }
    EXPECT_NE(lines.front().find("copies along dp"), std::string::npos) << lines.front();
  });
}

}  // namespace
}  // namespace argosy
