// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The checkpoints of a run: written at once on the CPU, beside the next steps on a GPU.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "planner/spec/clock.h"
#include "trainer/background_save.h"
#include "trainer/options.h"
#include "trainer/trainer.h"

namespace argosy {

class RunSaves {
 public:
  // Called when a checkpoint is there: its step, and where it is and how long it took.
  using Tell = std::function<void(int64_t step, const std::string& text)>;

  // `init`: where the run's weights came from, empty for initial values; rank 0's counts.
  RunSaves(const TrainOptions& options, std::string init, DeviceContext& device, Trainer& trainer,
           Heartbeat& heartbeat, Tell tell)
      : options_(options),
        init_(std::move(init)),
        device_(device),
        trainer_(trainer),
        heartbeat_(heartbeat),
        tell_(std::move(tell)) {}

  // Collective. The state after `step`; finishes the save before it. Throws Error on all ranks.
  void begin(int64_t step);
  // Whether this rank is still writing.
  bool is_writing() const { return save_ && !save_->is_written(); }
  // Collective. Waits for what is being written beside the steps, if anything is.
  void finish();

 private:
  CheckpointContent content(int64_t step) const;
  void tell_done();
  std::string remove_older();  // what went wrong, empty: nothing

  const TrainOptions& options_;
  std::string init_;
  DeviceContext& device_;
  Trainer& trainer_;
  Heartbeat& heartbeat_;
  Tell tell_;
  int64_t step_ = 0;  // of the latest save
  Clock::time_point begin_ = Clock::now();
  std::optional<PinnedArena> arena_;    // on a device, once something was saved
  std::optional<BackgroundSave> save_;  // under way
};

}  // namespace argosy
