// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/score/fit.h"

#include <array>
#include <cmath>

namespace argosy {

namespace {

using Values = std::array<double, kNumStackNumbers>;  // logarithms

constexpr double kFirstStep = 0.4, kLastStep = 0.02;  // of a logarithm
constexpr double kLeast = 0.05, kMost = 40;           // of a number in terms of its prior

constexpr std::array<double StackNumbers::*, kNumStackNumbers> kNumbers = {
    &StackNumbers::matmul_share, &StackNumbers::attention_share,
    &StackNumbers::memory_share, &StackNumbers::link_share,
    &StackNumbers::host_op_s,    &StackNumbers::low_precision_share};
constexpr double kMostHostOpS = 3e-4;  // slower than any interpreter
constexpr size_t kMatmul = 0, kAttention = 1, kHost = 4, kLowPrecision = 5;
constexpr double kHostPull = 0.1;  // interpreters differ more than machines do
constexpr std::array<double, 2> kHostStarts = {1.5, 2.8};

StackNumbers numbers_at(const StackNumbers& prior, const Values& values) {
  StackNumbers numbers;
  for (size_t i = 0; i < values.size(); ++i) {
    numbers.*kNumbers[i] = prior.*kNumbers[i] * std::exp(values[i]);
  }
  return numbers;
}

double loss(const std::vector<PreparedRun*>& runs, const StackNumbers& prior, const Values& values,
            double pull) {
  const StackNumbers numbers = numbers_at(prior, values);
  double sum = 0, bias = 0;
  for (PreparedRun* run : runs) {
    const RunScore score = predict(*run, numbers);
    sum += std::abs(score.error());
    bias += score.error();
  }
  for (size_t i = 0; i < values.size(); ++i) {
    sum += (i == kHost ? kHostPull : 1.0) * pull * values[i] * values[i];
  }
  return sum + 0.3 * std::abs(bias);
}

}  // namespace

namespace {

struct Found {
  Values values{};
  double loss = 0;
};

Found search_from(const Values& start, const std::vector<PreparedRun*>& runs,
                  const StackNumbers& prior, double pull, size_t fixed_number) {
  Found best{start, loss(runs, prior, start, pull)};
  for (double step = kFirstStep; step >= kLastStep;) {
    bool improved = false;
    for (size_t i = 0; i < start.size(); ++i) {
      if (i == fixed_number) continue;
      for (const double direction : {1.0, -1.0}) {
        Values trial = best.values;
        trial[i] += direction * step;
        if (std::exp(trial[i]) > kMost || std::exp(trial[i]) < kLeast) continue;
        if (prior.host_op_s * std::exp(trial[kHost]) > kMostHostOpS) continue;
        const double value = loss(runs, prior, trial, pull);
        if (value >= best.loss) continue;
        best = {trial, value};
        improved = true;
        break;
      }
    }
    if (!improved) step /= 2;
  }
  return best;
}

// A floor changes nothing until it is reached: start above it as well.
void improve_by_host(Found& best, const std::vector<PreparedRun*>& runs, const StackNumbers& prior,
                     double pull, size_t fixed_number) {
  const Values from = best.values;
  for (const double host : kHostStarts) {
    Values start = from;
    start[fixed_number] = 0;
    start[kHost] = host;
    const Found found = search_from(start, runs, prior, pull, fixed_number);
    if (found.loss < best.loss) best = found;
  }
}

// All six matter: leave out the one that helps least, the host's, that of attention, or that of
// 16-bit products, which are few here.
StackNumbers fit_low_precision(const std::vector<PreparedRun*>& runs, const StackNumbers& prior,
                               double pull) {
  Found best = search_from(Values{}, runs, prior, pull, kHost);
  improve_by_host(best, runs, prior, pull, kAttention);
  improve_by_host(best, runs, prior, pull, kMatmul);
  return numbers_at(prior, best.values);
}

}  // namespace

StackNumbers fit(const std::vector<PreparedRun*>& runs, const StackNumbers& prior, double pull,
                 NumberSet set) {
  if (set == NumberSet::of_accelerator) {
    return numbers_at(prior, search_from(Values{}, runs, prior, pull, kHost).values);
  }
  if (set == NumberSet::low_precision) return fit_low_precision(runs, prior, pull);
  Found best = search_from(Values{}, runs, prior, pull, kLowPrecision);
  improve_by_host(best, runs, prior, pull, kLowPrecision);
  return numbers_at(prior, best.values);
}

}  // namespace argosy
