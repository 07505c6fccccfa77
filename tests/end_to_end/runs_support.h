// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What tests of runs share, and what runs on a CUDA device are compared by: checkpoints that go to
// the CPU and back, losses. The device is a GPU (gpu_runs_test.cpp) or an emulated one
// (cuda_runs_test.cpp).
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "planner/spec/plan.h"
#include "trainer/data/dataset.h"
#include "trainer/device/device_context.h"
#include "trainer/trainer.h"

namespace argosy {

// Runs body(world, device) on so many ranks of a kind of device.
using RunOn = std::function<void(Device kind, int64_t num_ranks,
                                 const std::function<void(Communicator&, DeviceContext&)>& body)>;
// On the CPU, ranks as threads.
void run_on_cpus(int64_t num_ranks, const std::function<void(Communicator&, DeviceContext&)>& body);

// Ids below 59, of no meaning.
class Counting : public TokenSource {
 public:
  int64_t num_tokens() const override { return 500; }
  int32_t token(int64_t index) const override { return static_cast<int32_t>(index * 7 % 59); }
  int32_t max_token() const override { return 58; }
};

// Four words of a grammar with a few rules: there is something to learn. Ids below 59.
class Sentences : public TokenSource {
 public:
  int64_t num_tokens() const override { return 4000; }
  int32_t token(int64_t index) const override;
  int32_t max_token() const override { return 58; }
};

// Collective. What a trainer has after `step`, as a checkpoint below `checkpoints_dir`.
void save(Trainer& trainer, const std::filesystem::path& checkpoints_dir, int64_t step);

// AdamW, two micro-batches of four sequences for all ranks together.
Plan plan_for_losses(const ModelSpec& model, const Mesh& mesh, Precision precision,
                     int64_t seq_len);
// Of 20 steps at a constant learning rate.
std::vector<double> losses_of(const RunOn& run_on, Device kind, const Plan& plan, double lr);
// 20 steps of `on_device` on CUDA against those of `on_cpu`: within 1%, and something was learnt.
void expect_losses_within_a_hundredth(const RunOn& run_on, const Plan& on_cpu,
                                      const Plan& on_device, double lr);

// Two steps on one kind of device are saved; the other kind, under its own plan, and the first load
// them: they save the same bytes, and their next losses agree to 1%. Either kind is the first once.
void expect_checkpoints_to_travel(const RunOn& run_on, const Plan& on_device, const Plan& on_cpu,
                                  const std::filesystem::path& folder);

}  // namespace argosy
