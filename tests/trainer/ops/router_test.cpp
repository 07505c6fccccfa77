// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/router.h"

#include <algorithm>
#include <numeric>

#include "tests/trainer/ops/op_fixture.h"

namespace argosy::ops {
namespace {

constexpr RouterOrder kOrders[] = {RouterOrder::softmax_then_topk, RouterOrder::topk_then_softmax};

// What one routing decides.
struct Routing {
  Tensor probs, experts, weights, lse;
};

class Router : public OpTest {
 protected:
  Routing route(RouterOrder order, bool normalize, const Tensor& logits, int64_t k) {
    const int64_t rows = logits.dim(0);
    const DType dtype = logits.dtype();
    Routing r{poisoned(logits.shape(), dtype), poisoned({rows, k}, DType::int32),
              poisoned({rows, k}, dtype), poisoned({rows}, dtype)};
    router_forward(ctx, order, normalize, logits, r.probs, r.experts, r.weights, r.lse);
    return r;
  }
  Values backward(RouterOrder order, bool normalize, const Routing& r, const Tensor& dweights,
                  const Tensor& dprobs, double z_factor, const Tensor& mask) {
    const Tensor dlogits = poisoned(r.probs.shape(), r.probs.dtype());
    router_backward(ctx, order, normalize, dweights, r.probs, r.experts, r.weights, dprobs, r.lse,
                    z_factor, mask, dlogits);
    return values_of(dlogits);
  }
};

TEST_F(Router, ChoosesByLogitAndTiesByIndex) {
  const Tensor logits = make({3, 4}, DType::fp32, {1, 3, 3, 2, 0, 0, 0, 0, -1, -2, 5, 5});
  for (RouterOrder order : kOrders) {
    const Routing r = route(order, true, logits, 3);
    EXPECT_EQ(values_of(r.experts), Values({1, 2, 3, 0, 1, 2, 2, 3, 0}));
    expect_near(
        values_of(r.lse),
        {std::log(std::exp(1) + 2 * std::exp(3) + std::exp(2)), std::log(4.0), values_of(r.lse)[2]},
        1e-6);
  }
}

TEST_F(Router, ManyExpertsEqualAStableSort) {
  const int64_t rows = 60, num_experts = 257, k = 9;
  const Tensor logits = random({rows, num_experts}, DType::fp32, 4);
  const Routing r = route(RouterOrder::softmax_then_topk, false, logits, k);
  const Values x = values_of(logits), experts = values_of(r.experts), probs = values_of(r.probs);
  for (int64_t t = 0; t < rows; ++t) {
    std::vector<int64_t> sorted(static_cast<size_t>(num_experts));
    std::iota(sorted.begin(), sorted.end(), t * num_experts);
    std::stable_sort(sorted.begin(), sorted.end(), [&](int64_t a, int64_t b) {
      return x[static_cast<size_t>(a)] > x[static_cast<size_t>(b)];
    });
    for (int64_t j = 0; j < k; ++j) {
      const size_t slot = static_cast<size_t>(t * k + j), best = static_cast<size_t>(j);
      EXPECT_EQ(static_cast<int64_t>(experts[slot]), sorted[best] - t * num_experts);
      EXPECT_EQ(values_of(r.weights)[slot], probs[static_cast<size_t>(sorted[best])]);
    }
  }
  expect_same_on_any_threads(
      [&] { return values_of(route(RouterOrder::softmax_then_topk, true, logits, k).weights); });
}

TEST_F(Router, BothOrdersAgreeWhenNormalized) {
  const Tensor logits = random({5, 7}, DType::fp64, 1);
  const Values a = values_of(route(RouterOrder::softmax_then_topk, true, logits, 3).weights);
  const Values b = values_of(route(RouterOrder::topk_then_softmax, true, logits, 3).weights);
  expect_near(a, b, 1e-14);
  EXPECT_NEAR(a[0] + a[1] + a[2], 1.0, 1e-14);
  const Values whole = values_of(route(RouterOrder::softmax_then_topk, false, logits, 7).weights);
  EXPECT_NEAR(std::accumulate(whole.begin(), whole.begin() + 7, 0.0), 1.0, 1e-14);
}

TEST_F(Router, LargeLogitsAreSafe) {
  const Tensor logits = make({1, 3}, DType::fp32, {1e4, -1e4, 9999});
  for (RouterOrder order : kOrders) {
    const Routing r = route(order, true, logits, 2);
    const double p = 1 / (1 + std::exp(-1.0));
    expect_near(values_of(r.weights), {p, 1 - p}, 1e-6);
  }
}

TEST_F(Router, BackwardMatchesFiniteDifferences) {
  const int64_t rows = 4, num_experts = 6, k = 3;
  const double z_factor = 0.3;
  const Tensor logits = random({rows, num_experts}, DType::fp64, 1);
  const Tensor dweights = random({rows, k}, DType::fp64, 2);
  const Tensor dprobs = random({rows, num_experts}, DType::fp64, 3);
  const Tensor mask = make({rows}, DType::fp64, {1, 0, 1, 1});
  for (RouterOrder order : kOrders) {
    for (bool normalize : {false, true}) {
      const Routing r = route(order, normalize, logits, k);
      const Values got = backward(order, normalize, r, dweights, dprobs, z_factor, mask);
      expect_gradient(logits, got, [&] {
        const Routing at = route(order, normalize, logits, k);
        const Values lse = values_of(at.lse), unmasked = values_of(mask);
        double loss = dot(values_of(at.weights), values_of(dweights)) +
                      dot(values_of(at.probs), values_of(dprobs));
        for (size_t t = 0; t < lse.size(); ++t) loss += z_factor * unmasked[t] * lse[t] * lse[t];
        return loss;
      });
    }
  }
}

TEST_F(Router, BackwardWithoutAuxiliaryLosses) {
  const Tensor logits = random({2, 4}, DType::fp64, 1), dweights = random({2, 2}, DType::fp64, 2);
  const Routing r = route(RouterOrder::softmax_then_topk, true, logits, 2);
  const Tensor zeros = filled(ctx, {2, 4}, DType::fp64, 0.0);
  EXPECT_EQ(backward(RouterOrder::softmax_then_topk, true, r, dweights, Tensor(), 0, Tensor()),
            backward(RouterOrder::softmax_then_topk, true, r, dweights, zeros, 0, Tensor()));
}

// The auxiliary loss as router.h states it, f held constant.
TEST_F(Router, AuxiliaryLossMatchesFiniteDifferencesAndSplits) {
  const int64_t seq_len = 3, sequences = 2, rows = 6, num_experts = 5, k = 2;
  const double coef = 0.7;
  const Tensor logits = random({rows, num_experts}, DType::fp64, 1);
  const RouterOrder order = RouterOrder::softmax_then_topk;
  const Routing r = route(order, true, logits, k);
  const Tensor counts = poisoned({sequences, num_experts}, DType::fp64);
  const Tensor sums = poisoned({sequences, num_experts}, DType::fp64);
  router_statistics(ctx, r.probs, r.experts, 0, seq_len, counts, sums);
  const Tensor unmasked = make({sequences}, DType::fp64, {3, 1});
  const Tensor dprobs = poisoned({rows, num_experts}, DType::fp64);
  aux_loss_backward(ctx, counts, unmasked, k, coef, 0, seq_len, seq_len, dprobs);
  const Tensor dweights = filled(ctx, {rows, k}, DType::fp64, 0.0);
  const Values got = backward(order, true, r, dweights, dprobs, 0, Tensor());
  const Values picks = values_of(counts);
  EXPECT_EQ(std::accumulate(picks.begin(), picks.end(), 0.0), static_cast<double>(rows * k));
  expect_gradient(logits, got, [&] {
    const Values p = values_of(route(order, true, logits, k).probs), tokens = values_of(unmasked);
    double loss = 0;
    for (size_t i = 0; i < p.size(); ++i) {  // element (t, e)
      const size_t b = i / static_cast<size_t>(num_experts * seq_len);
      const size_t e = i % static_cast<size_t>(num_experts);
      const double f = picks[b * static_cast<size_t>(num_experts) + e] / (seq_len * k);
      loss += coef * tokens[b] * num_experts * f * p[i] / seq_len;
    }
    return loss;
  });

  // Two ranks with rows [0, 2) and [2, 6): statistics add up, gradients are the same rows.
  Values split_counts(picks.size(), 0.0), split_sums(picks.size(), 0.0);
  for (auto [begin, end] : {std::pair{0, 2}, std::pair{2, 6}}) {
    const Tensor c = poisoned(counts.shape(), DType::fp64), s = poisoned(sums.shape(), DType::fp64);
    router_statistics(ctx, r.probs.rows(begin, end), r.experts.rows(begin, end), begin, seq_len, c,
                      s);
    for (size_t i = 0; i < picks.size(); ++i) split_counts[i] += values_of(c)[i];
    for (size_t i = 0; i < picks.size(); ++i) split_sums[i] += values_of(s)[i];
    const Tensor part = poisoned({end - begin, num_experts}, DType::fp64);
    aux_loss_backward(ctx, counts, unmasked, k, coef, begin, seq_len, seq_len, part);
    EXPECT_EQ(values_of(part), values_of(dprobs.rows(begin, end)));
  }
  EXPECT_EQ(split_counts, picks);
  expect_near(split_sums, values_of(sums), 1e-15);
}

TEST_F(Router, NoTokens) {
  const Tensor logits = poisoned({0, 4}, DType::fp32);
  const Routing r = route(RouterOrder::topk_then_softmax, true, logits, 2);
  const Tensor counts = poisoned({1, 4}, DType::fp32), sums = poisoned({1, 4}, DType::fp32);
  router_statistics(ctx, r.probs, r.experts, 0, 3, counts, sums);
  EXPECT_EQ(values_of(counts), Values(4, 0.0));
  EXPECT_EQ(values_of(sums), Values(4, 0.0));
  EXPECT_THROW(router_statistics(ctx, r.probs, r.experts, 4, 3, counts, sums), std::logic_error);
}

}  // namespace
}  // namespace argosy::ops
