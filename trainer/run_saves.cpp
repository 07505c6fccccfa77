// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run_saves.h"

#include <vector>

#include "checkpoint/exchange.h"
#include "planner/report/units.h"
#include "trainer/model_checkpoint.h"

namespace argosy {

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
  if (!options_.keep_checkpoints || trainer_.groups().rank() != 0) return "";
  const Outcome outcome = attempt([&] {
    remove_older_checkpoints(options_.run_dir / "checkpoints", step_, *options_.keep_checkpoints);
  });
  return outcome.ok() ? "" : "; --keep-checkpoints: " + outcome.message;
}

}  // namespace argosy
