// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The line a step prints, the same on every device:
//   step 120/1000 | loss 3.2841 | norm 0.912 | lr 3.00e-04 | 812.4 ms | 80.6k tok/s | MFU 41.2%
//   (plan 43.0%) | bubble 6% comm 11% | mem 61.2/80 GiB | eta 0:11:32
// Mixture-of-Experts adds " | aux 0.0102 imb 1.31 drop 0.0%", an evaluation " | eval 3.3012".
// What is not known is left out; an MFU whose peak is in doubt is "?".
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "trainer/run/metrics.h"

namespace argosy {

// What the line shows besides the step's own numbers.
struct StepLineContext {
  int64_t total_steps = 0;
  std::optional<double> planned_mfu;  // fraction
  int64_t memory_limit_bytes = 0;     // of a device; 0: not known
  std::optional<double> eta_s;        // to the last step
};

std::string step_line(const StepMetrics& metrics, const StepLineContext& context);

// What to say of a step that did more than the measured peak allows; empty: nothing.
std::string doubt_of_peak(const StepMetrics& metrics, double peak_flops_per_s);

// The same, said once: from that step on *in_doubt is true, and steps lose their MFU, because later
// ones are no surer.
std::string doubt_of_step(StepMetrics* metrics, double peak_flops_per_s, bool* in_doubt);

std::string format_duration(double seconds);  // "0:11:32"
std::string format_rate(double per_second);   // "950", "80.6k", "1.2M"
std::string format_gib(int64_t bytes);        // "61.2", "80", below 1 "0.05"

// Remaining seconds from an exponential average of step times, corrected for its start. The first
// step, which pays for first touches and caches, only counts while there is no other.
class EtaEstimator {
 public:
  void add_step(double step_s);
  double step_s() const;  // 0 before the first step
  double remaining_s(int64_t steps) const { return step_s() * static_cast<double>(steps); }

 private:
  int64_t num_steps_ = 0;
  double first_step_s_ = 0, average_s_ = 0, weight_ = 0;
};

}  // namespace argosy
