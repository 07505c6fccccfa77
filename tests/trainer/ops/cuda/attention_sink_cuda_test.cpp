// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <limits>

#include "tests/trainer/ops/cuda/twin.h"
#include "trainer/ops/attention_sink.h"

namespace argosy {
namespace {

struct Sizes {
  int64_t rows, heads, head_dim;
};
// No rows; packs that cross heads; one row; whole packs, more rows than a block has warps.
constexpr Sizes kSizes[] = {{0, 2, 8}, {5, 3, 7}, {1, 1, 1}, {67, 4, 16}, {301, 2, 64}};

class AttentionSinkCuda : public CudaOpTest {};

TEST_F(AttentionSinkCuda, EqualsTheCpu) {
  for (const DType dtype : kCudaDTypes) {
    for (const auto& [rows, heads, head_dim] : kSizes) {
      for (const int64_t begin : {0, 1, 4}) {
        SCOPED_TRACE(testing::Message() << rows << " " << heads << " " << head_dim);
        offset = begin;
        const Shape all{rows, heads * head_dim};
        const Twin &sinks = operand({heads}, dtype), &out = added_to(all, dtype),
                   &lse = added_to({rows, heads}, DType::fp32);
        expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
          ops::add_sinks(ctx, of(sinks), of(out), of(lse));
        });
        const Twin &same = operand({heads}, dtype), &dout = operand(all, dtype),
                   &result = operand(all, dtype), &sums = operand({rows, heads}, DType::fp32),
                   &gradient = added_to({heads}, DType::fp32);
        expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
          ops::sinks_backward(ctx, of(same), of(dout), of(result), of(sums), of(gradient));
        });
      }
    }
  }
}

// Nothing was seen, nothing is there to see, and the largest of numbers.
TEST_F(AttentionSinkCuda, Extremes) {
  const double none = -std::numeric_limits<double>::infinity();
  const Twin &sinks = operand({3}, DType::fp32, {none, 100, -100}),
             &out = changed({2, 3}, DType::fp32, {0, 0, 0, 1, 2, 3}),
             &lse = changed({2, 3}, DType::fp32, {1, none, none, 200, -200, 50});
  expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
    ops::add_sinks(ctx, of(sinks), of(out), of(lse));
  });
}

}  // namespace
}  // namespace argosy
