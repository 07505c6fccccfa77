// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A LoRA job whose base is in NF4 is the job whose base has the values that NF4 has, and learns.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "comm/self/self_communicator.h"
#include "planner/spec/philox.h"
#include "tests/end_to_end/layouts.h"
#include "trainer/device/host_copy.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/initialize.h"
#include "trainer/trainer.h"
#include "trainer/verify.h"

namespace argosy {
namespace {

class RepeatedTokens : public TokenSource {
 public:
  int64_t num_tokens() const override { return 12 * 8 + 1; }
  int32_t token(int64_t index) const override { return static_cast<int32_t>(index * index % 50); }
  int32_t max_token() const override { return 49; }
};

// One rank; LoRA's B is not zero from the start, so that A has gradients.
class Job {
 public:
  Job(const char* layout, int64_t base_bits) : plan_(plan_with(layout, base_bits)) {
    ParameterStore& store = trainer_.parameters();
    for (const LocalTensor& local : store.layout().tensors) {
      TensorSpec spec = store.spec_of(local);
      if (spec.lora != LoraPart::b) continue;
      spec.init = Init::normal;
      spec.init_std = 0.3;
      const KeptPart part = store.kept(local).front();
      ops::initialize(device_, spec, part.box, 3,
                      part.values.view({part.box.rows.size(), part.box.cols.size()}));
    }
  }

  // The frozen base of `other`, as its products read it.
  void take_base(Job& other) {
    ParameterStore &mine = store(), &theirs = other.store();
    for (size_t i = 0; i < mine.layout().tensors.size(); ++i) {
      const LocalTensor& local = mine.layout().tensors[i];
      if (is_trainable(local.domain)) continue;
      ops::copy(device_, theirs.kept(theirs.layout().tensors[i]).front().values,
                mine.kept(local).front().values);
    }
  }

  StepResult step(int64_t number, double lr) {
    const RepeatedTokens tokens;
    const SampleOrder order(tokens.num_tokens(), plan_.seq_len, 3, "tokens");
    return trainer_.step(tokens, order, number, lr);
  }

  // By name: values, and gradients of the last step.
  std::map<std::string, std::vector<double>> values(bool trainable) {
    std::map<std::string, std::vector<double>> result;
    for (const LocalTensor& local : store().layout().tensors) {
      if (is_trainable(local.domain) == trainable)
        result[store().spec_of(local).name] =
            copy_to_host<double>(store().kept(local).front().values);
    }
    return result;
  }
  std::map<std::string, std::vector<double>> gradients() {
    std::map<std::string, std::vector<double>> result;
    for (const LocalTensor& local : store().layout().tensors) {
      const Tensor& flat = trainer_.reduced_gradients()[static_cast<size_t>(local.domain)];
      if (!is_trainable(local.domain)) continue;
      result[store().spec_of(local).name] = copy_to_host<double>(
          flat.flat(local.offset, local.offset + local.box.size(), {local.box.size()}));
    }
    return result;
  }
  ParameterStore& store() { return trainer_.parameters(); }
  const Plan& plan() const { return plan_; }

 private:
  static Plan plan_with(const char* layout, int64_t base_bits) {
    Plan plan = reference_plan_of(layout_named(layout));
    plan.lora.base_bits = base_bits;
    validate(plan);
    return plan;
  }

  Plan plan_;
  DeviceContext device_{Device::cpu};
  std::unique_ptr<Communicator> self_ = make_self_communicator();
  Trainer trainer_{device_, *self_, plan_, {.optimizer = {.weight_decay = 0}, .clip = 0}};
};

class Nf4Base : public testing::TestWithParam<const char*> {};

TEST_P(Nf4Base, GradientsAreThoseOfTheValuesThatItHas) {
  Job packed(GetParam(), 4), plain(GetParam(), kUnquantizedBits);
  const auto drawn = plain.values(false);
  plain.take_base(packed);
  EXPECT_NE(plain.values(false), drawn);  // NF4 is not what was drawn
  for (int64_t number = 1; number <= 3; ++number) {
    const StepResult expected = plain.step(number, 0.01), got = packed.step(number, 0.01);
    EXPECT_NEAR(got.loss, expected.loss, 1e-12 * expected.loss);
    EXPECT_NEAR(got.grad_norm, expected.grad_norm, 1e-12 * expected.grad_norm);
    EXPECT_EQ(got.ledger.matmul_flops, expected.ledger.matmul_flops);
    const auto gradients = plain.gradients();
    const auto packed_gradients = packed.gradients();
    ASSERT_EQ(gradients.size(), packed_gradients.size());
    for (const auto& [name, gradient] : gradients) {
      EXPECT_LE(largest_difference(name, gradient, packed_gradients.at(name), 1e-3).relative, 1e-12)
          << name << " in step " << number;
    }
  }
}

TEST_P(Nf4Base, LearnsAndStaysAsItIs) {
  Job job(GetParam(), 4);
  const auto base = job.values(false), adapters = job.values(true);
  const double first = job.step(1, 0.05).loss;
  double last = first;
  for (int64_t number = 2; number <= 40; ++number) last = job.step(number, 0.05).loss;
  EXPECT_LT(last, 0.9 * first);
  EXPECT_EQ(job.values(false), base);
  EXPECT_NE(job.values(true), adapters);
}

// Scratch of a product is given back: what a step holds does not grow, and a base in 4 bits is
// smaller by what the plan says.
TEST_P(Nf4Base, MemoryIsSteadyAndAsPlanned) {
  Job job(GetParam(), 4);
  const StepResult first = job.step(1, 0.01);
  for (int64_t number = 2; number <= 4; ++number) {
    const StepResult next = job.step(number, 0.01);
    EXPECT_EQ(next.memory.current, first.memory.current);
    EXPECT_EQ(next.memory.peak, first.memory.peak);
  }
  EXPECT_EQ(first.ledger.parameter_bytes, predict_ledger(job.plan(), 0).parameter_bytes);
  Job plain(GetParam(), kUnquantizedBits);
  EXPECT_LT(first.ledger.parameter_bytes, plain.step(1, 0.01).ledger.parameter_bytes);
}

INSTANTIATE_TEST_SUITE_P(Models, Nf4Base,
                         testing::Values("nf4_accumulate", "nf4_pp2_dp2_zero1_gpt2",
                                         "nf4_moe_tp2_sp_ep2", "nf4_latent_tp2_sp"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace argosy
