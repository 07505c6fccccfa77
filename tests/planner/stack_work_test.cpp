// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What other frameworks make of the work that planner/spec lists: products, what is kept, bytes.
#include "planner/cost/stack_work.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

#include "tests/planner/small_jobs.h"

namespace argosy {
namespace {

Job other_framework(SmallModel model, ProductFormat format = ProductFormat::bf16) {
  Job job = small_job(model, 1, 4);
  job.stack.facts.is_own = job.stack.facts.runs_own_kernels = false;
  job.stack.facts.joins_products = true;
  job.stack.format = format;
  return job;
}

OpWork linear(ProductOf product_of, BlockProduct product, int64_t rows, int64_t cols,
              int64_t depth) {
  OpWork op;
  op.kind = OpKind::matmul;
  op.flops = 2 * rows * cols * depth;
  op.rows = rows, op.cols = cols, op.depth = depth;
  op.is_block_product = true;
  op.block_product = product;
  op.product_of = product_of;
  return op;
}

// q (64 tokens, 128 -> 128), k and v (128 -> 32), o; and their gradients.
Pass attention_products() {
  Pass pass;
  for (const int64_t width : {128, 32, 32}) {
    pass.ops.push_back(linear(ProductOf::output, BlockProduct::qkv, 64, width, 128));
    pass.ops.push_back(linear(ProductOf::input_gradient, BlockProduct::qkv, 64, 128, width));
    pass.ops.push_back(linear(ProductOf::weight_gradient, BlockProduct::qkv, width, 128, 64));
  }
  pass.ops.push_back(linear(ProductOf::output, BlockProduct::o, 64, 128, 128));
  return pass;
}

TEST(StackWork, LinearsOfOneInputAreOneProduct) {
  Pass pass = attention_products();
  rewrite_for_stack(other_framework(SmallModel::llama), pass);
  ASSERT_EQ(pass.ops.size(), 4u);
  const int64_t width = 128 + 32 + 32;
  EXPECT_EQ(pass.ops[0].cols, width);
  EXPECT_EQ(pass.ops[1].depth, width);
  EXPECT_EQ(pass.ops[2].rows, width);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(pass.ops[i].flops, 2 * 64 * 128 * width);
  EXPECT_EQ(pass.ops[3].cols, 128);
  EXPECT_EQ(pass.stack_launches, 10);  // as listed

  Job apart = other_framework(SmallModel::llama);
  apart.stack.facts.joins_products = false;
  Pass as_listed = attention_products();
  rewrite_for_stack(apart, as_listed);
  EXPECT_EQ(as_listed.ops.size(), 10u);
}

TEST(StackWork, GradientsOfWeightsAreAddedToASum) {
  Job job = other_framework(SmallModel::llama);
  const auto bytes = [&job](double gradient_bytes) {
    job.stack.facts.weight_gradient_bytes = gradient_bytes;
    Pass pass = attention_products();
    rewrite_for_stack(job, pass);
    return pass.ops[2].bytes;
  };
  EXPECT_EQ(bytes(8), 2 * (192 + 128) * 64 + 8 * 192 * 128);
  EXPECT_EQ(bytes(8) - bytes(4), 4 * 192 * 128);
}

// Activations are read in 16 bits and written twice in 8, once a product and its gradient; weights
// are cast once a step.
TEST(StackWork, CastsMoveActivations) {
  const int64_t activations = 64 * 128, weights = 192 * 128, results = 64 * 192;
  const auto forward_bytes = [](const Job& job) {
    Pass pass = attention_products();
    rewrite_for_stack(job, pass);
    return pass.ops[0].bytes;
  };
  Job job = other_framework(SmallModel::llama, ProductFormat::fp8);
  EXPECT_EQ(forward_bytes(job), activations + weights + 2 * results + 4 * activations);
  job.stack.facts.scales_of_tensors = true;  // the largest value is found in a pass before
  EXPECT_EQ(forward_bytes(job), activations + weights + 2 * results + 6 * activations);
  EXPECT_EQ(forward_bytes(other_framework(SmallModel::llama)),
            2 * (activations + weights + results));
  Pass pass = attention_products();
  rewrite_for_stack(other_framework(SmallModel::llama, ProductFormat::fp8), pass);
  EXPECT_EQ(pass.ops[2].bytes, (192 + 128) * 64 + 8 * weights);  // operands are there
}

TEST(StackWork, NothingIsComputedAgain) {
  Pass pass;
  pass.ops.resize(3);
  for (OpWork& op : pass.ops) op.bytes = 1000;
  pass.ops[1].is_computed_again = true;
  Pass own = pass;
  rewrite_for_stack(other_framework(SmallModel::llama), pass);
  EXPECT_EQ(pass.ops.size(), 2u);
  rewrite_for_stack(small_job(SmallModel::llama, 1, 4), own);
  EXPECT_EQ(own.ops.size(), 3u);
}

}  // namespace
}  // namespace argosy
