// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/verify_command.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <ostream>

#include "checkpoint/exchange.h"
#include "comm/self/self_communicator.h"
#include "trainer/model_checkpoint.h"
#include "trainer/run_setup.h"
#include "trainer/start_point.h"
#include "trainer/trainer.h"
#include "trainer/verify.h"

namespace argosy {

namespace {

constexpr double kTiny = 1e-300;  // a scale that divides nothing away
constexpr double kSmallestParameterScale = 1e-3;
constexpr double kSmallestGradientShare = 1e-3;  // of the model's largest gradient

// One way of running the job: all ranks of the plan, or rank 0 alone.
struct Way {
  Trainer trainer;
  Way(const TrainOptions& options, const RunInputs& inputs, DeviceContext& device,
      Communicator& world, const Plan& plan, Fault fault)
      : trainer(device, world, plan, settings(options, inputs, fault)) {}

 private:
  static TrainerSettings settings(const TrainOptions& options, const RunInputs& inputs,
                                  Fault fault) {
    TrainerSettings settings = trainer_settings(options);
    settings.layers = inputs.layers;
    settings.fault = fault;
    return settings;
  }
};

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2e", value);
  return text;
}

// Largest element of any gradient that a rank without peers holds.
double largest_gradient(Trainer& trainer) {
  double largest = 0;
  const auto self = make_self_communicator();
  const auto pieces = owned_gradients(trainer.parameters(), trainer.reduced_gradients());
  for (const TensorSpec& spec : trainer.parameters().tensors()) {
    for (const double value : assemble(*self, spec, pieces, "gradient"))
      largest = std::max(largest, std::abs(value));
  }
  return largest;
}

class Verification {
 public:
  Verification(const TrainOptions& options, DeviceContext& device, Communicator& world,
               std::ostream& out, Fault fault)
      : options_(options),
        device_(device),
        world_(world),
        out_(out),
        fault_(fault),
        self_(world.alone()),
        inputs_(open_inputs(world, options)),
        tolerance_(verify_tolerance(inputs_.plan)) {}

  int operator()() {
    prepare();
    say(concat("verify   ", to_string(inputs_.plan.mesh), " against one rank, ",
               to_string(inputs_.plan.precision), ": equal means within ", number(tolerance_),
               " of each tensor's ", is_rms() ? "root mean square" : "largest element"));
    for (int64_t i = 1; i <= options_.verify_steps; ++i) verify_step(start_.step + i, i);
    const std::string failure = broadcast_string(world_, failure_);
    if (failure.empty()) {
      say(concat("verify   equal in ", options_.verify_steps, " steps; worst gradient ",
                 number(worst_gradient_), ", worst parameter ", number(worst_parameter_)));
      return kExitDone;
    }
    say("verify   DIFFERENT: " + failure);
    return kExitFailure;
  }

 private:
  bool is_root() const { return world_.rank() == 0; }
  void say(const std::string& line) {
    if (is_root()) out_ << line << std::endl;
  }

  void prepare() {
    start_ = find_start(world_, options_, inputs_.plan);
    layout_ = std::make_unique<Way>(options_, inputs_, device_, world_, inputs_.plan, fault_);
    restore(layout_->trainer);
    if (!is_root()) return;
    reference_ = std::make_unique<Way>(options_, inputs_, device_, *self_,
                                       single_rank(inputs_.plan), Fault::none);
    restore(reference_->trainer);
  }

  void restore(Trainer& trainer) const {
    restore_start(trainer.context(), start_, trainer.parameters(), trainer.optimizer());
  }

  void verify_step(int64_t step, int64_t number_of_step) {
    const double lr = learning_rate(options_.lr, step, start_.step + options_.verify_steps);
    const auto run = [&](Trainer& trainer) {
      return trainer.step(*inputs_.data.source, *inputs_.data.order, step, lr);
    };
    const StepResult layout = run(layout_->trainer);
    if (is_root()) {
      const StepResult one_rank = run(reference_->trainer);
      const Difference loss =
          largest_difference("loss", {one_rank.loss}, {layout.loss}, /*smallest_scale=*/0);
      const double largest = largest_gradient(reference_->trainer);
      gradient_scale_ = kSmallestGradientShare * largest;
      allowance_ += update_allowance(
          inputs_.plan.optimizer, lr, options_.optimizer.eps,
          tolerance_ * largest / static_cast<double>(std::max<int64_t>(one_rank.num_targets, 1)));
      judge(loss, 0);
      line_ = concat("verify ", number_of_step, "/", options_.verify_steps, " | loss ", layout.loss,
                     ", one rank ", one_rank.loss, " (", number(loss.relative), ")");
    }
    compare_tensors("gradient", &worst_gradient_);
    compare_tensors("parameter", &worst_parameter_);
    say(line_);
  }

  std::vector<TensorPiece> pieces(Trainer& trainer, bool gradients) const {
    return gradients ? owned_gradients(trainer.parameters(), trainer.reduced_gradients())
                     : owned_pieces(trainer.context(), trainer.parameters(), trainer.optimizer());
  }

  // Tensor by tensor, so that no more than one whole tensor is held at a time.
  void compare_tensors(const std::string& kind, double* worst_of_all) {
    const bool gradients = kind == "gradient";
    const auto mine = pieces(layout_->trainer, gradients);
    const auto expected_pieces =
        is_root() ? pieces(reference_->trainer, gradients) : std::vector<TensorPiece>{};
    Difference worst;
    for (const TensorSpec& spec : layout_->trainer.parameters().tensors()) {
      const std::vector<double> actual =
          assemble(layout_->trainer.groups().control(), spec, mine, kind);
      if (!is_root()) continue;
      const Difference difference = largest_difference(
          concat(kind, " of ", spec.name), assemble(*self_, spec, expected_pieces, kind), actual,
          gradients ? gradient_scale_ : kSmallestParameterScale);
      judge(difference, gradients ? 0 : allowance_);
      if (worst.name.empty() || judged(difference) > judged(worst)) worst = difference;
    }
    if (!is_root()) return;
    line_ += concat(" | worst ", worst.name, " differs by ", number(worst.max_abs), " (",
                    number(judged(worst)), ")");
    *worst_of_all = std::max(*worst_of_all, judged(worst));
  }

  bool is_rms() const { return inputs_.plan.precision == Precision::bf16; }
  double judged(const Difference& difference) const {
    return judged_difference(inputs_.plan, difference);
  }

  // Keeps the difference that is farthest beyond the tolerance.
  void judge(const Difference& difference, double allowance) {
    const double excess = judged(difference) - allowance / std::max(difference.scale, kTiny);
    if (!(excess > tolerance_) || excess <= largest_excess_) return;
    largest_excess_ = excess;
    failure_ = describe(difference);
  }

  const TrainOptions& options_;
  DeviceContext& device_;
  Communicator& world_;
  std::ostream& out_;
  Fault fault_;
  std::unique_ptr<Communicator> self_;
  RunInputs inputs_;
  StartPoint start_;
  double tolerance_;
  std::unique_ptr<Way> layout_, reference_;  // the reference on rank 0 alone
  // Of rank 0.
  double gradient_scale_ = 0, allowance_ = 0, largest_excess_ = 0;
  double worst_gradient_ = 0, worst_parameter_ = 0;
  std::string line_, failure_;
};

}  // namespace

int run_verify(const TrainOptions& options, DeviceContext& device, Communicator& world,
               std::ostream& out, Fault fault) {
  return Verification(options, device, world, out, fault)();
}

}  // namespace argosy
