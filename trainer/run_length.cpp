// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run_length.h"

#include <algorithm>
#include <cmath>

#include "planner/report/units.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

// Up to a whole number, but not for the rounding of a decimal fraction.
int64_t rounded_up(double value) {
  constexpr double kRounding = 1e-9;
  return static_cast<int64_t>(std::ceil(value * (1 - kRounding)));
}

}  // namespace

void resolve_run_length(int64_t num_samples, int64_t global_batch, TrainOptions* options) {
  CHECK(num_samples > 0 && global_batch > 0, num_samples, " samples, ", global_batch, " a step");
  if (options->epochs > 0) {
    const double steps =
        options->epochs * static_cast<double>(num_samples) / static_cast<double>(global_batch);
    constexpr double kMostSteps = 1e15;
    if (steps > kMostSteps) {
      throw ConfigError(
          concat("--epochs: ", options->epochs, " are ", steps, " steps; valid: fewer"));
    }
    options->steps = std::max<int64_t>(1, rounded_up(steps));
  }
  if (options->warmup_ratio > 0) {
    options->lr.warmup_steps =
        rounded_up(options->warmup_ratio * static_cast<double>(options->steps));
  }
}

std::string describe_run_length(int64_t num_samples, int64_t global_batch,
                                const TrainOptions& options) {
  if (options.epochs == 0) return "";
  std::string text =
      concat("epochs   ", options.epochs, " of ", format_counted(num_samples, "sample"), ": ",
             format_counted(options.steps, "step"), " of ", global_batch);
  if (options.lr.warmup_steps > 0) {
    text += concat(", ", format_grouped(options.lr.warmup_steps), " of them warm-up");
  }
  return text;
}

}  // namespace argosy
