// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The learning rate of a step: a pure function, so that a resumed run goes on as if it had not
// stopped.
#pragma once

#include <cstdint>
#include <string_view>

namespace argosy {

// After warm-up:
//   constant  lr to the end
//   linear    a straight line from lr to min_lr at the last step
//   cosine    half a cosine from lr to min_lr (Loshchilov and Hutter, arXiv 1608.03983, one cycle)
//   wsd       warm-up, stable, decay: lr, then lr - (lr - min_lr) * sqrt(progress) over the last
//             20% of the steps ("1-sqrt" of Haegele et al., arXiv 2405.18392)
enum class LrScheduleKind { constant, linear, cosine, wsd };
inline constexpr double kWsdDecayShare = 0.2;  // of all steps

std::string_view to_string(LrScheduleKind kind);
// Throws ConfigError naming `where` (for example "--lr-schedule") and the valid words.
LrScheduleKind lr_schedule_from_string(std::string_view text, std::string_view where);

struct LrSchedule {
  LrScheduleKind kind = LrScheduleKind::constant;
  double lr = 3e-4;          // the highest
  double min_lr = 0;         // at the last step, unless constant
  int64_t warmup_steps = 0;  // a straight line from 0: step w of them has lr * w / warmup_steps
};

// Throws ConfigError naming the option unless 0 <= min_lr <= lr, lr is finite and warmup_steps >=
// 0.
void validate(const LrSchedule& schedule);

// Of step 1..total_steps. Steps after the last keep its rate.
double learning_rate(const LrSchedule& schedule, int64_t step, int64_t total_steps);

}  // namespace argosy
