// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// mpirun -np N data_parallel_bench: ZeRO 0 to 3 over dp=N. Seconds of a step with communication
// beside computation and after it, taken in turns, medians; and the peak of each memory category
// beside the ledger's prediction, of rank 0.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>
#include <vector>

#include "comm/mpi/mpi_communicator.h"
#include "planner/spec/ledger.h"
#include "planner/spec/model.h"
#include "trainer/trainer.h"

namespace argosy {
namespace {

constexpr int kSteps = 9;          // of each kind; the first warms up
constexpr double kMebi = 1 << 20;  // bytes
// 34 M parameters: 136 MB of fp32 gradients to sum.
constexpr const char* kModel = R"({
  "model_type": "llama", "hidden_size": 512, "intermediate_size": 1376, "num_hidden_layers": 8,
  "num_attention_heads": 8, "num_key_value_heads": 8, "vocab_size": 8192,
  "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "tie_word_embeddings": false,
  "hidden_act": "silu", "rope_theta": 10000.0})";

class Tokens : public TokenSource {
 public:
  int64_t num_tokens() const override { return 100000; }
  int32_t token(int64_t index) const override { return static_cast<int32_t>(index * 7919 % 8191); }
  int32_t max_token() const override { return 8190; }
};

Plan plan_of(int ranks, int zero_stage) {
  Plan plan;
  plan.model = parse_model(kModel, "bench", "bench").model;
  plan.mesh.dp = ranks;
  plan.zero_stage = zero_stage;
  plan.seq_len = 256;
  plan.micro_batch = 1;
  plan.global_batch = 2 * ranks;
  plan.precision = Precision::fp32;
  plan.layers_per_stage = {plan.model.num_layers};
  plan.recompute.assign(static_cast<size_t>(plan.model.num_layers), Recompute::none);
  validate(plan);
  return plan;
}

// A trainer with memory of its own.
struct Run {
  DeviceContext device{Device::cpu};
  Trainer trainer;
  std::vector<double> step_s;
  StepResult last;

  Run(Communicator& world, const Plan& plan, const TrainerSettings& settings)
      : trainer(device, world, plan, settings) {}

  void step(Communicator& world, const TokenSource& tokens, const SampleOrder& order, int64_t i) {
    world.barrier();
    const auto begin = std::chrono::steady_clock::now();
    last = trainer.step(tokens, order, i, 1e-4);
    double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    world.all_reduce({&seconds, 1, DType::fp64}, ReduceOp::max);
    if (i > 1) step_s.push_back(seconds);
  }

  double median_s() {
    std::sort(step_s.begin(), step_s.end());
    return step_s[step_s.size() / 2];
  }
};

void print_row(int zero_stage, Run& on, Run& off, const Ledger& expected) {
  const auto peak = [&](MemoryCategory category) {
    return static_cast<double>(on.last.memory.peak[static_cast<size_t>(category)]) / kMebi;
  };
  std::printf("%4d %8.1f %8.1f %6.3f", zero_stage, off.median_s() * 1e3, on.median_s() * 1e3,
              off.median_s() / on.median_s());
  const std::pair<MemoryCategory, int64_t> categories[] = {
      {MemoryCategory::parameters, expected.parameter_bytes},
      {MemoryCategory::gradients, expected.gradient_bytes},
      {MemoryCategory::optimizer, expected.optimizer_bytes},
      {MemoryCategory::activations, expected.activation_peak_bytes}};
  for (const auto& [category, predicted] : categories)
    std::printf(" %6.1f/%6.1f", peak(category), static_cast<double>(predicted) / kMebi);
  std::printf(" %7.1f\n", peak(MemoryCategory::buffers));
}

void run(Communicator& world) {
  const Tokens tokens;
  if (world.rank() == 0) {
    std::printf("dp=%d, fp32; ms a step, off and on: overlap; MiB of rank 0, measured/ledger\n",
                world.size());
    std::printf("%4s %8s %8s %6s %13s %13s %13s %13s %7s\n", "ZeRO", "off ms", "on ms", "off/on",
                "parameters", "gradients", "optimizer", "activations", "buffers");
  }
  for (int zero_stage = 0; zero_stage <= 3; ++zero_stage) {
    const Plan plan = plan_of(world.size(), zero_stage);
    const SampleOrder order(tokens.num_tokens(), plan.seq_len, 1, "bench");
    TrainerSettings settings;
    Run on(world, plan, settings);
    settings.overlap = Overlap::off;
    Run off(world, plan, settings);
    for (int64_t i = 1; i <= kSteps; ++i) {
      off.step(world, tokens, order, i);
      on.step(world, tokens, order, i);
    }
    if (world.rank() == 0) print_row(zero_stage, on, off, predict_ledger(plan, 0));
  }
}

}  // namespace
}  // namespace argosy

int main(int argc, char** argv) {
  argosy::MpiEnvironment environment(argc, argv);
  argosy::run(*environment.world());
  return 0;
}
