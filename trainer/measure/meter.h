// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Seconds of small jobs, all ranks at once, within a budget: how often a job runs follows from its
// share of the time that is left, whatever came between (first touches of memory, other programs),
// so that the whole ends in time.
#pragma once

#include <functional>

#include "comm/communicator.h"
#include "planner/spec/clock.h"
#include "trainer/device/device_context.h"

namespace argosy {

// Called on every rank before each job.
using OnProgress = std::function<void(int64_t jobs_done)>;

class Meter {
 public:
  // `budget_s` from now on, for `num_jobs` calls of seconds().
  Meter(DeviceContext& device, Communicator& world, double budget_s, int64_t num_jobs,
        OnProgress on_progress)
      : device_(device),
        world_(world),
        budget_s_(budget_s),
        num_jobs_(num_jobs),
        on_progress_(std::move(on_progress)) {}

  // Collective. Median seconds of one call of `body`, of the slowest rank, all ranks at once. Every
  // rank repeats equally often: body may be collective. It runs at least twice, whatever it takes:
  // fits() says beforehand whether that is within its share.
  double seconds(const std::function<void()>& body);

  // True if a job of about `seconds` a call can be measured within its share.
  bool fits(double seconds) const;
  // Jobs that are left out count as done: what they do not need is for nobody.
  void skip(int64_t num_jobs) { jobs_done_ += num_jobs; }

  // fp32, so many bytes. On the CPU of zeros: nothing is denormal. On a GPU normal numbers, for
  // products of zeros are faster; they are numbers as bf16 and as fp32.
  Tensor operands(int64_t bytes) const;
  DeviceContext& device() const { return device_; }
  Communicator& world() const { return world_; }
  int64_t jobs_done() const { return jobs_done_; }

 private:
  DeviceContext& device_;
  Communicator& world_;
  double share_s() const;

  double budget_s_;
  double elapsed_s_ = 0;  // as all ranks know it
  int64_t num_jobs_, jobs_done_ = 0;
  OnProgress on_progress_;
  Clock::time_point begin_ = Clock::now();
};

// Of a call that takes once_s: how often it is called in a sample. A sample of a GPU holds a wait
// for the device beside its calls.
int64_t repeats_of_sample(Device device, double once_s);

}  // namespace argosy
