// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run_saves.h"

#include <cmath>
#include <vector>

#include "checkpoint/exchange.h"
#include "planner/report/units.h"
#include "trainer/device/host_copy.h"
#include "trainer/model_checkpoint.h"
#include "trainer/ops/elementwise.h"

namespace argosy {

namespace {

// Collective. An update may overflow where its step was finite: nothing could go on from that.
bool weights_are_finite(Trainer& trainer) {
  const LayerContext& ctx = trainer.context();
  double squares = 0;
  for (int domain = 0; domain < kNumDomains; ++domain) {
    const Tensor& values = trainer.parameters().values(static_cast<Domain>(domain));
    if (!values.defined()) continue;
    const Tensor total = ctx.scratch({1}, DType::fp64);
    ops::sum_of_squares(ctx.device, std::span<const Tensor>(&values, 1), total);
    squares += copy_to_host<double>(total).front();
  }
  trainer.groups().control().all_reduce({&squares, 1, DType::fp64});
  return std::isfinite(squares);
}

// Collective. Rank 0's word: others may not see what it sees.
bool exists_at_root(Communicator& control, const std::filesystem::path& path) {
  const bool exists = control.rank() == 0 && std::filesystem::exists(path);
  return broadcast_string(control, exists ? "yes" : "") == "yes";
}

}  // namespace

CheckpointContent RunSaves::content(int64_t step) const {
  const Plan& plan = trainer_.plan();
  CheckpointContent content;
  content.step = step;
  content.plan_json = to_json(plan);
  content.state = {{"seed", std::to_string(plan.seed)},
                   {"optimizer", std::string(to_string(plan.optimizer))},
                   {"data", options_.data.string()},
                   {"samples", std::to_string(step * plan.global_batch)}};
  if (!init_.empty()) content.state[std::string(kInitState)] = init_;
  return content;
}

void RunSaves::begin(int64_t step) {
  finish();
  heartbeat_.act("checkpoint");
  begin_ = Clock::now();
  step_ = step;
  const auto folder = options_.run_dir / "checkpoints";
  const std::vector<TensorPiece> pieces =
      checkpoint_pieces(trainer_.context(), trainer_.parameters(), trainer_.optimizer());
  Communicator& control = trainer_.groups().control();
  if (device_.device() == Device::cpu) {
    save_checkpoint(control, folder, content(step), pieces);
    tell_done();
    return;
  }
  if (!arena_) arena_.emplace(*device_.backend().pinned_copies());
  save_.emplace(control, device_.backend(), *arena_, folder, content(step), pieces);
  trainer_.hold_update(save_->copied());
}

void RunSaves::finish() {
  if (!save_) return;
  heartbeat_.act("checkpoint");
  save_->finish();
  save_.reset();
  tell_done();
}

std::string RunSaves::rescue(int64_t step) {
  finish();
  if (options_.checkpoint_every == 0) return "nothing is saved: --checkpoint-every 0";
  if (step == start_step_) {
    return step == 0 ? "no step was done, there is nothing to save"
                     : concat("no step was done after the checkpoint of step ", step);
  }
  const std::string goes_on = concat(": --resume auto goes on from step ", step);
  if (step == step_) return concat("the last step is saved", goes_on);
  if (!weights_are_finite(trainer_)) {
    return concat("the update of step ", step, " left weights that are not finite: not saved",
                  step_ > 0 ? concat("; the checkpoint before it is of step ", step_) : "");
  }
  const auto path = checkpoint_path(options_.run_dir / "checkpoints", step);
  if (exists_at_root(trainer_.groups().control(), path)) {
    return concat(path.string(), " of an earlier attempt is kept", goes_on);
  }
  is_rescue_ = true;
  begin(step);
  finish();
  return concat("the last step is saved", goes_on);
}

void RunSaves::tell_done() {
  const bool is_beside_steps = device_.device() != Device::cpu;
  const std::string text =
      concat(checkpoint_path(options_.run_dir / "checkpoints", step_).string(), " in ",
             format_seconds(seconds_since(begin_)), is_beside_steps ? ", beside steps" : "");
  tell_(step_, text + remove_older());
}

// On rank 0 alone: the others need not wait for it. What cannot be removed is no reason to end a
// run whose checkpoint is safe.
std::string RunSaves::remove_older() {
  if (!options_.keep_checkpoints || is_rescue_ || trainer_.groups().rank() != 0) return "";
  const Outcome outcome = attempt([&] {
    remove_older_checkpoints(options_.run_dir / "checkpoints", step_, *options_.keep_checkpoints);
  });
  return outcome.ok() ? "" : "; --keep-checkpoints: " + outcome.message;
}

}  // namespace argosy
