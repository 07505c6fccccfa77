// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// mpirun -np 2 comm_bench: GB/s (bytes of the buffer over time of a call) of the communicator's
// collectives beside MPI_Allreduce, fp32. Best of several batches of calls.
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <vector>

#include "comm/mpi/mpi_communicator.h"
#include "planner/spec/mesh.h"

namespace argosy {
namespace {

// Seconds a call; the fastest of a few batches, as the slowest rank saw it.
double seconds_of(Communicator& world, int64_t bytes, const std::function<void()>& call) {
  constexpr int kBatches = 5;
  const int64_t calls = std::clamp<int64_t>((int64_t{64} << 20) / bytes, 3, 300);
  call();
  double best_s = 1e9;
  for (int batch = 0; batch < kBatches; ++batch) {
    world.barrier();
    const auto begin = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < calls; ++i) call();
    const std::chrono::duration<double> batch_s = std::chrono::steady_clock::now() - begin;
    double slowest_s = batch_s.count() / static_cast<double>(calls);
    world.all_reduce({&slowest_s, 1, DType::fp64}, ReduceOp::max);
    best_s = std::min(best_s, slowest_s);
  }
  return best_s;
}

void print(Communicator& world, const char* name, int64_t bytes, double seconds) {
  if (world.rank() != 0) return;
  std::printf("%d ranks %-16s %9lld bytes %10.1f us %7.2f GB/s\n", world.size(), name,
              static_cast<long long>(bytes), seconds * 1e6,
              static_cast<double>(bytes) / seconds / 1e9);
}

void measure(Communicator& world, int64_t bytes) {
  const auto size = static_cast<int64_t>(world.size());
  const int64_t count = bytes / size_in_bytes(DType::fp32) / size * size;
  const auto n = static_cast<size_t>(count);
  std::vector<float> a(n, 0.0f), b(n, 0.0f);
  const Buffer all{a.data(), count, DType::fp32}, other{b.data(), count, DType::fp32};
  const Buffer part{b.data(), count / size, DType::fp32};
  const std::vector<int64_t> counts = split_sizes(count, size);
  const auto row = [&](const char* name, const std::function<void()>& call) {
    print(world, name, bytes, seconds_of(world, bytes, call));
  };
  row("all_reduce", [&] { world.all_reduce(all); });
  row("MPI_Allreduce", [&] {
    MPI_Allreduce(MPI_IN_PLACE, a.data(), static_cast<int>(count), MPI_FLOAT, MPI_SUM,
                  MPI_COMM_WORLD);
  });
  row("reduce_scatter", [&] { world.reduce_scatter(all, part, counts); });
  row("all_gather", [&] { world.all_gather(part, all, counts); });
  row("all_to_all", [&] { world.all_to_all(all, counts, other, counts); });
}

}  // namespace
}  // namespace argosy

int main(int argc, char** argv) {
  argosy::MpiEnvironment environment(argc, argv);
  const std::unique_ptr<argosy::Communicator> world = environment.world();
  for (const int64_t bytes : {int64_t{4} << 10, int64_t{1} << 20, int64_t{64} << 20}) {
    argosy::measure(*world, bytes);
  }
  return 0;
}
