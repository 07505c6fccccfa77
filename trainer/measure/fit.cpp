// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/measure/fit.h"

#include <algorithm>
#include <cmath>

#include "planner/spec/check.h"

namespace argosy {

namespace {

// Huber's bound on the relative error: what is further out has a weight that falls with its
// distance. Runs of a quiet machine scatter by a few percent.
constexpr double kHuber = 0.1;
constexpr int kRounds = 50;

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double fitted_s(const LinkFit& fit, const TransferSample& s) {
  return s.steps * fit.latency_s + s.moved_bytes / fit.bytes_per_s;
}

// Least squares of weight * (a x + b y - 1)^2, where x and y are steps and bytes over seconds; a
// and b at least 0.
void solve(const std::vector<TransferSample>& samples, const std::vector<double>& weights,
           double* latency_s, double* s_per_byte) {
  double xx = 0, xy = 0, yy = 0, x1 = 0, y1 = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    const double x = samples[i].steps / samples[i].seconds;
    const double y = samples[i].moved_bytes / samples[i].seconds;
    xx += weights[i] * x * x, xy += weights[i] * x * y, yy += weights[i] * y * y;
    x1 += weights[i] * x, y1 += weights[i] * y;
  }
  const double determinant = xx * yy - xy * xy;
  const bool is_singular = determinant <= 1e-12 * xx * yy;  // one size alone: no two numbers in it
  *latency_s = is_singular ? 0 : (x1 * yy - y1 * xy) / determinant;
  *s_per_byte = is_singular ? y1 / yy : (y1 * xx - x1 * xy) / determinant;
  if (*latency_s < 0) *latency_s = 0, *s_per_byte = y1 / yy;
  // Bytes that cost nothing: the messages were too small to tell. The fastest of them is a bound.
  if (*s_per_byte <= 0) {
    *latency_s = x1 / xx;
    *s_per_byte = INFINITY;
    for (const TransferSample& s : samples) {
      *s_per_byte = std::min(*s_per_byte, s.seconds / s.moved_bytes);
    }
  }
}

}  // namespace

TransferSample transfer(CollectiveKind kind, int64_t ranks, int64_t bytes, double seconds) {
  const double n = static_cast<double>(ranks), payload = static_cast<double>(bytes);
  TransferSample sample{kind, n - 1, (n - 1) / n * payload, seconds};
  switch (kind) {
    case CollectiveKind::all_reduce:  // up and down a tree where messages are small
      sample.steps = 2 * std::ceil(std::log2(n));
      sample.moved_bytes *= 2;
      break;
    case CollectiveKind::send:
    case CollectiveKind::recv:
      sample.steps = 1;
      sample.moved_bytes = payload;
      break;
    case CollectiveKind::all_gather:
    case CollectiveKind::reduce_scatter:
    case CollectiveKind::all_to_all:
      break;
    case CollectiveKind::broadcast:
      CHECK(false, "no step sends a broadcast");
  }
  return sample;
}

LinkFit fit_link(const std::vector<TransferSample>& samples) {
  CHECK(samples.size() >= 2, samples.size(), " samples");
  for (const TransferSample& s : samples) {
    CHECK(s.seconds > 0 && s.moved_bytes > 0 && s.steps > 0, s.steps, " steps, ", s.moved_bytes,
          " bytes in ", s.seconds, " s");
  }
  LinkFit fit;
  std::vector<double> weights(samples.size(), 1.0), errors(samples.size());
  for (int round = 0; round < kRounds; ++round) {
    double s_per_byte = 0;
    solve(samples, weights, &fit.latency_s, &s_per_byte);
    fit.bytes_per_s = 1 / s_per_byte;
    for (size_t i = 0; i < samples.size(); ++i) {
      errors[i] = std::abs(fitted_s(fit, samples[i]) / samples[i].seconds - 1);
      weights[i] = errors[i] <= kHuber ? 1.0 : kHuber / errors[i];
    }
  }
  for (size_t i = 0; i < samples.size(); ++i) {
    errors[i] = std::abs(samples[i].seconds / fitted_s(fit, samples[i]) - 1);
  }
  fit.residual = median(errors);
  return fit;
}

double factor_beside(const LinkFit& fit, const std::vector<TransferSample>& samples,
                     CollectiveKind kind) {
  std::vector<double> ratios;
  for (const TransferSample& s : samples) {
    if (s.kind == kind) ratios.push_back(s.seconds / fitted_s(fit, s));
  }
  return ratios.empty() ? 1.0 : median(ratios);
}

}  // namespace argosy
