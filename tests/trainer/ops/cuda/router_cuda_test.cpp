// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/trainer/ops/cuda/twin.h"
#include "trainer/device/host_copy.h"
#include "trainer/ops/router.h"
#include "trainer/ops/router_totals.h"

namespace argosy {
namespace {

class RouterCuda : public CudaOpTest {
 protected:
  const Twin& fp32(Shape shape) { return operand(shape, DType::fp32); }
  void expect_totals_agree(int64_t rows);
};

struct Case {
  ops::RouterRule rule;
  int64_t num_experts, k;
  bool bias;
};
std::vector<Case> cases() {
  using enum ScoringFunction;
  using enum RouterOrder;
  return {{{.order = softmax_then_topk, .normalize = true}, 8, 2, false},
          {{.order = softmax_then_topk, .normalize = false, .scaling = 1.5}, 61, 8, false},
          {{.order = topk_then_softmax}, 5, 1, false},
          {{.order = topk_then_softmax, .scaling = 2}, 128, 6, false},
          {{.scoring = sigmoid, .num_groups = 8, .top_groups = 3, .scaling = 2.5}, 256, 8, true},
          {{.normalize = false, .scoring = sigmoid}, 33, 4, true},
          {{.num_groups = 3, .top_groups = 1}, 3, 1, false}};
}

TEST_F(RouterCuda, ChoosesAndWeighs) {
  for (const Case& c : cases()) {
    for (const int64_t tokens : {0, 1, 37}) {
      const Shape all{tokens, c.num_experts}, few{tokens, c.k};
      const Twin &logits = fp32(all), &bias = fp32({c.num_experts}),
                 &probs = result(all, DType::fp32), &experts = result(few, DType::int32),
                 &weights = result(few, DType::fp32), &sums = result({tokens}, DType::fp32);
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        ops::router_forward(ctx, c.rule, of(logits), c.bias ? of(bias) : Tensor(), of(probs),
                            of(experts), of(weights), of(sums));
      });
    }
  }
}

TEST_F(RouterCuda, TiesGoToTheLowerExpert) {
  const Values logits = {1, 2, 2, 2, 0, 2, 0, 0, 0, 0};
  const Twin &x = operand({2, 5}, DType::fp32, logits), &probs = result({2, 5}, DType::fp32),
             &experts = result({2, 3}, DType::int32), &weights = result({2, 3}, DType::fp32),
             &sums = result({2}, DType::fp32);
  expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
    ops::router_forward(ctx, {}, of(x), Tensor(), of(probs), of(experts), of(weights), of(sums));
  });
}

TEST_F(RouterCuda, Gradients) {
  for (const Case& c : cases()) {
    for (const auto& [tokens, shares] :
         {std::pair<int64_t, bool>{0, true}, {1, false}, {19, false}, {19, true}}) {
      Values is_target(static_cast<size_t>(tokens), 1);
      for (size_t i = 0; i < is_target.size(); i += 3) is_target[i] = 0;
      const bool is_sigmoid = c.rule.scoring == ScoringFunction::sigmoid;
      const Shape all{tokens, c.num_experts}, few{tokens, c.k};
      // Of a forward pass on the CPU: choices and weights that belong together.
      const Tensor logits = make(cpu, all, DType::fp32, random_values(all.size(), 70)),
                   p = filled(cpu, all, DType::fp32, kPoison),
                   e = filled(cpu, few, DType::int32, -99),
                   w = filled(cpu, few, DType::fp32, kPoison),
                   s = filled(cpu, {tokens}, DType::fp32, kPoison);
      ops::router_forward(cpu, c.rule, logits, Tensor(), p, e, w, s);
      const Twin &probs = operand(all, DType::fp32, values_of(p)),
                 &experts = ids(few, values_of(e)),
                 &weights = operand(few, DType::fp32, values_of(w)),
                 &sums = operand({tokens}, DType::fp32, values_of(s)), &dweights = fp32(few),
                 &dshares = fp32(all), &mask = operand({tokens}, DType::fp32, is_target),
                 &dlogits = result(all, DType::fp32);
      expect_twins_agree([&, has_shares = shares](DeviceContext& ctx, const auto& of) {
        ops::router_backward(ctx, c.rule, of(dweights), of(probs), of(experts), of(weights),
                             has_shares ? of(dshares) : Tensor(), of(sums), is_sigmoid ? 0 : 0.01,
                             of(mask), of(dlogits));
      });
    }
  }
}

TEST_F(RouterCuda, Statistics) {
  for (const int64_t num_experts : {5, 33, 64}) {
    for (const int64_t rows : {0, 1, 53}) {
      // Rows 11..63 of sequences of 17: parts of five.
      const int64_t k = 3, first = 11, per_sequence = 17, sequences = 4;
      const Values chosen = [&] {
        Values values(static_cast<size_t>(rows * k));
        for (size_t i = 0; i < values.size(); ++i)
          values[i] = static_cast<double>(i * i % static_cast<size_t>(num_experts));
        return values;
      }();
      const Twin &probs = fp32({rows, num_experts}), &experts = ids({rows, k}, chosen),
                 &divisor = operand({rows}, DType::fp32, Values(static_cast<size_t>(rows), 1.25)),
                 &counts = result({sequences, num_experts}, DType::fp32),
                 &prob_sums = result({sequences, num_experts}, DType::fp32),
                 &again = result({sequences, num_experts}, DType::fp32),
                 &undivided = result({sequences, num_experts}, DType::fp32);
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        ops::router_statistics(ctx, of(probs), of(divisor), of(experts), first, per_sequence,
                               of(counts), of(prob_sums));
        ops::router_statistics(ctx, of(probs), Tensor(), of(experts), first, per_sequence,
                               of(again), of(undivided));
      });
      const Twin &counts2 = fp32({sequences, num_experts}), &unmasked = fp32({sequences}),
                 &dprobs = result({rows, num_experts}, DType::fp32);
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        ops::aux_loss_backward(ctx, of(counts2), of(unmasked), k, 0.01, first, per_sequence, 64,
                               of(dprobs));
      });
    }
  }
}

// Of no rows too: a rank whose micro-batch is masked.
TEST_F(RouterCuda, Totals) {
  for (const int64_t rows : {0, 41}) expect_totals_agree(rows);
}

void RouterCuda::expect_totals_agree(int64_t rows) {
  const Twin &counts = fp32({3, 7}), &prob_sums = fp32({3, 7}), &unmasked = fp32({3}),
             &lse = fp32({rows}), &mask = fp32({rows}), &shares = fp32({7}),
             &spread = result({3, 7}, DType::fp32), &assigned = added_to({2, 7}, DType::fp32),
             &bias = added_to({2, 7}, DType::fp32);
  std::vector<double> choices(14, 0);
  for (size_t i = 0; i < 7; ++i) choices[i] = static_cast<double>(i);
  std::vector<double> numbers[2];
  expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
    const Tensor totals = ctx.zeros({9}, DType::fp64, MemoryCategory::buffers);
    ops::add_choices(ctx, of(counts), totals);
    ops::add_aux_loss(ctx, of(counts), of(prob_sums), of(unmasked), 2, 8, totals);
    ops::add_z_loss(ctx, of(lse), of(mask), totals);
    numbers[ctx.device() == Device::cuda ? 1 : 0] = copy_to_host<double>(totals);
    ops::spread_shares(ctx, of(shares), 3.5, of(spread));
    ops::assign_shares(ctx, choices, of(assigned));
    ops::balance_bias(ctx, choices, 0.001, of(bias));
  });
  for (size_t i = 0; i < 9; ++i) EXPECT_NEAR(numbers[1][i], numbers[0][i], 1e-12) << i;
}

}  // namespace
}  // namespace argosy
