// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/score/fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <set>
#include <utility>

namespace argosy {

namespace {

using Values = std::array<double, kNumStackNumbers>;  // logarithms of what priors are multiplied by

constexpr int kRandomDirections = 20;
constexpr double kFirstStep = 0.4, kLastStep = 0.02;  // of a logarithm
constexpr double kLeast = 0.05, kMost = 40;           // of a number in terms of its prior
constexpr double kMostHostOpS = 3e-4;                 // slower than any interpreter
constexpr size_t kMatmul = 0, kAttention = 1, kMemory = 2, kLink = 3, kHost = 4, kLowPrecision = 5;
constexpr std::array<double, 2> kHostStarts = {1.5, 2.8};
constexpr double kLinkStart = -1.2;
// What is slow beside products that are as fast as they then need be: hollows of the same error,
// between which no step of the search leads.
struct SlowParts {
  double matmul, memory, link;
};
constexpr std::array<SlowParts, 3> kSlowParts = {
    {{0.35, -0.7, 0}, {0.35, 0, kLinkStart}, {0.35, -0.7, kLinkStart}}};
// What a deviation by a factor e costs, in rows that are off by 100%: of an accelerator from 1, of
// a stack from all, of a stack on an accelerator from the stack.
constexpr double kAcceleratorPull = 3.0, kStackPull = 0.3, kOwnPull = 0.6;
// Of these, by number: hosts, interpreters and the ways to use links differ more than kernels do.
constexpr std::array<double, kNumStackNumbers> kPulls = {1, 1, 1, 0.25, 0.1, 1};
constexpr double kBiasWeight = 0.3;
constexpr double kNoLimit = std::numeric_limits<double>::infinity();
// No stack has more runs than this in what all share, and in its own fit on an accelerator.
constexpr size_t kMostRunsShared = 10, kMostRunsOwn = 360;
// A single run does not make numbers of its own: those of all stacks stand for them.
constexpr size_t kLeastRuns = 2;

struct FitRun {
  PreparedRun* run;
  const StackNumbers* prior;
};
using FitRuns = std::vector<FitRun>;

Values unit(size_t number) {
  Values values{};
  values[number] = 1;
  return values;
}

StackNumbers numbers_at(const StackNumbers& prior, const Values& values) {
  StackNumbers numbers;
  for (size_t i = 0; i < values.size(); ++i) {
    numbers.*kStackNumbers[i] = prior.*kStackNumbers[i] * std::exp(values[i]);
  }
  return numbers;
}

// Or anything beyond `limit` where it is more than that: most trials are, after a part of the runs.
double loss(const FitRuns& runs, const Values& values, double pull, double limit = kNoLimit) {
  double sum = 0, bias = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    sum += kPulls[i] * pull * values[i] * values[i];
  }
  for (const FitRun& fit : runs) {
    if (sum > limit) return sum;
    const double error = predict(*fit.run, numbers_at(*fit.prior, values)).error();
    sum += std::abs(error);
    bias += error;
  }
  return sum + kBiasWeight * std::abs(bias);
}

bool is_possible(const FitRuns& runs, const Values& values) {
  const auto is_within = [](double value) {
    return std::exp(value) <= kMost && std::exp(value) >= kLeast;
  };
  const double host = std::exp(values[kHost]);
  return std::all_of(values.begin(), values.end(), is_within) &&
         (values[kHost] <= 0 || std::all_of(runs.begin(), runs.end(), [host](const FitRun& fit) {
            return fit.prior->host_op_s * host <= kMostHostOpS;
          }));
}

struct Found {
  Values values{};
  double loss = 0;
  size_t unfitted = 0;  // the number that stays its prior
};

// Directions of the search: each number by itself, and all pairs, which trade against each other.
std::vector<Values> plain_directions(size_t unfitted) {
  std::vector<Values> directions;
  for (size_t up = 0; up < kNumStackNumbers; ++up) {
    if (up == unfitted) continue;
    directions.push_back(unit(up));
    for (size_t down = up + 1; down < kNumStackNumbers; ++down) {
      if (down == unfitted) continue;
      directions.push_back(unit(up));
      directions.back()[down] = -1;
    }
  }
  return directions;
}

// By chance, the same for all searches.
std::vector<Values> random_directions(size_t unfitted) {
  std::vector<Values> directions(kRandomDirections);
  std::mt19937 numbers;
  for (Values& direction : directions) {
    for (size_t i = 0; i < direction.size(); ++i) {
      const double share = static_cast<double>(numbers()) / std::mt19937::max();
      direction[i] = i == unfitted ? 0 : 2 * share - 1;
    }
  }
  return directions;
}

// From wide steps to narrow ones, as long as one of them helps.
void descend(const std::vector<Values>& directions, const FitRuns& runs, double pull, Found& best) {
  for (double step = kFirstStep; step >= kLastStep;) {
    bool improved = false;
    for (const Values& direction : directions) {
      for (const double sign : {1.0, -1.0}) {
        Values trial = best.values;
        for (size_t i = 0; i < trial.size(); ++i) trial[i] += sign * step * direction[i];
        if (!is_possible(runs, trial)) continue;
        const double value = loss(runs, trial, pull, best.loss);
        if (value >= best.loss) continue;
        best.values = trial;
        best.loss = value;
        improved = true;
        break;
      }
    }
    if (!improved) step /= 2;
  }
}

Found search_from(const Values& start, const FitRuns& runs, double pull, size_t unfitted) {
  Found best{start, loss(runs, start, pull), unfitted};
  descend(plain_directions(unfitted), runs, pull, best);
  return best;
}

// The error has edges, on which no plain step leads down.
void polish(const FitRuns& runs, double pull, Found& best) {
  descend(random_directions(best.unfitted), runs, pull, best);
  descend(plain_directions(best.unfitted), runs, pull, best);
  for (double& value : best.values) {  // what helps nobody stays its prior
    const double deviation = std::exchange(value, 0);
    const double at = loss(runs, best.values, pull, best.loss);
    if (at <= best.loss) {
      best.loss = at;
    } else {
      value = deviation;
    }
  }
}

void keep_better(const Found& found, Found& best) {
  if (found.loss < best.loss) best = found;
}

// A floor changes nothing until it is reached, and links that compute hides nothing until they take
// longer: start above both as well.
void improve_by(size_t number, double value, const FitRuns& runs, double pull, size_t unfitted,
                Found& best) {
  Values start = best.values;
  start[unfitted] = 0;
  start[number] = value;
  if (number == kLink) start[kMatmul] = start[kMemory] = 0;
  if (!is_possible(runs, start)) return;
  keep_better(search_from(start, runs, pull, unfitted), best);
}

bool has_low_precision(const FitRuns& runs) {
  return std::any_of(runs.begin(), runs.end(), [](const FitRun& fit) {
    return fit.run->configurations.front().job.stack.format != ProductFormat::bf16;
  });
}

// Where some compute in 8 bits all six matter and one is left out: the host's, that of attention,
// or that of 16-bit products, which are few there. Graphs of whole steps wait for no host.
std::vector<size_t> left_out(const FitRuns& runs) {
  if (runs.front().run->stack->facts.captures_steps) return {kHost};
  if (has_low_precision(runs)) return {kHost, kAttention, kMatmul};
  return {kLowPrecision};
}

Found search(const FitRuns& runs, double pull, size_t unfitted) {
  Found best = search_from(Values{}, runs, pull, unfitted);
  for (const SlowParts& slow : kSlowParts) {
    Values start{};
    start[kMatmul] = slow.matmul;
    start[kMemory] = slow.memory;
    start[kLink] = slow.link;
    start[unfitted] = 0;
    keep_better(search_from(start, runs, pull, unfitted), best);
  }
  return best;
}

Found fit_shared(const FitRuns& runs, size_t unfitted) {
  Found best = search(runs, kStackPull, unfitted);
  if (unfitted != kHost) {
    for (const double host : kHostStarts) {
      improve_by(kHost, host, runs, kStackPull, unfitted, best);
    }
  }
  improve_by(kLink, kLinkStart, runs, kStackPull, unfitted, best);
  polish(runs, kStackPull, best);
  return best;
}

std::string accelerator_of(const PreparedRun& run) {
  return run.configurations.front().job.cluster.accelerator.name;
}

FitRuns thinned(const FitRuns& runs, size_t most) {
  const size_t step = (runs.size() + most - 1) / std::max<size_t>(most, 1);
  FitRuns few;
  for (size_t i = 0; i < runs.size(); i += std::max<size_t>(step, 1)) few.push_back(runs[i]);
  return few;
}

using RunsByName = std::map<std::string, std::map<std::string, FitRuns>>;

// [accelerator]; what hosts take is not the accelerator's: left at its default.
std::map<std::string, StackNumbers> fit_accelerators(const RunsByName& by_accelerator) {
  static const StackNumbers kStart;
  std::map<std::string, StackNumbers> all = {{kOtherAccelerators, kStart}};
  for (const auto& [accelerator, stacks] : by_accelerator) {
    FitRuns runs;
    for (const auto& [stack, own] : stacks) {
      for (const FitRun& fit : thinned(own, kMostRunsShared)) runs.push_back({fit.run, &kStart});
    }
    Found found = search_from(Values{}, runs, kAcceleratorPull, kHost);
    polish(runs, kAcceleratorPull, found);
    all[accelerator] = numbers_at(kStart, found.values);
  }
  return all;
}

struct FoundFit {
  StackFit fit;
  double loss = 0;
};

// What all accelerators of a stack share, and what each deviates from it.
FoundFit fit_stack(const FitRuns& all, const std::map<std::string, FitRuns>& accelerators,
                   const StackFit& any, size_t unfitted) {
  const Found shared = fit_shared(all, unfitted);
  FoundFit found;
  found.loss = shared.loss;
  found.fit.of_any = numbers_at(kNoFactors, shared.values);
  if (accelerators.size() > 1) found.loss = 0;
  for (const auto& [accelerator, runs] : accelerators) {
    const StackNumbers prior = numbers_at(any.accelerators.at(accelerator), shared.values);
    StackNumbers& numbers = found.fit.accelerators[accelerator];
    numbers = prior;
    if (accelerators.size() == 1) continue;
    FitRuns own = runs;
    for (FitRun& run : own) run.prior = &prior;
    Found best = search(own, kOwnPull, unfitted);
    improve_by(kLink, kLinkStart, own, kOwnPull, unfitted, best);
    polish(own, kOwnPull, best);
    numbers = numbers_at(prior, best.values);
    found.loss += best.loss;
  }
  return found;
}

}  // namespace

StackNumbers numbers_for(const Numbers& numbers, const PreparedRun& run) {
  static const StackFit kNothing;
  const auto own = numbers.find(run.stack->name);
  return numbers_on(accelerator_of(run), own != numbers.end() ? own->second : kNothing,
                    numbers.at(kAnyStack));
}

Numbers fit_any(const Runs& runs) {
  RunsByName by_accelerator;
  for (PreparedRun* run : runs) {
    by_accelerator[accelerator_of(*run)][run->stack->name].push_back({run, nullptr});
  }
  return {{kAnyStack, {fit_accelerators(by_accelerator)}}};
}

Numbers fit_any_without(const Runs& held, const Runs& runs, const Numbers& known) {
  const std::set<PreparedRun*> out(held.begin(), held.end());
  std::set<std::string> changed;
  for (const PreparedRun* run : held) changed.insert(accelerator_of(*run));
  Runs rest;
  for (PreparedRun* run : runs) {
    if (changed.count(accelerator_of(*run)) > 0 && out.count(run) == 0) rest.push_back(run);
  }
  Numbers numbers = fit_any(rest);
  std::map<std::string, StackNumbers>& accelerators = numbers.at(kAnyStack).accelerators;
  for (const auto& [accelerator, of_all] : known.at(kAnyStack).accelerators) {
    if (changed.count(accelerator) == 0) accelerators[accelerator] = of_all;
  }
  return numbers;
}

Numbers fit_stacks(const Runs& runs) {
  return fit_stacks(runs, fit_any(runs));
}

Numbers fit_stacks(const Runs& runs, const Numbers& known) {
  RunsByName by_stack;
  for (PreparedRun* run : runs) {
    by_stack[run->stack->name][accelerator_of(*run)].push_back({run, nullptr});
  }
  Numbers fitted = known;
  const StackFit& any = known.at(kAnyStack);
  for (auto& [stack, accelerators] : by_stack) {
    if (stack == kAnyStack) continue;
    FitRuns all;
    for (auto& [accelerator, own] : accelerators) {
      own = thinned(own, kMostRunsOwn);
      for (FitRun& fit : own) fit.prior = &any.accelerators.at(accelerator);
      all.insert(all.end(), own.begin(), own.end());
    }
    if (all.size() < kLeastRuns) continue;
    std::optional<FoundFit> best;
    for (const size_t unfitted : left_out(all)) {
      FoundFit found = fit_stack(all, accelerators, any, unfitted);
      if (!best || found.loss < best->loss) best = std::move(found);
    }
    fitted[stack] = std::move(best->fit);
  }
  return fitted;
}

}  // namespace argosy
