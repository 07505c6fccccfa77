// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/optimizer/lr_schedule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr std::array kKinds = {LrScheduleKind::constant, LrScheduleKind::linear,
                               LrScheduleKind::cosine, LrScheduleKind::wsd};

// Share of the way from lr down to min_lr at `step`, 0 to 1. `first` is the last step at lr.
double decayed_share(LrScheduleKind kind, int64_t step, int64_t first, int64_t total_steps) {
  const double progress =
      std::clamp(static_cast<double>(step - first) /
                     static_cast<double>(std::max<int64_t>(1, total_steps - first)),
                 0.0, 1.0);
  switch (kind) {
    case LrScheduleKind::constant:
      return 0;
    case LrScheduleKind::linear:
      return progress;
    case LrScheduleKind::cosine:
      return 0.5 * (1 - std::cos(std::numbers::pi * progress));
    case LrScheduleKind::wsd:
      return std::sqrt(progress);
  }
  CHECK(false, "learning rate schedule ", static_cast<int>(kind));
}

}  // namespace

std::string_view to_string(LrScheduleKind kind) {
  switch (kind) {
    case LrScheduleKind::constant:
      return "constant";
    case LrScheduleKind::linear:
      return "linear";
    case LrScheduleKind::cosine:
      return "cosine";
    case LrScheduleKind::wsd:
      return "wsd";
  }
  CHECK(false, "learning rate schedule ", static_cast<int>(kind));
}

LrScheduleKind lr_schedule_from_string(std::string_view text, std::string_view where) {
  for (const LrScheduleKind kind : kKinds) {
    if (text == to_string(kind)) return kind;
  }
  throw ConfigError(concat(where, ": '", text, "' is not one of cosine, linear, wsd, constant"));
}

void validate(const LrSchedule& schedule) {
  if (!(schedule.lr >= 0) || !std::isfinite(schedule.lr)) {
    throw ConfigError(concat("--lr: ", schedule.lr, " must be a finite number, not negative"));
  }
  if (!(schedule.min_lr >= 0 && schedule.min_lr <= schedule.lr)) {
    throw ConfigError(
        concat("--min-lr: ", schedule.min_lr, " must be between 0 and --lr ", schedule.lr));
  }
  if (schedule.warmup_steps < 0) {
    throw ConfigError(concat("--warmup: ", schedule.warmup_steps, " must not be negative"));
  }
}

double learning_rate(const LrSchedule& schedule, int64_t step, int64_t total_steps) {
  CHECK(step >= 1 && total_steps >= 1, "step ", step, " of ", total_steps);
  if (step <= schedule.warmup_steps) {
    return schedule.lr * static_cast<double>(step) / static_cast<double>(schedule.warmup_steps);
  }
  int64_t first = schedule.warmup_steps;
  if (schedule.kind == LrScheduleKind::wsd) {
    const int64_t decay_steps =
        std::max<int64_t>(1, std::llround(kWsdDecayShare * static_cast<double>(total_steps)));
    first = std::max(first, total_steps - decay_steps);
  }
  const double share = decayed_share(schedule.kind, step, first, total_steps);
  return schedule.lr - (schedule.lr - schedule.min_lr) * share;
}

}  // namespace argosy
