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
  Tensor probs, experts, weights, sums;
};

class Router : public OpTest {
 protected:
  Routing route(RouterOrder order, bool normalize, const Tensor& logits, int64_t k) {
    return route(RouterRule{order, normalize}, logits, Tensor(), k);
  }
  Routing route(const RouterRule& rule, const Tensor& logits, const Tensor& bias, int64_t k) {
    const int64_t rows = logits.dim(0);
    const DType dtype = logits.dtype();
    Routing r{poisoned(logits.shape(), dtype), poisoned({rows, k}, DType::int32),
              poisoned({rows, k}, dtype), poisoned({rows}, dtype)};
    router_forward(ctx, rule, logits, bias, r.probs, r.experts, r.weights, r.sums);
    return r;
  }
  Values backward(RouterOrder order, bool normalize, const Routing& r, const Tensor& dweights,
                  const Tensor& dprobs, double z_factor, const Tensor& mask) {
    return backward(RouterRule{order, normalize}, r, dweights, dprobs, z_factor, mask);
  }
  Values backward(const RouterRule& rule, const Routing& r, const Tensor& dweights,
                  const Tensor& dprobs, double z_factor, const Tensor& mask) {
    const Tensor dlogits = poisoned(r.probs.shape(), r.probs.dtype());
    router_backward(ctx, rule, dweights, r.probs, r.experts, r.weights, dprobs, r.sums, z_factor,
                    mask, dlogits);
    return values_of(dlogits);
  }
};

TEST_F(Router, ChoosesByLogitAndTiesByIndex) {
  const Tensor logits = make({3, 4}, DType::fp32, {1, 3, 3, 2, 0, 0, 0, 0, -1, -2, 5, 5});
  for (RouterOrder order : kOrders) {
    const Routing r = route(order, true, logits, 3);
    EXPECT_EQ(values_of(r.experts), Values({1, 2, 3, 0, 1, 2, 2, 3, 0}));
    expect_near(values_of(r.sums),
                {std::log(std::exp(1) + 2 * std::exp(3) + std::exp(2)), std::log(4.0),
                 values_of(r.sums)[2]},
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
        const Values lse = values_of(at.sums), unmasked = values_of(mask);
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
  router_statistics(ctx, r.probs, Tensor(), r.experts, 0, seq_len, counts, sums);
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
    router_statistics(ctx, r.probs.rows(begin, end), Tensor(), r.experts.rows(begin, end), begin,
                      seq_len, c, s);
    for (size_t i = 0; i < picks.size(); ++i) split_counts[i] += values_of(c)[i];
    for (size_t i = 0; i < picks.size(); ++i) split_sums[i] += values_of(s)[i];
    const Tensor part = poisoned({end - begin, num_experts}, DType::fp64);
    aux_loss_backward(ctx, counts, unmasked, k, coef, begin, seq_len, seq_len, part);
    EXPECT_EQ(values_of(part), values_of(dprobs.rows(begin, end)));
  }
  EXPECT_EQ(split_counts, picks);
  expect_near(split_sums, values_of(sums), 1e-15);
}

// The definition, without any of the op's shortcuts.
std::vector<int64_t> naive_choice(const Values& score, int64_t num_groups, int64_t top_groups,
                                  int64_t k) {
  const int64_t size = static_cast<int64_t>(score.size()) / num_groups;
  const auto descending = [](const Values& values) {
    std::vector<int64_t> order(values.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return values[static_cast<size_t>(a)] > values[static_cast<size_t>(b)];
    });
    return order;
  };
  Values of_group;
  for (int64_t g = 0; g < num_groups; ++g) {
    Values members(score.begin() + g * size, score.begin() + (g + 1) * size);
    std::sort(members.rbegin(), members.rend());
    of_group.push_back(members[0] + (size > 1 ? members[1] : 0));
  }
  std::vector<int64_t> groups = descending(of_group), chosen;
  groups.resize(static_cast<size_t>(top_groups));
  for (const int64_t e : descending(score)) {
    if (std::count(groups.begin(), groups.end(), e / size) > 0) chosen.push_back(e);
  }
  chosen.resize(static_cast<size_t>(k));
  return chosen;
}

TEST_F(Router, BiasAndGroupsDecideTheChoiceAlone) {
  const int64_t rows = 40, num_experts = 12, k = 4;
  const Tensor logits = random({rows, num_experts}, DType::fp64, 1);
  const Tensor bias = random({num_experts}, DType::fp64, 2);
  for (const auto scoring : {ScoringFunction::softmax, ScoringFunction::sigmoid}) {
    for (const int64_t num_groups : {1, 3, 4, 12}) {
      RouterRule rule{.scoring = scoring, .num_groups = num_groups};
      rule.top_groups = num_groups == 1 ? 1 : num_groups == 12 ? 5 : 2;
      rule.scaling = 2.5;
      const Routing r = route(rule, logits, bias, k);
      const Values probs = values_of(r.probs), experts = values_of(r.experts);
      for (int64_t t = 0; t < rows; ++t) {
        Values score(probs.begin() + t * num_experts, probs.begin() + (t + 1) * num_experts);
        for (size_t e = 0; e < score.size(); ++e) score[e] += values_of(bias)[e];
        const std::vector<int64_t> expected = naive_choice(score, num_groups, rule.top_groups, k);
        double sum = 0;
        for (const int64_t e : expected) sum += probs[static_cast<size_t>(t * num_experts + e)];
        for (int64_t j = 0; j < k; ++j) {
          const auto slot = static_cast<size_t>(t * k + j);
          const int64_t expert = expected[static_cast<size_t>(j)];
          ASSERT_EQ(static_cast<int64_t>(experts[slot]), expert) << "token " << t;
          const double prob = probs[static_cast<size_t>(t * num_experts + expert)];
          EXPECT_NEAR(values_of(r.weights)[slot], 2.5 * prob / sum, 1e-14);
        }
      }
    }
  }
}

TEST_F(Router, SigmoidScoresEachExpertByItself) {
  const Tensor logits = make({1, 4}, DType::fp32, {0, 2, -1e4, 1e4});
  const Routing r =
      route({.normalize = false, .scoring = ScoringFunction::sigmoid}, logits, Tensor(), 2);
  const double of_two = 1 / (1 + std::exp(-2.0));
  expect_near(values_of(r.probs), {0.5, of_two, 0, 1}, 1e-6);
  expect_near(values_of(r.sums), {1.5 + of_two}, 1e-6);
  EXPECT_EQ(values_of(r.experts), Values({3, 1}));
  expect_near(values_of(r.weights), {1, of_two}, 1e-6);
}

TEST_F(Router, SigmoidAndGroupBackwardMatchFiniteDifferences) {
  const int64_t rows = 5, num_experts = 6, k = 2;
  const Tensor logits = random({rows, num_experts}, DType::fp64, 1);
  const Tensor bias = random({num_experts}, DType::fp64, 2);
  const Tensor dweights = random({rows, k}, DType::fp64, 3);
  const Tensor dshares = random({rows, num_experts}, DType::fp64, 4);
  for (const auto scoring : {ScoringFunction::softmax, ScoringFunction::sigmoid}) {
    for (const bool normalize : {false, true}) {
      const RouterRule rule{.normalize = normalize,
                            .scoring = scoring,
                            .num_groups = 3,
                            .top_groups = 2,
                            .scaling = 1.7};
      const bool is_sigmoid = scoring == ScoringFunction::sigmoid;
      const Values got =
          backward(rule, route(rule, logits, bias, k), dweights, dshares, 0, Tensor());
      expect_gradient(logits, got, [&] {
        const Routing at = route(rule, logits, bias, k);
        Values shares = values_of(at.probs);
        for (size_t i = 0; is_sigmoid && i < shares.size(); ++i) {
          shares[i] /= values_of(at.sums)[i / static_cast<size_t>(num_experts)];
        }
        return dot(values_of(at.weights), values_of(dweights)) + dot(shares, values_of(dshares));
      });
    }
  }
}

TEST_F(Router, StatisticsOfSigmoidScoresAreShares) {
  const Tensor logits = random({4, 3}, DType::fp64, 1);
  const Routing r = route({.scoring = ScoringFunction::sigmoid}, logits, Tensor(), 2);
  const Tensor counts = poisoned({2, 3}, DType::fp64), sums = poisoned({2, 3}, DType::fp64);
  router_statistics(ctx, r.probs, r.sums, r.experts, 0, 2, counts, sums);
  const Values shares = values_of(sums);
  EXPECT_NEAR(shares[0] + shares[1] + shares[2], 2.0, 1e-14);  // two tokens of one sequence
}

TEST_F(Router, NoTokens) {
  const Tensor logits = poisoned({0, 4}, DType::fp32);
  const Routing r = route(RouterOrder::topk_then_softmax, true, logits, 2);
  const Tensor counts = poisoned({1, 4}, DType::fp32), sums = poisoned({1, 4}, DType::fp32);
  router_statistics(ctx, r.probs, Tensor(), r.experts, 0, 3, counts, sums);
  EXPECT_EQ(values_of(counts), Values(4, 0.0));
  EXPECT_EQ(values_of(sums), Values(4, 0.0));
  EXPECT_THROW(router_statistics(ctx, r.probs, Tensor(), r.experts, 4, 3, counts, sums),
               std::logic_error);
}

}  // namespace
}  // namespace argosy::ops
