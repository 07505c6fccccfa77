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
#include "trainer/start_point.h"
#include "trainer/trainer.h"

namespace argosy {

class RunSaves {
 public:
  // Called when a checkpoint is there: its step, and where it is and how long it took.
  using Tell = std::function<void(int64_t step, const std::string& text)>;

  // `start`: its step is the run's latest checkpoint, 0: there is none; of where its weights came
  // from rank 0's word counts.
  RunSaves(const TrainOptions& options, const StartPoint& start, DeviceContext& device,
           Trainer& trainer, Heartbeat& heartbeat, Tell tell)
      : options_(options),
        init_(start.init),
        device_(device),
        trainer_(trainer),
        heartbeat_(heartbeat),
        tell_(std::move(tell)),
        start_step_(start.step),
        step_(start.step) {}

  // Collective. The state after `step`; finishes the save before it. Throws Error on all ranks.
  void begin(int64_t step);
  // Whether this rank is still writing.
  bool is_writing() const { return save_ && !save_->is_written(); }
  // Collective. Waits for what is being written beside the steps, if anything is.
  void finish();
  // Collective. For a run that cannot go on behind `step`, whose state is still there: saved where
  // it is good and no checkpoint of that step is there. Removes no older one, replaces none.
  // Returns what came of it, for people. Throws Error on all ranks.
  std::string rescue(int64_t step);

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
  int64_t start_step_;
  int64_t step_;            // of the latest save
  bool is_rescue_ = false;  // nothing older is to go
  Clock::time_point begin_ = Clock::now();
  std::optional<PinnedArena> arena_;    // on a device, once something was saved
  std::optional<BackgroundSave> save_;  // under way
};

}  // namespace argosy
