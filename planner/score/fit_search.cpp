// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/score/fit_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace argosy {

namespace {

constexpr double kFirstStep = 0.4, kLastStep = 0.02;  // of a logarithm
constexpr double kLeast = 0.05, kMost = 40;           // of a number in terms of its prior
constexpr double kMostHostOpS = 3e-4;                 // slower than any interpreter
constexpr std::array<double, 2> kHostStarts = {1.5, 2.8};
constexpr double kLinkStart = -1.2;
// What is slow beside products that are as fast as they then need be: hollows of the same error,
// between which no step of the search leads.
struct SlowParts {
  double matmul, memory, link;
};
constexpr std::array<SlowParts, 3> kSlowParts = {
    {{0.35, -0.7, 0}, {0.35, 0, kLinkStart}, {0.35, -0.7, kLinkStart}}};
// Of a pull, by number: hosts, interpreters and the ways to use links differ more than kernels do.
constexpr Deviation kPulls = {1, 1, 1, 0.25, 0.1, 1};
constexpr double kBiasWeight = 0.3;
constexpr double kNoLimit = std::numeric_limits<double>::infinity();

struct Problem {
  const FitRuns& runs;
  double pull;
  size_t unfitted;
};

// Or anything beyond `limit` where it is more than that: most trials are, after a part of the runs.
double loss(const Problem& problem, const Deviation& deviation, double limit = kNoLimit) {
  double sum = 0, bias = 0;
  for (size_t i = 0; i < deviation.size(); ++i) {
    sum += kPulls[i] * problem.pull * deviation[i] * deviation[i];
  }
  for (const FitRun& fit : problem.runs) {
    if (sum > limit) return sum;
    const double error = predict(*fit.run, numbers_at(*fit.prior, deviation)).error();
    sum += std::abs(error);
    bias += error;
  }
  return sum + kBiasWeight * std::abs(bias);
}

bool is_possible(const FitRuns& runs, const Deviation& deviation) {
  const auto is_within = [](double value) {
    return std::exp(value) <= kMost && std::exp(value) >= kLeast;
  };
  const double host = std::exp(deviation[kHost]);
  return std::all_of(deviation.begin(), deviation.end(), is_within) &&
         (deviation[kHost] <= 0 || std::all_of(runs.begin(), runs.end(), [host](const FitRun& fit) {
            return fit.prior->host_op_s * host <= kMostHostOpS;
          }));
}

// Each number by itself, and all pairs, which trade against each other.
std::vector<Deviation> all_directions(size_t unfitted) {
  std::vector<Deviation> single, pairs;
  for (size_t up = 0; up < kNumStackNumbers; ++up) {
    if (up == unfitted) continue;
    Deviation direction{};
    direction[up] = 1;
    single.push_back(direction);
    for (size_t down = up + 1; down < kNumStackNumbers; ++down) {
      if (down == unfitted) continue;
      pairs.push_back(direction);
      pairs.back()[down] = -1;
    }
  }
  single.insert(single.end(), pairs.begin(), pairs.end());
  return single;
}

// From wide steps to narrow ones, as long as one of them helps.
Found search_from(const Deviation& start, const Problem& problem) {
  const std::vector<Deviation> directions = all_directions(problem.unfitted);
  Found best{start, loss(problem, start)};
  for (double step = kFirstStep; step >= kLastStep;) {
    bool improved = false;
    for (const Deviation& direction : directions) {
      for (const double sign : {1.0, -1.0}) {
        Deviation trial = best.deviation;
        for (size_t i = 0; i < trial.size(); ++i) trial[i] += sign * step * direction[i];
        if (!is_possible(problem.runs, trial)) continue;
        const double value = loss(problem, trial, best.loss);
        if (value >= best.loss) continue;
        best.deviation = trial;
        best.loss = value;
        improved = true;
        break;
      }
    }
    if (!improved) step /= 2;
  }
  return best;
}

void improve_from(Deviation start, const Problem& problem, Found& best) {
  start[problem.unfitted] = 0;
  if (!is_possible(problem.runs, start)) return;
  const Found found = search_from(start, problem);
  if (found.loss < best.loss) best = found;
}

void improve_from_slow_parts(const Problem& problem, Found& best) {
  for (const SlowParts& slow : kSlowParts) {
    Deviation start{};
    start[kMatmul] = slow.matmul;
    start[kMemory] = slow.memory;
    start[kLink] = slow.link;
    improve_from(start, problem, best);
  }
}

// A floor changes nothing until it is reached, and links that compute hides nothing until they take
// longer: start above both as well.
void improve_from_slow_hosts(const Problem& problem, Found& best) {
  if (problem.unfitted == kHost) return;
  for (const double host : kHostStarts) {
    Deviation start = best.deviation;
    start[kHost] = host;
    improve_from(start, problem, best);
  }
}

void improve_from_slow_links(const Problem& problem, Found& best) {
  Deviation start = best.deviation;
  start[kLink] = kLinkStart;
  start[kMatmul] = start[kMemory] = 0;
  improve_from(start, problem, best);
}

}  // namespace

StackNumbers numbers_at(const StackNumbers& prior, const Deviation& deviation) {
  StackNumbers numbers;
  for (size_t i = 0; i < deviation.size(); ++i) {
    numbers.*kStackNumbers[i] = prior.*kStackNumbers[i] * std::exp(deviation[i]);
  }
  return numbers;
}

Found find_numbers(const FitRuns& runs, double pull, size_t unfitted, SearchStarts starts) {
  const Problem problem{runs, pull, unfitted};
  Found best = search_from(Deviation{}, problem);
  if (starts == SearchStarts::all) {
    improve_from_slow_parts(problem, best);
    improve_from_slow_hosts(problem, best);
  }
  if (starts != SearchStarts::prior) improve_from_slow_links(problem, best);
  return best;
}

}  // namespace argosy
