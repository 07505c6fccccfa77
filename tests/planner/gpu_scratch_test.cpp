// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The bytes are cuDNN 9.19's own answers for an H200 (cudnn_graphs_test asks it), without those of
// grouped queries.
#include "planner/spec/gpu_scratch.h"

#include <gtest/gtest.h>

#include <vector>

#include "planner/cost/layer_costs.h"
#include "tests/planner/small_jobs.h"
#include "tests/planner/tiny_models.h"

namespace argosy {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20, kH200Bytes = 150754820096;

TEST(GpuScratch, OfGradientsInOrder) {
  EXPECT_EQ(ordered_scratch_bytes({16, 1024, 12, 12}, {12, 16}), 384 * kMiB);  // GPT-2
  EXPECT_EQ(ordered_scratch_bytes({2, 1000, 12, 12}, {12, 2}), 48 * kMiB);
  EXPECT_EQ(ordered_scratch_bytes({1, 4096, 32, 8}, {32, 1}), 1024 * kMiB);
  EXPECT_EQ(ordered_scratch_bytes({1, 32768, 32, 8}, {32, 1}), 64 * 1024 * kMiB);
}

void expect_part(const GradientCall& call, int64_t most_bytes, int64_t heads, int64_t count) {
  const GradientPart part = gradient_part(call, most_bytes);
  EXPECT_EQ(part.heads, heads) << most_bytes;
  EXPECT_EQ(part.count, count) << most_bytes;
}

TEST(GpuScratch, SequencesAtOnce) {
  const GradientCall llama{8, 4096, 32, 8}, documents{64, 4096, 32, 8, true};
  expect_part({16, 1024, 12, 12}, 384 * kMiB, 12, 16);
  expect_part(llama, 4096 * kMiB, 32, 4);
  expect_part(llama, 7000 * kMiB, 32, 4);  // not 6 and 2
  expect_part(llama, 65536 * kMiB, 32, 8);
  expect_part(documents, 7000 * kMiB, 32, 4);
  expect_part(documents, 65536 * kMiB, 32, 64);
}

// Where one sequence is too long: whole groups, statistics at whole 16 bytes, parts of one size.
TEST(GpuScratch, HeadsAtOnce) {
  constexpr int64_t kHead = 2048 * kMiB;  // of 32,768 tokens
  const GradientCall grouped{2, 32768, 32, 8}, plain{2, 32768, 32, 32},
      documents{4, 32768, 32, 32, true}, odd{1, 32767, 32, 32}, few{1, 32767, 3, 3};
  expect_part(grouped, 32 * kHead, 32, 1);
  expect_part(grouped, 31 * kHead, 16, 1);  // not 28 and 4
  expect_part(grouped, most_ordered_bytes(kH200Bytes), 4, 1);
  expect_part(grouped, 1, 4, 1);
  expect_part(plain, most_ordered_bytes(kH200Bytes), 2, 1);
  expect_part(plain, 1, 1, 1);
  expect_part(documents, 1, 4, 1);
  expect_part(odd, 1, 4, 1);
  expect_part(few, 1, 3, 1);
  expect_part({0, 32768, 32, 8}, 1, 32, 0);
}

// Of a rank: its heads, where cuDNN adds and no ring does.
TEST(GpuScratch, OfAPlan) {
  Job job = small_job(SmallModel::llama, 4, 32);  // 12 heads of 8 columns, 4 of keys
  job.seq_len = 256;
  job.precision = Precision::bf16;
  Candidate candidate;
  candidate.micro_batch = 2;
  const auto bytes = [&] {
    const Plan plan = to_plan(job, candidate);
    std::vector<int64_t> of_layers;
    for (const LayerWork& work : stage_work(plan, 0))
      of_layers.push_back(ordered_attention_bytes(plan, work, kH200Bytes));
    return of_layers;
  };
  const int64_t scores = 2 * 12 * 256 * 256 * 2, keys = 2 * 2 * 256 * 12 * 8 * 2;
  const std::vector<int64_t> whole = bytes();
  EXPECT_EQ(whole.front(), 0);  // embedding
  EXPECT_EQ(whole.at(1), scores + keys);
  EXPECT_EQ(whole.back(), 0);  // head
  candidate.mesh.tp = 2;
  EXPECT_EQ(bytes().at(1), (scores + keys) / 2);
  candidate.mesh.tp = 1;
  candidate.mesh.cp = 2;
  candidate.cp_kind = ContextParallel::ulysses;
  EXPECT_EQ(bytes().at(1), (scores + keys) / 2);
  candidate.cp_kind = ContextParallel::ring;
  EXPECT_EQ(bytes().at(1), 0);
  candidate.mesh.cp = 1;
  job.precision = Precision::fp32;
  EXPECT_EQ(bytes().at(1), 0);
}

}  // namespace
}  // namespace argosy
