// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// mpirun -np 2 comm_bench [rounds]: GB/s (bytes of the buffer over time of a call) of the
// collectives through the shared window, over messages and by MPI itself, fp32, and of a memcpy of
// as many bytes by all ranks at once. The four take turns, medians.
#include <mpi.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "comm/mpi/mpi_communicator.h"
#include "planner/spec/clock.h"
#include "planner/spec/mesh.h"

namespace argosy {
namespace {

constexpr int kDefaultRounds = 9;                    // samples of each path
constexpr int64_t kSampleBytes = int64_t{16} << 20;  // one sample moves about this much

// Memory of all calls of one size.
struct Buffers {
  std::vector<float> a, b;
  int64_t count;
  std::vector<int64_t> counts;  // of the ranks, equal
  std::vector<int> mpi_counts, displacements;
  Buffers(int64_t bytes, int64_t ranks)
      : count(bytes / size_in_bytes(DType::fp32) / ranks * ranks),
        counts(split_sizes(count, ranks)) {
    a.assign(static_cast<size_t>(count), 0.0f);
    b.assign(static_cast<size_t>(count), 0.0f);
    for (int64_t i = 0; i < ranks; ++i) {
      mpi_counts.push_back(static_cast<int>(count / ranks));
      displacements.push_back(static_cast<int>(i * (count / ranks)));
    }
  }
  Buffer all() { return {a.data(), count, DType::fp32}; }
  Buffer other() { return {b.data(), count, DType::fp32}; }
  Buffer part() { return {b.data(), counts[0], DType::fp32}; }
};

struct Kind {
  const char* name;
  void (*run)(Communicator& comm, Buffers& m);
  void (*run_mpi)(Buffers& m);
};

const std::array<Kind, 5> kKinds = {{
    {"all_reduce", [](Communicator& comm, Buffers& m) { comm.all_reduce(m.all()); },
     [](Buffers& m) {
       MPI_Allreduce(MPI_IN_PLACE, m.a.data(), static_cast<int>(m.count), MPI_FLOAT, MPI_SUM,
                     MPI_COMM_WORLD);
     }},
    {"reduce_scatter",
     [](Communicator& comm, Buffers& m) { comm.reduce_scatter(m.all(), m.part(), m.counts); },
     [](Buffers& m) {
       MPI_Reduce_scatter(m.a.data(), m.b.data(), m.mpi_counts.data(), MPI_FLOAT, MPI_SUM,
                          MPI_COMM_WORLD);
     }},
    {"all_gather",
     [](Communicator& comm, Buffers& m) { comm.all_gather(m.part(), m.all(), m.counts); },
     [](Buffers& m) {
       MPI_Allgather(m.b.data(), m.mpi_counts[0], MPI_FLOAT, m.a.data(), m.mpi_counts[0], MPI_FLOAT,
                     MPI_COMM_WORLD);
     }},
    {"all_to_all",
     [](Communicator& comm, Buffers& m) {
       comm.all_to_all(m.all(), m.counts, m.other(), m.counts);
     },
     [](Buffers& m) {
       MPI_Alltoallv(m.a.data(), m.mpi_counts.data(), m.displacements.data(), MPI_FLOAT, m.b.data(),
                     m.mpi_counts.data(), m.displacements.data(), MPI_FLOAT, MPI_COMM_WORLD);
     }},
    {"broadcast", [](Communicator& comm, Buffers& m) { comm.broadcast(m.all(), 0); },
     [](Buffers& m) {
       MPI_Bcast(m.a.data(), static_cast<int>(m.count), MPI_FLOAT, 0, MPI_COMM_WORLD);
     }},
}};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size()) / 2,
                   values.end());
  return values[values.size() / 2];
}

// Seconds a call, as the slowest rank saw it.
double sample(Communicator& world, int64_t bytes, const std::function<void()>& call) {
  const int64_t calls = std::clamp<int64_t>(kSampleBytes / bytes, 1, 300);
  world.barrier();
  const Clock::time_point begin = Clock::now();
  for (int64_t i = 0; i < calls; ++i) call();
  double seconds = seconds_since(begin) / static_cast<double>(calls);
  world.all_reduce({&seconds, 1, DType::fp64}, ReduceOp::max);
  return seconds;
}

// GB/s of each path, in turns.
template <size_t N>
std::array<double, N> measure(Communicator& world, int64_t bytes, int rounds,
                              const std::array<std::function<void()>, N>& paths) {
  std::array<std::vector<double>, N> samples;
  for (const auto& path : paths) path();  // warms up
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < N; ++i) samples[i].push_back(sample(world, bytes, paths[i]));
  }
  std::array<double, N> rates{};
  for (size_t i = 0; i < N; ++i) rates[i] = static_cast<double>(bytes) / median(samples[i]) / 1e9;
  return rates;
}

void measure_size(Communicator& window, Communicator& messages, int64_t bytes, int rounds) {
  Buffers memory(bytes, window.size());
  for (const Kind& kind : kKinds) {
    const auto rates = measure<4>(
        window, bytes, rounds,
        {[&] { kind.run(window, memory); }, [&] { kind.run(messages, memory); },
         [&] { kind.run_mpi(memory); },
         [&] {
           std::memcpy(memory.b.data(), memory.a.data(), static_cast<size_t>(memory.all().bytes()));
         }});
    if (window.rank() != 0) continue;
    std::printf("%-14s %9lld %8.2f %8.2f %8.2f %8.2f %9.2f %7.2f %8.0f%%\n", kind.name,
                static_cast<long long>(bytes >> 10), rates[0], rates[1], rates[2], rates[3],
                rates[0] / rates[1], rates[0] / rates[2], 100 * rates[0] / rates[3]);
    std::fflush(stdout);
  }
}

void run(const MpiEnvironment& environment, int rounds) {
  const std::unique_ptr<Communicator> window = environment.world();
  Limits no_window;
  no_window.window_slot_bytes = 0;
  const std::unique_ptr<Communicator> messages = environment.world(no_window);
  if (window->rank() == 0) {
    const CommRoute route = window->route();
    std::printf("%d ranks, fp32, GB/s of the buffer, medians of %d in turns; window: %s\n",
                window->size(), rounds,
                route.shares_memory ? "shared memory" : ("none, " + route.obstacle).c_str());
    std::printf("%-14s %9s %8s %8s %8s %8s %9s %7s %9s\n", "call", "KiB", "window", "messages",
                "MPI", "memcpy", "/messages", "/MPI", "of memcpy");
  }
  for (const int64_t bytes :
       {int64_t{4} << 10, int64_t{1} << 20, int64_t{64} << 20, int64_t{256} << 20}) {
    measure_size(*window, *messages, bytes, rounds);
  }
}

}  // namespace
}  // namespace argosy

int main(int argc, char** argv) {
  argosy::MpiEnvironment environment(argc, argv);
  argosy::run(environment, argc > 1 ? std::max(1, std::atoi(argv[1])) : argosy::kDefaultRounds);
  return 0;
}
