// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Steps on emulated GPUs, captured or not, and what they leave.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <mutex>
#include <vector>

#include "planner/spec/check.h"
#include "tests/end_to_end/layouts.h"
#include "tests/support/cuda_emulation/gpu_ranks.h"
#include "trainer/device/host_copy.h"
#include "trainer/trainer.h"

namespace argosy {

// Every step has other tokens and, like the last batch of an epoch, other masks: a number of
// targets that was captured would be wrong in the next step.
class MaskedTokens : public TokenSource {
 public:
  int64_t num_tokens() const override { return 1000; }
  int32_t token(int64_t index) const override {
    return static_cast<int32_t>(index * index % 57 + index % 3);
  }
  bool is_target(int64_t index) const override { return index % 11 > index / 250; }
  int32_t max_token() const override { return 58; }
};

// What a run leaves, equal to the bit or not at all.
struct Record {
  std::vector<double> losses, grad_norms, evaluations;
  std::vector<int64_t> targets;
  std::vector<std::vector<float>> values;  // parameters and states of all ranks
  std::vector<Ledger> ledgers;             // of the last step, by rank
  std::vector<MemoryUse> memory;
  Timeline timeline;  // of the last step of rank 0
  StepParts parts;
  std::vector<GraphFacts> graphs;  // by rank; of no graphs where there are none
};

struct Settings {
  int64_t num_steps = 8;
  CudaGraphs graphs = CudaGraphs::off;
  std::vector<int64_t> evaluate_after = {};
  // Called before and after a step on each rank.
  std::function<void(Trainer&, int64_t step)> before = {}, after = {};
};

inline double lr_of(int64_t step) {
  return 1e-2 * (1 + std::cos(0.15 * static_cast<double>(step)));
}

inline std::vector<float> values_of(const Tensor& tensor) {
  if (tensor.dtype() == DType::fp32) return copy_to_host<float>(tensor);
  const std::vector<int16_t> bits = copy_to_host<int16_t>(tensor);  // bf16, or a master's rest
  return {bits.begin(), bits.end()};
}

inline Record train(const Plan& plan, TrainerSettings trainer_settings, const Settings& settings) {
  Record record;
  std::mutex mutex;
  trainer_settings.cuda_graphs = settings.graphs;
  const auto num_ranks = static_cast<size_t>(plan.mesh.world_size());
  record.ledgers.resize(num_ranks);
  record.memory.resize(num_ranks);
  record.graphs.resize(num_ranks);
  record.values.resize(num_ranks);
  cuda_emulation::run_on_gpus(
      static_cast<int>(num_ranks), [&](Communicator& world, DeviceContext& device) {
        Trainer trainer(device, world, plan, trainer_settings);
        const MaskedTokens tokens;
        const SampleOrder order(tokens.num_tokens(), plan.seq_len, 7, "masked tokens");
        const auto rank = static_cast<size_t>(world.rank());
        const auto evaluate = [&](int64_t step) {
          for (const int64_t when : settings.evaluate_after) {
            if (when != step) continue;
            const double loss = trainer.evaluate(tokens, order, 2);
            if (rank == 0) record.evaluations.push_back(loss);
          }
        };
        evaluate(0);
        for (int64_t step = 1; step <= settings.num_steps; ++step) {
          if (settings.before) settings.before(trainer, step);
          const StepResult result = trainer.step(tokens, order, step, lr_of(step));
          if (settings.after) settings.after(trainer, step);
          evaluate(step);
          record.ledgers[rank] = result.ledger;
          record.memory[rank] = result.memory;
          if (rank != 0) continue;
          record.losses.push_back(result.loss);
          record.grad_norms.push_back(result.grad_norm);
          record.targets.push_back(result.num_targets);
          record.timeline = result.timeline;
          record.parts = result.parts;
        }
        std::vector<float>& all = record.values[rank];
        const auto add = [&](const Tensor& tensor) {
          if (!tensor.defined()) return;
          const std::vector<float> some = values_of(tensor);
          all.insert(all.end(), some.begin(), some.end());
        };
        for (const Domain domain : {Domain::dense, Domain::expert})
          add(trainer.parameters().values(domain));
        for (const auto& state : trainer.optimizer().state()) add(state.values);
        for (const Tensor& gradients : trainer.reduced_gradients()) add(gradients);
        const std::lock_guard lock(mutex);
        if (trainer.graph_facts() != nullptr) record.graphs[rank] = *trainer.graph_facts();
      });
  return record;
}

inline void expect_equal(const Record& with, const Record& without) {
  EXPECT_EQ(with.losses, without.losses);
  EXPECT_EQ(with.grad_norms, without.grad_norms);
  EXPECT_EQ(with.targets, without.targets);
  EXPECT_EQ(with.evaluations, without.evaluations);
  EXPECT_TRUE(with.values == without.values) << "parameters, states or gradients differ";
  for (size_t rank = 0; rank < with.ledgers.size(); ++rank) {
    EXPECT_EQ(difference(without.ledgers[rank], with.ledgers[rank]), "") << "rank " << rank;
    EXPECT_EQ(with.memory[rank].peak, without.memory[rank].peak) << "rank " << rank;
  }
}

inline Plan plan_in(Precision precision, const char* name) {
  Layout layout = layout_named(name);
  layout.optimizer = OptimizerKind::adamw;
  Plan plan = plan_of(layout);
  plan.precision = precision;
  return plan;
}

inline TrainerSettings settings_for(const char* name) {
  TrainerSettings settings = settings_of(layout_named(name));
  settings.clip = 0.5;
  settings.check_replicas_every = 5;
  settings.check_collectives_every = 2;
  return settings;
}

}  // namespace argosy
