// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/end_to_end/runs_support.h"

#include <gtest/gtest.h>

#include "checkpoint/checkpoint.h"
#include "comm/thread/thread_communicator.h"
#include "trainer/model_checkpoint.h"

namespace argosy {

void run_on_cpus(int64_t num_ranks,
                 const std::function<void(Communicator&, DeviceContext&)>& body) {
  run_on_threads(static_cast<int>(num_ranks), [&](Communicator& world) {
    DeviceContext device(Device::cpu);
    body(world, device);
  });
}

int32_t Sentences::token(int64_t index) const {
  const int64_t sentence = index / 4, word = index % 4;
  return static_cast<int32_t>((sentence * sentence % 13 * (word + 1) + 5 * word) % 59);
}

namespace fs = std::filesystem;

void save(Trainer& trainer, const fs::path& checkpoints_dir, int64_t step) {
  const CheckpointContent content = {step, to_json(trainer.plan()), {}};
  save_checkpoint(trainer.groups().control(), checkpoints_dir, content,
                  checkpoint_pieces(trainer.context(), trainer.parameters(), trainer.optimizer()));
}

namespace {

const TrainerSettings kWithShares = {.optimizer = {}, .aux_loss_scope = AuxLossScope::global};

void train_and_save(const RunOn& run_on, Device kind, const Plan& plan, const fs::path& folder) {
  run_on(kind, plan.mesh.world_size(), [&](Communicator& world, DeviceContext& device) {
    Trainer trainer(device, world, plan, kWithShares);
    const Counting tokens;
    const SampleOrder order(tokens.num_tokens(), plan.seq_len, 1, "counting");
    for (int64_t step = 1; step <= 2; ++step) trainer.step(tokens, order, step, 0.01);
    save(trainer, folder, 2);
  });
}

// The loss of the step after it.
double load_and_save(const RunOn& run_on, Device kind, Plan plan, const fs::path& from,
                     const fs::path& to) {
  plan.seed += 1;  // what is not loaded differs
  double loss = 0;
  run_on(kind, plan.mesh.world_size(), [&](Communicator& world, DeviceContext& device) {
    Trainer trainer(device, world, plan, kWithShares);
    restore_checkpoint(trainer.context(), checkpoint_path(from, 2), Restore::resume,
                       trainer.parameters(), &trainer.optimizer());
    save(trainer, to, 2);
    const Counting tokens;
    const SampleOrder order(tokens.num_tokens(), plan.seq_len, 1, "counting");
    const StepResult result = trainer.step(tokens, order, 3, 0.01);
    if (world.rank() == 0) loss = result.loss;
  });
  return loss;
}

}  // namespace

void expect_checkpoints_to_travel(const RunOn& run_on, const Plan& on_device, const Plan& on_cpu,
                                  const fs::path& folder) {
  for (const Device first : {Device::cuda, Device::cpu}) {
    const Device second = first == Device::cuda ? Device::cpu : Device::cuda;
    const fs::path written = folder / concat("by_", to_string(first)), again = folder / "again",
                   same = folder / "same";
    const auto plan_on = [&](Device kind) { return kind == Device::cuda ? on_device : on_cpu; };
    train_and_save(run_on, first, plan_on(first), written);
    const auto expected = content_hashes(checkpoint_path(written, 2));
    ASSERT_GT(expected.size(), 0u);
    const double there = load_and_save(run_on, second, plan_on(second), written, again);
    const double here = load_and_save(run_on, first, plan_on(first), written, same);
    EXPECT_EQ(content_hashes(checkpoint_path(again, 2)), expected);
    EXPECT_EQ(content_hashes(checkpoint_path(same, 2)), expected);
    EXPECT_NEAR(there, here, 0.01 * here);
  }
}

Plan plan_for_losses(const ModelSpec& model, const Mesh& mesh, Precision precision,
                     int64_t seq_len) {
  Plan plan;
  plan.model = model;
  plan.cluster = "local-cpu";
  plan.mesh = mesh;
  plan.micro_batch = 4;
  plan.global_batch = 8;
  plan.seq_len = seq_len;
  plan.precision = precision;
  plan.layers_per_stage = default_layers_per_stage(plan.model.num_layers, plan.num_stages());
  plan.recompute.assign(static_cast<size_t>(plan.model.num_layers), Recompute::none);
  plan.optimizer = OptimizerKind::adamw;
  plan.zero_stage = mesh.dp > 1 ? 1 : 0;
  validate(plan);
  return plan;
}

std::vector<double> losses_of(const RunOn& run_on, Device kind, const Plan& plan, double lr) {
  std::vector<double> losses;
  run_on(kind, plan.mesh.world_size(), [&](Communicator& world, DeviceContext& device) {
    Trainer trainer(device, world, plan, {.optimizer = {}});
    const Sentences tokens;
    const SampleOrder order(tokens.num_tokens(), plan.seq_len, 1, "sentences");
    for (int64_t step = 1; step <= 20; ++step) {
      const double loss = trainer.step(tokens, order, step, lr).loss;
      if (world.rank() == 0) losses.push_back(loss);
    }
  });
  return losses;
}

void expect_losses_within_a_hundredth(const RunOn& run_on, const Plan& on_cpu,
                                      const Plan& on_device, double lr) {
  const std::vector<double> expected = losses_of(run_on, Device::cpu, on_cpu, lr),
                            actual = losses_of(run_on, Device::cuda, on_device, lr);
  EXPECT_LT(expected.back(), 0.9 * expected.front()) << "nothing was learnt";
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(actual[i], expected[i], 0.01 * expected[i]) << "step " << i + 1;
  }
}

}  // namespace argosy
