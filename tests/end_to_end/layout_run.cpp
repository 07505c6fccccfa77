// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/end_to_end/layout_run.h"

#include <algorithm>
#include <cmath>

#include "planner/spec/philox.h"
#include "trainer/device/host_copy.h"
#include "trainer/model_checkpoint.h"
#include "trainer/ops/initialize.h"
#include "trainer/trainer.h"
#include "trainer/verify.h"

namespace argosy {

namespace {

constexpr uint64_t kDataSeed = 7;
constexpr double kTolerance = 1e-12, kSmallestScale = 1e-3;

// Random tokens, one in five of them not to be predicted; with document masks one in four ends a
// document.
class RandomTokens : public TokenSource {
 public:
  RandomTokens(int64_t vocab_size, const LayerSettings& settings)
      : vocab_size_(vocab_size), settings_(settings) {}
  int64_t num_tokens() const override { return 1000; }
  int32_t token(int64_t index) const override {
    if (settings_.document_mask && uniform(kDataSeed, 2, static_cast<uint64_t>(index)) < 0.25)
      return settings_.end_of_text;
    return static_cast<int32_t>(random_bits(kDataSeed, 0, static_cast<uint64_t>(index)) %
                                static_cast<uint64_t>(vocab_size_));
  }
  bool is_target(int64_t index) const override {
    return uniform(kDataSeed, 1, static_cast<uint64_t>(index)) < 0.8;
  }
  int32_t max_token() const override { return static_cast<int32_t>(vocab_size_ - 1); }

 private:
  int64_t vocab_size_;
  LayerSettings settings_;
};

void randomize_lora_b(const LayerContext& ctx, ParameterStore& store) {
  for (const LocalTensor& local : store.layout().tensors) {
    TensorSpec spec = store.spec_of(local);
    if (spec.lora != LoraPart::b) continue;
    spec.init = Init::normal;
    spec.init_std = 0.3;
    for (const KeptPart& part : store.kept(local)) {
      ops::initialize(ctx.device, spec, part.box, kDataSeed,
                      part.values.view({part.box.rows.size(), part.box.cols.size()}));
    }
  }
}

GlobalTensors assemble_all(Communicator& world, const std::vector<TensorSpec>& tensors,
                           const std::vector<TensorPiece>& pieces, const std::string& kind) {
  GlobalTensors whole;
  for (const TensorSpec& spec : tensors) whole[spec.name] = assemble(world, spec, pieces, kind);
  return whole;
}

void compare_values(const std::string& what, const std::vector<double>& expected,
                    const std::vector<double>& actual, double smallest_scale, double tolerance,
                    std::vector<std::string>* lines) {
  const Difference worst = largest_difference(what, expected, actual, smallest_scale);
  if (!(worst.relative <= tolerance)) lines->push_back(describe(worst));
}

void compare_steps(const std::string& what, const std::vector<double>& expected,
                   const std::vector<double>& actual, double tolerance,
                   std::vector<std::string>* lines) {
  for (size_t i = 0; i < expected.size(); ++i) {
    compare_values(concat(what, " of step ", i + 1), {expected[i]}, {actual[i]}, 0, tolerance,
                   lines);
  }
}

}  // namespace

LayoutRecord run_layout(Communicator& world, DeviceContext& device, const Plan& plan,
                        const TrainerSettings& settings, int num_steps) {
  Trainer trainer(device, world, plan, settings);
  randomize_lora_b(trainer.context(), trainer.parameters());
  const RandomTokens tokens(plan.model.vocab_size, settings.layers);
  const SampleOrder order(tokens.num_tokens(), plan.seq_len, kDataSeed, "random tokens");
  // Small steps: three large ones amplify rounding beyond the tolerance in some layouts.
  const double lr = plan.optimizer == OptimizerKind::sgd ? 0.1 : 0.01;

  LayoutRecord record;
  for (int step = 1; step <= num_steps; ++step) {
    const StepResult result = trainer.step(tokens, order, step, lr);
    record.losses.push_back(result.loss);
    record.grad_norms.push_back(result.grad_norm);
    record.aux_losses.push_back(result.aux_loss);
    record.z_losses.push_back(result.z_loss);
    record.mtp_losses.insert(record.mtp_losses.end(), result.mtp_losses.begin(),
                             result.mtp_losses.end());
    record.ledger = result.ledger;
    record.timeline = result.timeline;
    record.num_targets = result.num_targets;
    record.dropped_share = mean(result.router.dropped_share);
  }
  const std::vector<TensorSpec>& tensors = trainer.parameters().tensors();
  record.gradients =
      assemble_all(world, tensors,
                   owned_gradients(trainer.parameters(), trainer.reduced_gradients()), "gradient");
  record.parameters = assemble_all(
      world, tensors, owned_pieces(trainer.context(), trainer.parameters(), trainer.optimizer()),
      "parameter");
  const RouterState& router = *trainer.context().router;
  if (router.bias.defined()) record.parameters["router bias"] = copy_to_doubles(router.bias);
  if (router.shares.defined()) record.parameters["router shares"] = copy_to_doubles(router.shares);
  return record;
}

LayoutRecord run_layout(Communicator& world, const Plan& plan, const TrainerSettings& settings,
                        int num_steps) {
  DeviceContext device(Device::cpu);
  return run_layout(world, device, plan, settings, num_steps);
}

LayoutRecord run_layout(Communicator& world, const Plan& plan, int num_steps,
                        const LayerSettings& settings, const ComputeHook& hook) {
  return run_layout(
      world, plan,
      {.optimizer = {.weight_decay = 0.1}, .clip = 0, .compute_hook = hook, .layers = settings},
      num_steps);
}

namespace {

std::vector<std::string> compare_within(const LayoutRecord& expected, const LayoutRecord& actual,
                                        double tolerance, double gradient_scale) {
  std::vector<std::string> lines;
  compare_steps("loss", expected.losses, actual.losses, tolerance, &lines);
  compare_steps("gradient norm", expected.grad_norms, actual.grad_norms, tolerance, &lines);
  compare_steps("auxiliary loss", expected.aux_losses, actual.aux_losses, tolerance, &lines);
  compare_steps("z loss", expected.z_losses, actual.z_losses, tolerance, &lines);
  compare_steps("loss of modules", expected.mtp_losses, actual.mtp_losses, tolerance, &lines);
  for (const auto& [name, values] : expected.gradients) {
    compare_values("gradient of " + name, values, actual.gradients.at(name), gradient_scale,
                   tolerance, &lines);
  }
  for (const auto& [name, values] : expected.parameters) {
    compare_values(name, values, actual.parameters.at(name), kSmallestScale, tolerance, &lines);
  }
  return lines;
}

}  // namespace

std::vector<std::string> compare(const LayoutRecord& expected, const LayoutRecord& actual) {
  return compare_within(expected, actual, kTolerance, kSmallestScale);
}

std::vector<std::string> compare_fp32(const LayoutRecord& expected, const LayoutRecord& actual,
                                      double tolerance) {
  double largest = 0;
  for (const auto& [name, values] : expected.gradients) {
    for (const double value : values) largest = std::max(largest, std::abs(value));
  }
  return compare_within(expected, actual, tolerance, kSmallestScale * largest);
}

}  // namespace argosy
