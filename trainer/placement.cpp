// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/placement.h"

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <map>

#include "planner/report/units.h"
#include "planner/spec/check.h"
#include "planner/spec/cores.h"
#include "trainer/ops/threads.h"

namespace argosy {
namespace {

// Axes whose groups have company, by what a route says.
template <typename Key>
std::map<Key, std::string> axes_by(const ProcessGroups& groups, Key (*key)(const CommRoute&)) {
  std::map<Key, std::string> names;
  for (int i = 0; i < kNumAxes; ++i) {
    const Axis axis = static_cast<Axis>(i);
    if (groups[axis].size() == 1) continue;
    std::string& list = names[key(groups[axis].route())];
    append_listed(list, to_string(axis));
  }
  return names;
}

}  // namespace

Placement placement_of_rank(int job_cpus, int job_ranks) {
  Placement placement;
  placement.node_cpus = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  placement.job_cpus = job_cpus;
  placement.job_ranks = job_ranks;
  placement.num_threads = ops::num_threads();
  const Cores cores = usable_cores();
  placement.num_cores = static_cast<int>(cores.list.size());
  placement.num_cpus = 0;
  for (const Core& core : cores.list) placement.num_cpus += static_cast<int>(core.cpus.size());
  placement.chosen = std::getenv("OMP_NUM_THREADS") != nullptr;
  return placement;
}

int shared_cores(const Placement& of_rank) {
  // Of ranks that are not bound each has all cores of the job in its mask; of bound ones only the
  // logical CPUs of all together are known.
  const bool has_all = of_rank.num_cpus >= of_rank.job_cpus;
  const int cores = has_all ? of_rank.num_cores : of_rank.job_cpus;
  return of_rank.job_cpus > 0 && of_rank.job_ranks > cores ? cores : 0;
}

int gpu_of_rank(const GpuSeat& seat) {
  CHECK(seat.num_visible > 0, "no GPU");
  if (seat.local_size <= seat.num_visible) return seat.local_rank;
  if (seat.num_visible == 1 || seat.share_gpus) return seat.local_rank % seat.num_visible;
  throw ConfigError(concat("--device cuda: ", seat.local_size,
                           " ranks on this node, but each sees ", seat.num_visible,
                           " GPUs; valid: at most one rank a GPU, or --share-gpus for tests"));
}

std::vector<std::string> placement_warnings(Communicator& world, const Placement& of_rank) {
  const bool is_crowded = of_rank.num_threads > of_rank.num_cores;
  const bool is_idle =
      !of_rank.chosen && of_rank.job_cpus > 0 && of_rank.job_cpus < of_rank.node_cpus;
  const int shared = shared_cores(of_rank);
  std::array<int32_t, 6> worst = {
      is_crowded ? of_rank.num_threads : 0, is_crowded ? -of_rank.num_cores : -1'000'000,
      is_idle ? of_rank.node_cpus : 0,      is_idle ? -of_rank.job_cpus : -1'000'000,
      shared > 0 ? of_rank.job_ranks : 0,   shared > 0 ? -shared : -1'000'000};
  world.all_reduce({worst.data(), static_cast<int64_t>(worst.size()), DType::int32}, ReduceOp::max);
  std::vector<std::string> warnings;
  if (worst[0] > 0) {
    warnings.push_back(concat("a rank has ", worst[0], " threads but is bound to ", -worst[1],
                              " cores: start it with argosy-launch, which binds ranks and sets "
                              "OMP_NUM_THREADS alike, or with mpirun --bind-to none"));
  }
  if (worst[2] > 0) {
    warnings.push_back(
        concat("the ranks are bound to ", -worst[3], " of the ", worst[2],
               " CPUs of their machine, the others idle: mpirun gives each of one or "
               "two ranks a single core; start them with argosy-launch"));
  }
  if (worst[4] > 0) {
    warnings.push_back(concat(worst[4], " ranks share ", -worst[5],
                              -worst[5] == 1 ? " core" : " cores",
                              ": others compute while one waits (bubble, comm), so that waits "
                              "and MFU can add up to more than a step"));
  }
  return warnings;
}

std::string describe_routes(const ProcessGroups& groups) {
  const auto axes =
      axes_by<bool>(groups, [](const CommRoute& route) { return route.shares_memory; });
  if (axes.empty()) return "none: one rank";
  std::string text;
  if (const auto shared = axes.find(true); shared != axes.end()) {
    const int64_t window_bytes = groups.control().route().window_bytes;
    text = concat("shared memory of the node (window of ", format_bytes(window_bytes),
                  " a rank): ", shared->second);
  }
  if (const auto others = axes.find(false); others != axes.end()) {
    text += concat(text.empty() ? "" : "; ", "messages: ", others->second);
  }
  return text;
}

std::vector<std::string> route_warnings(const ProcessGroups& groups) {
  std::vector<std::string> warnings;
  for (const auto& [obstacle, axes] :
       axes_by<std::string>(groups, [](const CommRoute& route) { return route.obstacle; })) {
    if (obstacle.empty()) continue;
    warnings.push_back(
        concat("no shared memory for ", axes, ", messages instead, which are slower: ", obstacle));
  }
  return warnings;
}

}  // namespace argosy
