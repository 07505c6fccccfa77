// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Reductions and gathers that run beside computation change nothing: losses, norms, evaluations and
// ledgers of three steps are equal to the bit with and without. Evaluation under ZeRO-3 gathers
// what it reads and agrees with one rank.
#include <gtest/gtest.h>

#include <map>
#include <mutex>

#include "comm/self/self_communicator.h"
#include "comm/thread/thread_communicator.h"
#include "tests/end_to_end/layouts.h"
#include "tests/end_to_end/runs_support.h"
#include "trainer/trainer.h"

namespace argosy {
namespace {

struct Record {
  std::vector<double> numbers;  // losses, norms, then the evaluation
  Ledger ledger;                // of the last step
  bool operator==(const Record&) const = default;
};

Record run(Communicator& world, const Plan& plan, Overlap overlap) {
  DeviceContext device(Device::cpu);
  TrainerSettings settings;
  settings.overlap = overlap;
  Trainer trainer(device, world, plan, settings);
  const Counting tokens;
  const SampleOrder order(tokens.num_tokens(), plan.seq_len, 1, "counting");
  Record record;
  for (int64_t step = 1; step <= 3; ++step) {
    const StepResult result = trainer.step(tokens, order, step, 0.01);
    record.numbers.push_back(result.loss);
    record.numbers.push_back(result.grad_norm);
    record.ledger = result.ledger;
  }
  record.numbers.push_back(trainer.evaluate(tokens, order, 1));
  return record;
}

std::map<int, Record> run_on_all_ranks(const Plan& plan, Overlap overlap) {
  std::map<int, Record> records;
  std::mutex mutex;
  run_on_threads(static_cast<int>(plan.mesh.world_size()), [&](Communicator& world) {
    const Record record = run(world, plan, overlap);
    const std::lock_guard<std::mutex> lock(mutex);
    records[world.rank()] = record;
  });
  return records;
}

class OverlapOnAndOff : public testing::TestWithParam<const char*> {};

TEST_P(OverlapOnAndOff, AreEqualToTheBit) {
  const Plan plan = plan_of(layout_named(GetParam()));
  const std::map<int, Record> on = run_on_all_ranks(plan, Overlap::on);
  EXPECT_EQ(on, run_on_all_ranks(plan, Overlap::off));
  const auto self = make_self_communicator();
  const Record one_rank = run(*self, reference_plan_of(layout_named(GetParam())), Overlap::on);
  for (size_t i = 0; i < one_rank.numbers.size(); ++i) {
    EXPECT_NEAR(on.at(0).numbers[i], one_rank.numbers[i], 1e-11 * one_rank.numbers[i]) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Table, OverlapOnAndOff,
                         testing::Values("dp2", "dp3_zero1", "pp2_tp2_sp_tied_zero1",
                                         "zero2_tp2_sp_dp2", "zero2_moe_dp4_ep2", "zero3_dp2_tied",
                                         "zero3_pp2_tp2_dp2_tied", "zero3_lora_dp3",
                                         "zero3_moe_dp4_ep2"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace argosy
