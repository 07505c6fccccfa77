// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run/step_parts.h"

#include <cmath>
#include <numeric>

#include "planner/spec/check.h"

namespace argosy {

double exposed_comm_s(const StepParts& parts) {
  return std::accumulate(parts.exposed_comm_s.begin(), parts.exposed_comm_s.end(), 0.0);
}

double total_s(const StepParts& parts) {
  return parts.compute_s + parts.bubble_s + exposed_comm_s(parts) + parts.optimizer_s +
         parts.data_s + parts.other_s;
}

std::vector<std::pair<std::string, double>> named_parts(const StepParts& parts) {
  std::vector<std::pair<std::string, double>> named = {{"compute", parts.compute_s},
                                                       {"bubble", parts.bubble_s}};
  for (int i = 0; i < kNumAxes; ++i) {
    const double seconds = parts.exposed_comm_s[static_cast<size_t>(i)];
    if (seconds > 0) named.emplace_back(to_string(static_cast<Axis>(i)), seconds);
  }
  named.emplace_back("optimizer", parts.optimizer_s);
  named.emplace_back("data", parts.data_s);
  named.emplace_back("other", parts.other_s);
  return named;
}

std::string describe(const StepParts& parts) {
  const double step_s = total_s(parts);
  const auto percent = [&](double seconds) {
    return concat(step_s > 0 ? std::lround(100 * seconds / step_s) : 0, "%");
  };
  std::string axes;
  for (int i = 0; i < kNumAxes; ++i) {
    const double seconds = parts.exposed_comm_s[static_cast<size_t>(i)];
    if (seconds > 0) axes += concat(" ", to_string(static_cast<Axis>(i)), " ", percent(seconds));
  }
  return concat("compute ", percent(parts.compute_s), ", bubble ", percent(parts.bubble_s),
                ", comm", axes.empty() ? " 0%" : axes, ", optimizer ", percent(parts.optimizer_s),
                ", data ", percent(parts.data_s), ", other ", percent(parts.other_s));
}

StepParts sum(const StepParts& a, const StepParts& b) {
  StepParts result = {.compute_s = a.compute_s + b.compute_s,
                      .bubble_s = a.bubble_s + b.bubble_s,
                      .exposed_comm_s = a.exposed_comm_s,
                      .optimizer_s = a.optimizer_s + b.optimizer_s,
                      .data_s = a.data_s + b.data_s,
                      .other_s = a.other_s + b.other_s};
  for (size_t i = 0; i < kNumAxes; ++i) result.exposed_comm_s[i] += b.exposed_comm_s[i];
  return result;
}

StepParts scaled(const StepParts& parts, double factor) {
  StepParts result = {.compute_s = parts.compute_s * factor,
                      .bubble_s = parts.bubble_s * factor,
                      .exposed_comm_s = parts.exposed_comm_s,
                      .optimizer_s = parts.optimizer_s * factor,
                      .data_s = parts.data_s * factor,
                      .other_s = parts.other_s * factor};
  for (double& seconds : result.exposed_comm_s) seconds *= factor;
  return result;
}

void MeanParts::add(const StepParts& parts) {
  if (num_steps_++ == 0) {
    first_ = parts;
  } else {
    sum_ = sum(sum_, parts);
  }
}

StepParts MeanParts::value() const {
  return num_steps_ > 1 ? scaled(sum_, 1.0 / static_cast<double>(num_steps_ - 1)) : first_;
}

}  // namespace argosy
