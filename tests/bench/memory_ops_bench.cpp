// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Every memory-bound op (memory_ops.h) over so many rows (the first argument, default 32768), or
// those whose name has the second argument in it. Each op runs against a loop of the same reads and
// writes, turn by turn, each time with caches full of something else: milliseconds, GB/s with each
// byte counted once, and the share of what the loop reaches. Run it on a quiet machine:
//   OMP_NUM_THREADS=2 build/bin/memory_ops_bench
#include "tests/bench/memory_ops.h"

#include <omp.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "trainer/ops/matmul.h"

namespace argosy {
namespace {

using bench::Streams;

constexpr int kTurns = 15;
constexpr int64_t kForeignBytes = int64_t{256} << 20;  // more than any level-3 cache of a few cores

void compare(DeviceContext& ctx, DType dtype, const char* name, const bench::Traffic& traffic,
             const Streams& streams, const std::string& wanted, const std::function<void()>& op) {
  if (std::string(name).find(wanted) == std::string::npos) return;
  bench::Reference reference(ctx, traffic, streams.read, streams.written, streams.updated);
  // A step leaves nothing of an op's operands in the caches; an op or a loop that runs twice in a
  // row finds there what it read last, the more of it the smaller its arrays.
  bench::Reference foreign(ctx, {kForeignBytes, 0, 0}, 1, 0, 0);
  const auto cold = [&](const std::function<void()>& body) {
    foreign.run();
    return bench::seconds_of(body);
  };
  const std::function<void()> loop = [&] { reference.run(); };
  op();
  loop();
  std::vector<double> op_s, reference_s;
  for (int turn = 0; turn < kTurns; ++turn) {
    reference_s.push_back(cold(loop));
    op_s.push_back(cold(op));
  }
  const double seconds = bench::median(op_s), best = bench::median(reference_s);
  const auto bytes = static_cast<double>(traffic.total());
  std::printf("%-34s %-4s %8.3f ms %7.1f GB/s  loop %7.1f GB/s  %4.0f%%\n", name,
              std::string(to_string(dtype)).c_str(), seconds * 1e3, bytes / seconds / 1e9,
              bytes / best / 1e9, 100 * best / seconds);
  std::fflush(stdout);
}

// Plain loops of 256 MiB an array, on 1 thread and on all.
void machine() {
  DeviceContext ctx(Device::cpu);
  constexpr int64_t kBytes = int64_t{256} << 20;
  const int all = omp_get_max_threads();
  for (const int threads : {1, all}) {
    omp_set_num_threads(threads);
    const auto print = [&](const char* name, const bench::Traffic& traffic, const Streams& s) {
      bench::Reference reference(ctx, traffic, s.read, s.written, s.updated);
      std::vector<double> seconds;
      for (int turn = 0; turn < kTurns; ++turn)
        seconds.push_back(bench::seconds_of([&] { reference.run(); }));
      std::printf("  %s %.1f GB/s", name,
                  static_cast<double>(traffic.total()) / bench::median(seconds) / 1e9);
    };
    std::printf("%d threads:", threads);
    print("read", {kBytes, 0, 0}, {.read = 1});
    print("write", {0, kBytes, 0}, {.written = 1});
    print("copy", {kBytes, kBytes, 0}, {.read = 1, .written = 1});
    print("triad", {2 * kBytes, kBytes, 0}, {.read = 2, .written = 1});
    print("update", {0, 0, kBytes}, {.updated = 1});
    std::printf("\n");
    if (threads == all) break;
  }
  omp_set_num_threads(all);
}

void run(int64_t rows, const std::string& wanted) {
  constexpr int64_t kLossRows = 1024, kParameters = 32 << 20;  // beyond caches
  machine();
  for (const DType dtype : {DType::fp32, DType::bf16}) {
    DeviceContext ctx(Device::cpu);
    bench::run_memory_ops({.ctx = ctx,
                           .dtype = dtype,
                           .rows = rows,
                           .loss_rows = std::min(rows, kLossRows),
                           .parameters = kParameters,
                           .fill = ops::detail::fill_pattern<Device::cpu>,
                           .compare = [&](const char* name, const bench::Traffic& traffic,
                                          const Streams& streams, const std::function<void()>& op) {
                             compare(ctx, dtype, name, traffic, streams, wanted, op);
                           }});
  }
}

}  // namespace
}  // namespace argosy

int main(int argc, char** argv) {
  argosy::run(argc > 1 ? std::atoll(argv[1]) : 32768, argc > 2 ? argv[2] : "");
  return 0;
}
