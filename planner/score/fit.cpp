// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/score/fit.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "planner/score/fit_search.h"

namespace argosy {

namespace {

// What a deviation by a factor e costs, in rows that are off by 100%: of an accelerator from 1, of
// a stack from all, of a stack on an accelerator from the stack.
constexpr double kAcceleratorPull = 3.0, kStackPull = 0.3, kOwnPull = 0.6;
// No stack has more runs than this in what all share, and in its own fit on an accelerator.
constexpr size_t kMostRunsShared = 10, kMostRunsOwn = 360;
// A single run does not make numbers of its own: those of all stacks stand for them.
constexpr size_t kLeastRuns = 2;

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
    const Found found = find_numbers(runs, kAcceleratorPull, kHost, SearchStarts::prior);
    all[accelerator] = numbers_at(kStart, found.deviation);
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
  const Found shared = find_numbers(all, kStackPull, unfitted, SearchStarts::all);
  FoundFit found;
  found.loss = shared.loss;
  found.fit.of_any = numbers_at(kNoFactors, shared.deviation);
  if (accelerators.size() > 1) found.loss = 0;
  for (const auto& [accelerator, runs] : accelerators) {
    const StackNumbers prior = numbers_at(any.accelerators.at(accelerator), shared.deviation);
    StackNumbers& numbers = found.fit.accelerators[accelerator];
    numbers = prior;
    if (accelerators.size() == 1) continue;
    FitRuns own = runs;
    for (FitRun& run : own) run.prior = &prior;
    const Found best = find_numbers(own, kOwnPull, unfitted, SearchStarts::slow_links);
    numbers = numbers_at(prior, best.deviation);
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
