// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A steady step asks the system for no memory: fresh pages are slower than many an op, and a step
// that maps and unmaps pays for them every time.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "comm/self/self_communicator.h"
#include "trainer/trainer.h"

namespace argosy {
namespace {

class Counting : public TokenSource {
 public:
  int64_t num_tokens() const override { return 20000; }
  int32_t token(int64_t index) const override { return static_cast<int32_t>(index * 7919 % 4093); }
  int32_t max_token() const override { return 4092; }
};

// Dense or with experts, whose ragged rows differ from step to step.
Plan plan_of(bool is_moe, Precision precision) {
  const std::string common = R"("hidden_size": 256, "intermediate_size": 512,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 4096,
    "max_position_embeddings": 128, "rms_norm_eps": 1e-5, "tie_word_embeddings": false,
    "hidden_act": "silu", "rope_theta": 10000.0)";
  const std::string model =
      is_moe ? R"({"model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 2, )" +
                   common + "}"
             : R"({"model_type": "llama", )" + common + "}";
  Plan plan;
  plan.model = parse_model(model, "steady", "steady").model;
  plan.seq_len = 128;
  plan.micro_batch = 4;
  plan.global_batch = 8;
  plan.precision = precision;
  plan.layers_per_stage = {plan.model.num_layers};
  plan.recompute.assign(static_cast<size_t>(plan.model.num_layers), Recompute::none);
  validate(plan);
  return plan;
}

int64_t minor_faults() {
  rusage usage = {};
  EXPECT_EQ(getrusage(RUSAGE_SELF, &usage), 0);
  return usage.ru_minflt;
}

// Faults of the middle one of the steps after `warm_steps`: where memory is short the kernel moves
// pages about, and a step that runs meanwhile counts that too.
int64_t faults_per_step(const Plan& plan, int warm_steps) {
  constexpr int kSteps = 8;
  DeviceContext device(Device::cpu);
  const std::unique_ptr<Communicator> world = make_self_communicator();
  Trainer trainer(device, *world, plan, {});
  const Counting tokens;
  const SampleOrder order(tokens.num_tokens(), plan.seq_len, 1, "counting");
  std::vector<int64_t> faults;
  for (int step = 1; step <= warm_steps + kSteps; ++step) {
    const int64_t before = minor_faults();
    trainer.step(tokens, order, step, 1e-4);
    if (step > warm_steps) faults.push_back(minor_faults() - before);
  }
  std::sort(faults.begin(), faults.end());
  return faults[kSteps / 2];
}

// A micro-batch's activations of one layer alone are 2 MiB: 512 pages of 4 KiB. What a step may
// touch for the first time is in the size of vectors and maps.
constexpr int64_t kFewFaults = 32;

TEST(SteadyMemory, DenseStepTouchesNoNewPages) {
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    EXPECT_LE(faults_per_step(plan_of(false, precision), 2), kFewFaults) << to_string(precision);
  }
}

// Where other things lie in malloc's heap decides whether what oneDNN frees is at its end, and so
// whether it would be given back to the system.
TEST(SteadyMemory, WhereverTheHeapEnds) {
  for (const size_t bytes : {1000, 10'000, 100'000}) {
    const std::vector<char> before(bytes);
    EXPECT_LE(faults_per_step(plan_of(false, Precision::fp32), 2), kFewFaults) << bytes;
  }
}

TEST(SteadyMemory, ExpertsOfVaryingLoadFindBlocksToReuse) {
  EXPECT_LE(faults_per_step(plan_of(true, Precision::fp32), 6), kFewFaults);
}

}  // namespace
}  // namespace argosy
