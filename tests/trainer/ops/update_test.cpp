// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/update.h"

#include <array>

#include "planner/spec/split_float.h"
#include "tests/trainer/ops/op_fixture.h"

namespace argosy::ops {
namespace {

class Update : public OpTest {};

// torch.optim.AdamW, its documented algorithm line by line, in double.
struct ReferenceAdamw {
  double p, m = 0, v = 0;
  void step(const AdamwStep& s, double grad) {
    const double t = static_cast<double>(s.step), g = grad * s.grad_scale;
    p -= s.lr * s.weight_decay * p;
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
      const AdamwStep step{.lr = 0.01 * static_cast<double>(t),
                           .beta1 = 0.9,
                           .beta2 = 0.95,
                           .eps = 1e-8,
                           .weight_decay = 0.1,
                           .grad_scale = 0.5,
                           .step = t};
      const Tensor grads = random({size}, dtype, static_cast<uint64_t>(10 + t));
      adamw_update(ctx, step, grads, params, Tensor(), m, v);
      for (size_t i = 0; i < expected.size(); ++i) {
        expected[i].step(step, values_of(grads)[i]);
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
  adamw_update(ctx, {.lr = 0.1, .eps = 0, .weight_decay = 0.5}, g, p, Tensor(), m, v);
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
    const AdamwStep step{.lr = 1e-3, .weight_decay = 0.1, .step = t};
    adamw_update(ctx, step, grads, params, rest, m[0], v[0]);
    adamw_update(ctx, step, grads, alone, Tensor(), m[1], v[1]);
    expect_same();
  }
  sgd_update(ctx, {.lr = 0.1}, grads, params, rest);
  sgd_update(ctx, {.lr = 0.1}, grads, alone, Tensor());
  expect_same();
}

TEST_F(Update, SgdEqualsItsFormula) {
  const Tensor p = make({2}, DType::fp64, {1, -2}), g = make({2}, DType::fp64, {4, 8});
  sgd_update(ctx, {.lr = 0.5, .weight_decay = 0.1, .grad_scale = 0.25}, g, p, Tensor());
  expect_near(values_of(p), {1 - 0.5 * (1 + 0.1), -2 - 0.5 * (2 - 0.2)}, 1e-15);
}

TEST_F(Update, DoesNotDependOnThreads) {
  const int64_t size = 100001;
  expect_same_on_any_threads([&] {
    const Tensor p = random({size}, DType::fp32, 1), g = random({size}, DType::fp32, 2);
    const Tensor m = random({size}, DType::fp32, 3), v = filled(ctx, {size}, DType::fp32, 0.5);
    adamw_update(ctx, {.lr = 0.1, .weight_decay = 0.1, .step = 7}, g, p, Tensor(), m, v);
    return values_of(p);
  });
}

TEST_F(Update, EmptyIsFineAndMismatchIsNot) {
  const Tensor none = poisoned({0}, DType::fp32);
  adamw_update(ctx, {}, none, none, Tensor(), none, none);
  sgd_update(ctx, {}, none, none, Tensor());
  const Tensor p = random({2}, DType::bf16, 1), g = random({2}, DType::fp32, 1);
  EXPECT_THROW(sgd_update(ctx, {}, g, p, Tensor()), std::logic_error);  // bf16 without a master
  EXPECT_THROW(adamw_update(ctx, {.step = 0}, g, g, Tensor(), g, g), std::logic_error);
  EXPECT_THROW(sgd_update(ctx, {}, random({3}, DType::fp32, 1), g, Tensor()), std::logic_error);
}

}  // namespace
}  // namespace argosy::ops
