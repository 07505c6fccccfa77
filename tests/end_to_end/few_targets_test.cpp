// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Data that does not fill what reads it: an evaluation counts each held-out sample once, and a step
// without a token to predict is a step with a gradient of zero. A gradient that is no number
// updates nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <utility>
#include <vector>

#include "comm/self/self_communicator.h"
#include "comm/thread/thread_communicator.h"
#include "planner/spec/check.h"
#include "planner/spec/philox.h"
#include "tests/end_to_end/layouts.h"
#include "trainer/trainer.h"

namespace argosy {
namespace {

class FewSamples : public TokenSource {
 public:
  FewSamples(int64_t num_samples, int64_t seq_len, bool has_targets = true)
      : num_tokens_(num_samples * seq_len + 1), has_targets_(has_targets) {}
  int64_t num_tokens() const override { return num_tokens_; }
  int32_t token(int64_t index) const override {
    return static_cast<int32_t>(random_bits(3, 0, static_cast<uint64_t>(index)) % 50);
  }
  bool is_target(int64_t) const override { return has_targets_; }
  int32_t max_token() const override { return 49; }

 private:
  int64_t num_tokens_;
  bool has_targets_;
};

double evaluate(Communicator& world, const Plan& plan, int64_t num_samples, int64_t num_batches) {
  const FewSamples source(num_samples, plan.seq_len);
  const SampleOrder order(source.num_tokens(), plan.seq_len, 3, "few samples");
  DeviceContext device(Device::cpu);
  Trainer trainer(device, world, plan, {});
  return trainer.evaluate(source, order, num_batches);
}

// All samples in one batch of exactly their number.
double evaluate_exactly(const char* layout, int64_t num_samples) {
  Plan plan = reference_plan_of(layout_named(layout));
  plan.global_batch = num_samples;
  plan.micro_batch = 1;
  const auto self = make_self_communicator();
  return evaluate(*self, plan, num_samples, 1);
}

TEST(Evaluation, CountsEachSampleOnce) {
  for (const char* layout : {"accumulate", "dp2", "pp2_1f1b", "cp2_dp2_zero1", "moe_dp2_ep2"}) {
    const Plan plan = plan_of(layout_named(layout));
    for (const int64_t num_samples : {1, 5, 17}) {  // of batches of 12
      const double expected = evaluate_exactly(layout, num_samples);
      std::mutex mutex;
      run_on_threads(static_cast<int>(plan.mesh.world_size()), [&](Communicator& world) {
        const double loss = evaluate(world, plan, num_samples, 2);
        const std::lock_guard<std::mutex> lock(mutex);
        EXPECT_NEAR(loss, expected, 1e-12 * expected) << layout << ", " << num_samples;
      });
    }
  }
}

// What PyTorch's optimizers do with a gradient of zeros, and Megatron-LM with a batch whose loss
// mask is zero: the step counts, decay and momentum act.
class NoTargets : public testing::TestWithParam<OptimizerKind> {
 protected:
  static constexpr double kLr = 0.1, kDecay = 0.25;

  explicit NoTargets()
      : plan_([] {
          Plan plan = plan_of(layout_named("accumulate"));
          plan.optimizer = GetParam();
          return plan;
        }()) {}

  Trainer make_trainer(double weight_decay) {
    return {device_, *self_, plan_, {.optimizer = {.weight_decay = weight_decay}}};
  }
  StepResult step(Trainer& trainer, int64_t number, bool has_targets) const {
    const FewSamples source(12, plan_.seq_len, has_targets);
    const SampleOrder order(source.num_tokens(), plan_.seq_len, 3, "no targets");
    return trainer.step(source, order, number, kLr);
  }
  // The flat buffer of all parameters.
  static std::vector<double> values(Trainer& trainer) {
    const Tensor& flat = trainer.parameters().values(Domain::dense);
    return {flat.data<double>(), flat.data<double>() + flat.size()};
  }

  DeviceContext device_{Device::cpu};
  std::unique_ptr<Communicator> self_ = make_self_communicator();
  Plan plan_;
};

TEST_P(NoTargets, TheStepHasNoLossAndOnlyDecays) {
  Trainer trainer = make_trainer(kDecay);
  const std::vector<double> before = values(trainer);
  const StepResult result = step(trainer, 1, /*has_targets=*/false);
  EXPECT_EQ(result.loss, 0);
  EXPECT_EQ(result.grad_norm, 0);
  EXPECT_EQ(result.num_targets, 0);
  const std::vector<double> after = values(trainer);
  for (const LocalTensor& local : trainer.parameters().layout().tensors) {
    const bool decays = trainer.parameters().spec_of(local).decay;
    const double factor = decays ? 1 - kLr * kDecay : 1;
    for (int64_t i = local.offset; i < local.offset + local.box.size(); ++i) {
      const auto at = static_cast<size_t>(i);
      ASSERT_NEAR(after[at], factor * before[at], 1e-15 * std::abs(before[at]));
    }
  }
}

TEST_P(NoTargets, MomentumGoesOn) {
  Trainer trainer = make_trainer(0);
  step(trainer, 1, /*has_targets=*/true);
  const std::vector<double> before = values(trainer);
  step(trainer, 2, /*has_targets=*/false);
  EXPECT_EQ(values(trainer) != before, GetParam() == OptimizerKind::adamw);  // SGD has none
}

TEST_P(NoTargets, WhatIsNotFiniteUpdatesNothing) {
  Trainer trainer = make_trainer(kDecay);
  step(trainer, 1, /*has_targets=*/true);
  double& broken = trainer.parameters().values(Domain::dense).data<double>()[0];
  const double healthy = std::exchange(broken, std::numeric_limits<double>::infinity());
  const std::vector<double> before = values(trainer);
  EXPECT_THROW(step(trainer, 2, /*has_targets=*/true), Error);
  EXPECT_EQ(values(trainer), before);
  broken = healthy;
  const StepResult result = step(trainer, 2, /*has_targets=*/true);  // nor are moments spoiled
  EXPECT_TRUE(std::isfinite(result.loss));
  for (const double value : values(trainer)) ASSERT_TRUE(std::isfinite(value));
}

INSTANTIATE_TEST_SUITE_P(Optimizers, NoTargets,
                         testing::Values(OptimizerKind::adamw, OptimizerKind::sgd),
                         [](const auto& test) { return std::string(to_string(test.param)); });

}  // namespace
}  // namespace argosy
