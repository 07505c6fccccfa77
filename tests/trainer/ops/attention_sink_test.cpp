// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/attention_sink.h"

#include <limits>

#include "tests/trainer/ops/op_fixture.h"
#include "trainer/ops/attention.h"

namespace argosy {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const DType kDTypes[] = {DType::fp64, DType::fp32, DType::bf16};

// One sequence; query head h reads key/value head h / 2.
constexpr int64_t kRows = 7, kHeads = 4, kKvHeads = 2, kDim = 6;
const ops::AttentionShape kShape = {.batch = 1,
                                    .seq_len = kRows,
                                    .num_heads = kHeads,
                                    .num_kv_heads = kKvHeads,
                                    .head_dim = kDim,
                                    .scale = 0.4};
const Shape kQueries{kRows, kHeads*kDim}, kKeys{kRows, kKvHeads*kDim};

struct Inputs {
  Values q = random_values(kQueries.size(), 1), k = random_values(kKeys.size(), 2);
  Values v = random_values(kKeys.size(), 3), sinks = {-1.5, 0.25, 3, -0.5};
};

struct Result {
  Values out, lse;
};

// Softmax over the keys and the sink, whose value is 0.
Result definition(const Inputs& in) {
  Result result{Values(static_cast<size_t>(kQueries.size())), {}};
  for (int64_t row = 0; row < kRows; ++row) {
    for (int64_t head = 0; head < kHeads; ++head) {
      const auto element = [&](const Values& x, int64_t key, int64_t d) {
        return x[static_cast<size_t>((key * kKvHeads + head / 2) * kDim + d)];
      };
      const int64_t query = (row * kHeads + head) * kDim;
      Values weights;
      double sum = std::exp(in.sinks[static_cast<size_t>(head)]);
      for (int64_t key = 0; key <= row; ++key) {
        double score = 0;
        for (int64_t d = 0; d < kDim; ++d)
          score += in.q[static_cast<size_t>(query + d)] * element(in.k, key, d);
        weights.push_back(std::exp(kShape.scale * score));
        sum += weights.back();
      }
      result.lse.push_back(std::log(sum));
      for (int64_t key = 0; key <= row; ++key) {
        const double weight = weights[static_cast<size_t>(key)] / sum;
        for (int64_t d = 0; d < kDim; ++d)
          result.out[static_cast<size_t>(query + d)] += weight * element(in.v, key, d);
      }
    }
  }
  return result;
}

class AttentionSink : public OpTest {
 protected:
  // Attention, then its sinks.
  void attend(const Inputs& in, DType dtype) {
    q = make(kQueries, dtype, in.q), k = make(kKeys, dtype, in.k), v = make(kKeys, dtype, in.v);
    sinks = make({kHeads}, dtype, in.sinks);
    out = poisoned(kQueries, dtype);
    lse = poisoned({kRows, kHeads}, dtype == DType::fp64 ? DType::fp64 : DType::fp32);
    ops::attention_forward(ctx, kShape, q, k, v, out, lse);
    ops::add_sinks(ctx, sinks, out, lse);
  }

  Tensor q, k, v, sinks, out, lse;
};

TEST_F(AttentionSink, ForwardEqualsTheDefinition) {
  const Inputs in;
  const Result expected = definition(in);
  for (const DType dtype : kDTypes) {
    attend(in, dtype);
    EXPECT_LE(relative_error(values_of(out), expected.out), tolerance_of(dtype));
    EXPECT_LE(relative_error(values_of(lse), expected.lse), dtype == DType::fp64 ? 1e-13 : 1e-5);
  }
}

// Attention's own backward pass on the result with the sink, and the sinks' gradient.
TEST_F(AttentionSink, BackwardEqualsFiniteDifferences) {
  const Inputs in;
  const Values dout_values = random_values(kQueries.size(), 4);
  const auto gradient_of = [&](Values Inputs::*which) {
    return numeric_gradient(
        [&](const Values& at) {
          Inputs moved = in;
          moved.*which = at;
          return dot(dout_values, definition(moved).out);
        },
        in.*which);
  };
  const Values expected[] = {gradient_of(&Inputs::q), gradient_of(&Inputs::k),
                             gradient_of(&Inputs::v)};
  Values expected_sinks = gradient_of(&Inputs::sinks);
  for (double& value : expected_sinks) value += 1;  // it is added to
  for (const DType dtype : kDTypes) {
    attend(in, dtype);
    const Tensor dout = make(kQueries, dtype, dout_values);
    const Tensor dq = poisoned(kQueries, dtype), dk = poisoned(kKeys, dtype),
                 dv = poisoned(kKeys, dtype);
    const Tensor dsinks = filled(ctx, {kHeads}, lse.dtype(), 1);
    ops::attention_backward(ctx, kShape, dout, q, k, v, out, lse, dq, dk, dv);
    ops::sinks_backward(ctx, sinks, dout, out, lse, dsinks);
    const double tolerance =
        std::max(dtype == DType::bf16 ? 3e-2 : tolerance_of(dtype), kGradientTolerance);
    EXPECT_LE(relative_error(values_of(dq), expected[0]), tolerance);
    EXPECT_LE(relative_error(values_of(dk), expected[1]), tolerance);
    EXPECT_LE(relative_error(values_of(dv), expected[2]), tolerance);
    EXPECT_LE(relative_error(values_of(dsinks), expected_sinks), tolerance);
  }
}

// Heads of one column: what is attended to is one number.
TEST_F(AttentionSink, NoKeyNoSinkAndNoNumber) {
  out = make({4, 1}, DType::fp32, {0, 5, kPoison, 0});
  lse = make({4, 1}, DType::fp32, {-kInfinity, 200, 1, -kInfinity});
  sinks = make({1}, DType::fp32, {100});
  ops::add_sinks(ctx, sinks, out, lse);
  EXPECT_EQ(values_of(out)[0], 0);  // saw no key: all goes to the sink
  EXPECT_EQ(values_of(lse)[0], 100);
  EXPECT_EQ(values_of(out)[1], 5);  // the sink is nothing beside the keys
  EXPECT_EQ(values_of(lse)[1], 200);
  EXPECT_TRUE(std::isnan(values_of(out)[2]));

  out = make({2, 1}, DType::fp32, {0, 5}), lse = make({2, 1}, DType::fp32, {-kInfinity, 2});
  sinks = make({1}, DType::fp32, {-kInfinity});
  ops::add_sinks(ctx, sinks, out, lse);
  EXPECT_EQ(values_of(out), (Values{0, 5}));
  EXPECT_EQ(values_of(lse), (Values{-kInfinity, 2}));
  const Tensor dsinks = filled(ctx, {1}, DType::fp32, 0);
  ops::sinks_backward(ctx, sinks, out, out, lse, dsinks);
  EXPECT_EQ(values_of(dsinks), Values{0});
}

TEST_F(AttentionSink, EmptyAndMisshapen) {
  const Tensor none = poisoned({0, 6}, DType::fp32), no_lse = poisoned({0, 3}, DType::fp32);
  const Tensor three = filled(ctx, {3}, DType::fp32, 1), dsinks = filled(ctx, {3}, DType::fp32, 2);
  ops::add_sinks(ctx, three, none, no_lse);
  ops::sinks_backward(ctx, three, none, none, no_lse, dsinks);
  EXPECT_EQ(values_of(dsinks), Values(3, 2));
  EXPECT_THROW(ops::add_sinks(ctx, filled(ctx, {4}, DType::fp32, 1), none, no_lse),
               std::logic_error);
}

TEST_F(AttentionSink, ThreadsDoNotChangeBits) {
  const Shape shape{701, 8 * 16};
  const Tensor dout = random(shape, DType::fp32, 1);
  sinks = random({8}, DType::fp32, 2);
  expect_same_on_any_threads([&] {
    out = random(shape, DType::fp32, 3), lse = random({701, 8}, DType::fp32, 4);
    const Tensor dsinks = filled(ctx, {8}, DType::fp32, 0);
    ops::add_sinks(ctx, sinks, out, lse);
    ops::sinks_backward(ctx, sinks, dout, out, lse, dsinks);
    Values all = values_of(out);
    for (const Tensor& more : {lse, dsinks}) {
      const Values values = values_of(more);
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  });
}

}  // namespace
}  // namespace argosy
