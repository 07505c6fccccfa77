// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/update.h"

#include <array>

#include "planner/spec/split_float.h"
#include "tests/trainer/ops/op_fixture.h"

namespace argosy::ops {
namespace {

class Update : public OpTest {
 protected:
  void adamw(const AdamwStep& step, const UpdatePart& part, double scale = 1) {
    adamw_update(ctx, step, {&part, 1}, filled(ctx, {1}, DType::fp64, scale));
  }
  void sgd(double lr, const UpdatePart& part, double scale = 1) {
    sgd_update(ctx, lr, {&part, 1}, filled(ctx, {1}, DType::fp64, scale));
  }
  double scale_of(double num_targets, double loss_sum, double squares, double clip) {
    const auto one = [&](double value) { return filled(ctx, {1}, DType::fp64, value); };
    const Tensor scale = one(kPoison);
    gradient_scale(ctx, {one(num_targets), one(loss_sum), one(squares)}, clip, scale);
    return values_of(scale).front();
  }
};

// torch.optim.AdamW, its documented algorithm line by line, in double.
struct ReferenceAdamw {
  double p, m = 0, v = 0;
  void step(const AdamwStep& s, double weight_decay, double g) {
    const double t = static_cast<double>(s.step);
    p -= s.lr * weight_decay * p;
    m = s.beta1 * m + (1 - s.beta1) * g;
    v = s.beta2 * v + (1 - s.beta2) * g * g;
    const double m_hat = m / (1 - std::pow(s.beta1, t)), v_hat = v / (1 - std::pow(s.beta2, t));
    p -= s.lr * m_hat / (std::sqrt(v_hat) + s.eps);
  }
};

TEST_F(Update, AdamwEqualsItsFormulaForThreeSteps) {
  const int64_t size = 11;
  for (DType dtype : {DType::fp64, DType::fp32}) {
    const double tolerance = dtype == DType::fp64 ? 1e-15 : 1e-6;
    const Tensor params = random({size}, dtype, 1), m = filled(ctx, {size}, dtype, 0.0);
    const Tensor v = filled(ctx, {size}, dtype, 0.0);
    std::vector<ReferenceAdamw> expected;
    for (double p : values_of(params)) expected.push_back({p});
    for (int64_t t = 1; t <= 3; ++t) {
      const AdamwStep step{
          .lr = 0.01 * static_cast<double>(t), .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .step = t};
      const Tensor grads = random({size}, dtype, static_cast<uint64_t>(10 + t));
      adamw(step, {grads, params, Tensor(), m, v, 0.1}, 0.5);
      for (size_t i = 0; i < expected.size(); ++i) {
        expected[i].step(step, 0.1, 0.5 * values_of(grads)[i]);
        EXPECT_NEAR(values_of(params)[i], expected[i].p, tolerance);
        EXPECT_NEAR(values_of(m)[i], expected[i].m, tolerance);
        EXPECT_NEAR(values_of(v)[i], expected[i].v, tolerance);
      }
    }
  }
}

TEST_F(Update, FirstAdamwStepMovesByTheLearningRate) {
  // By hand: m/(1-b1) = g, sqrt(v/(1-b2)) = |g|, so that p = 1*(1 - 0.1*0.5) - 0.1 * sign(g).
  const Tensor p = make({2}, DType::fp64, {1, 1}), g = make({2}, DType::fp64, {3, -0.25});
  const Tensor m = filled(ctx, {2}, DType::fp64, 0.0), v = filled(ctx, {2}, DType::fp64, 0.0);
  adamw({.lr = 0.1, .eps = 0}, {g, p, Tensor(), m, v, 0.5});
  expect_near(values_of(p), {0.85, 1.05}, 1e-15);
}

// A bf16 weight and 16 bits, against the fp32 master that they stand for.
TEST_F(Update, Bf16WeightAndRestAreTheMaster) {
  const int64_t size = 1001;
  const Tensor alone = random({size}, DType::fp32, 1), grads = random({size}, DType::fp32, 2);
  const Tensor params = make({size}, DType::bf16, values_of(alone));
  const Tensor rest = filled(ctx, {size}, DType::int16, 0);
  for (int64_t i = 0; i < size; ++i) {
    rest.data<int16_t>()[i] = rest_of_float(alone.data<float>()[i], params.data<bfloat16>()[i]);
  }
  // The one number in 131,072 that has no code moves, here as there.
  const auto expect_same = [&] {
    for (int64_t i = 0; i < size; ++i) {
      float& master = alone.data<float>()[i];
      const bfloat16 rounded = params.data<bfloat16>()[i];
      EXPECT_EQ(rounded.bits, bfloat16(master).bits) << "at " << i;
      master = join_float(bfloat16(master), rest_of_float(master, bfloat16(master)));
      EXPECT_EQ(join_float(rounded, rest.data<int16_t>()[i]), master) << "at " << i;
    }
  };
  std::array<Tensor, 2> m, v;
  for (size_t i = 0; i < 2; ++i) {
    m[i] = filled(ctx, {size}, DType::fp32, 0.0);
    v[i] = filled(ctx, {size}, DType::fp32, 0.0);
  }
  for (int64_t t = 1; t <= 50; ++t) {
    const AdamwStep step{.lr = 1e-3, .step = t};
    adamw(step, {grads, params, rest, m[0], v[0], 0.1});
    adamw(step, {grads, alone, Tensor(), m[1], v[1], 0.1});
    expect_same();
  }
  sgd(0.1, {.grads = grads, .params = params, .rest = rest});
  sgd(0.1, {.grads = grads, .params = alone});
  expect_same();
}

TEST_F(Update, SgdEqualsItsFormula) {
  const Tensor p = make({2}, DType::fp64, {1, -2}), g = make({2}, DType::fp64, {4, 8});
  sgd(0.5, {.grads = g, .params = p, .weight_decay = 0.1}, 0.25);
  expect_near(values_of(p), {1 - 0.5 * (1 + 0.1), -2 - 0.5 * (2 - 0.2)}, 1e-15);
}

TEST_F(Update, DoesNotDependOnThreads) {
  const int64_t size = 100001;
  expect_same_on_any_threads([&] {
    const Tensor p = random({size}, DType::fp32, 1), g = random({size}, DType::fp32, 2);
    const Tensor m = random({size}, DType::fp32, 3), v = filled(ctx, {size}, DType::fp32, 0.5);
    adamw({.lr = 0.1, .step = 7}, {g, p, Tensor(), m, v, 0.1});
    return values_of(p);
  });
}

// Each part has its own decay, and nothing else differs from updating them one after the other.
TEST_F(Update, PartsAreUpdatedAsAlone) {
  std::vector<UpdatePart> together, alone;
  for (const int64_t size : {3, 0, 17}) {
    const auto seed = static_cast<uint64_t>(10 * size);
    for (std::vector<UpdatePart>* list : {&together, &alone}) {
      list->push_back({random({size}, DType::fp32, seed + 1), random({size}, DType::fp32, seed + 2),
                       Tensor(), random({size}, DType::fp32, seed + 3),
                       filled(ctx, {size}, DType::fp32, 0.5), 0.1 * static_cast<double>(size)});
    }
  }
  adamw_update(ctx, {.lr = 0.1, .step = 2}, together, filled(ctx, {1}, DType::fp64, 0.5));
  for (size_t i = 0; i < alone.size(); ++i) {
    adamw({.lr = 0.1, .step = 2}, alone[i], 0.5);
    EXPECT_EQ(values_of(together[i].params), values_of(alone[i].params));
    EXPECT_EQ(values_of(together[i].exp_avg), values_of(alone[i].exp_avg));
  }
}

TEST_F(Update, AScaleThatIsNotFiniteChangesNothing) {
  const Tensor p = random({5}, DType::fp32, 1), g = random({5}, DType::fp32, 2);
  const Tensor m = random({5}, DType::fp32, 3), v = filled(ctx, {5}, DType::fp32, 0.5);
  const Values before = values_of(p), m_before = values_of(m);
  for (const double scale : {std::nan(""), static_cast<double>(INFINITY)}) {
    adamw({.lr = 0.1}, {g, p, Tensor(), m, v, 0.1}, scale);
    sgd(0.1, {.grads = g, .params = p}, scale);
  }
  EXPECT_EQ(values_of(p), before);
  EXPECT_EQ(values_of(m), m_before);
}

TEST_F(Update, ScaleIsTheMeanCutToANorm) {
  EXPECT_EQ(scale_of(4, 10, 4, 0), 0.25);                         // not cut
  EXPECT_EQ(scale_of(4, 10, 4, 1), 0.25);                         // norm 2/4 is below 1
  EXPECT_DOUBLE_EQ(scale_of(4, 10, 144, 1), 1 / (3 + 1e-6) / 4);  // norm 12/4
  EXPECT_EQ(scale_of(0, 0, 0, 1), 1.0);                           // a step without targets
  EXPECT_TRUE(std::isnan(scale_of(4, std::nan(""), 4, 1)));
  EXPECT_TRUE(std::isnan(scale_of(4, INFINITY, 4, 0)));
  EXPECT_TRUE(std::isnan(scale_of(4, 1, INFINITY, 1)));
}

TEST_F(Update, EmptyIsFineAndMismatchIsNot) {
  const Tensor none = poisoned({0}, DType::fp32);
  adamw_update(ctx, {}, {});
  adamw({}, {none, none, Tensor(), none, none});
  sgd(0.1, {.grads = none, .params = none});
  const Tensor p = random({2}, DType::bf16, 1), g = random({2}, DType::fp32, 1);
  EXPECT_THROW(sgd(0, {.grads = g, .params = p}), std::logic_error);  // bf16 without a master
  EXPECT_THROW(adamw({.step = 0}, {g, g, Tensor(), g, g}), std::logic_error);
  EXPECT_THROW(sgd(0, {.grads = random({3}, DType::fp32, 1), .params = g}), std::logic_error);
  const std::vector<UpdatePart> mixed = {
      {.grads = g, .params = p, .rest = filled(ctx, {2}, DType::int16, 0)},
      {.grads = g, .params = g}};
  EXPECT_THROW(sgd_update(ctx, 0.1, mixed), std::logic_error);
}

}  // namespace
}  // namespace argosy::ops
