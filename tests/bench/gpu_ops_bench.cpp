// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a GPU's ops reach of the GPU: the copy bandwidth and the matrix rate of the machine, then
// each memory-bound op as a share of the former, with each byte counted once, attention, and the
// products of experts by both kernels. Markdown; below 85% a line says so. The first argument:
// rows, default 2^19 (0.8 GB an array of bf16, which no L2 holds).
//   build/cuda/bin/gpu_ops_bench
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "tests/bench/memory_ops.h"
#include "tests/trainer/ops/cuda/device.h"
#include "trainer/device/cuda_device.h"
#include "trainer/device/host_copy.h"
#include "trainer/ops/attention.h"
#include "trainer/ops/cuda_matmul.h"
#include "trainer/ops/device_policy.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/grouped_matmul.h"
#include "trainer/ops/matmul.h"

namespace argosy {
namespace {

constexpr int kTurns = 5;
constexpr double kTurn_s = 0.01;  // so long a queue of one op runs for a sample
constexpr double kWantedShare = 0.85;

// Seconds of one call in the median turn: calls queue up, and the host waits for the last alone.
double seconds_of_call(DeviceContext& ctx, const std::function<void()>& op) {
  const auto of_calls = [&](int calls) {
    return bench::seconds_of([&] {
      for (int i = 0; i < calls; ++i) op();
      ctx.synchronize();
    });
  };
  of_calls(1);  // warms up
  const int calls = static_cast<int>(std::clamp(kTurn_s / of_calls(2) * 2, 1.0, 1000.0));
  std::vector<double> turns;
  for (int turn = 0; turn < kTurns; ++turn) turns.push_back(of_calls(calls) / calls);
  return bench::median(turns);
}

// Random, as zeros run faster: drawn once, then copied over and over.
void fill(DeviceContext& ctx, const Tensor& x) {
  constexpr int64_t kDrawn = (1 << 16) + 8;  // not a power of two: rows differ
  std::mt19937 generator(1);
  std::uniform_real_distribution<double> draw(0.1, 1.0);
  std::vector<double> values(static_cast<size_t>(std::min(x.size(), kDrawn)));
  for (double& value : values) value = (generator() % 2 == 0 ? 1 : -1) * draw(generator);
  const auto drawn = static_cast<int64_t>(values.size());
  const Tensor first = ctx.empty({drawn}, DType::fp32, MemoryCategory::workspace);
  copy_from_doubles(values, first);
  ops::copy(ctx, first, x.flat(0, drawn, {drawn}));
  for (int64_t done = drawn; done < x.size(); done *= 2) {
    const int64_t more = std::min(done, x.size() - done);
    ops::copy(ctx, x.flat(0, more, {more}), x.flat(done, done + more, {more}));
  }
}

double copy_bytes_per_s(DeviceContext& ctx, int64_t bytes) {
  const Tensor from = ctx.empty({bytes / 4}, DType::fp32, MemoryCategory::buffers),
               to = ctx.empty({bytes / 4}, DType::fp32, MemoryCategory::buffers);
  fill(ctx, from);
  return 2.0 * static_cast<double>(from.bytes()) /
         seconds_of_call(ctx, [&] { ops::copy(ctx, from, to); });
}

void memory_ops(DeviceContext& ctx, int64_t rows) {
  const double copy = copy_bytes_per_s(ctx, rows * 4096);
  std::printf("| device-to-device copy | | %.0f GB/s | |\n", copy / 1e9);
  int below = 0, count = 0;
  for (const DType dtype : {DType::bf16, DType::fp32}) {
    const auto compare = [&](const char* name, const bench::Traffic& traffic, const auto&,
                             const std::function<void()>& op) {
      const double rate = static_cast<double>(traffic.total()) / seconds_of_call(ctx, op);
      const bool is_low = rate < kWantedShare * copy;
      below += is_low ? 1 : 0;
      ++count;
      std::printf("| %s | %s | %.0f GB/s | %.0f%%%s |\n", name,
                  std::string(to_string(dtype)).c_str(), rate / 1e9, 100 * rate / copy,
                  is_low ? " BELOW 85%" : "");
      std::fflush(stdout);
    };
    bench::run_memory_ops({.ctx = ctx,
                           .dtype = dtype,
                           .rows = rows,
                           .loss_rows = std::max<int64_t>(1, rows / 64),
                           .parameters = rows * 512,
                           .fill = [&](const Tensor& x) { fill(ctx, x); },
                           .compare = compare});
  }
  std::printf("| memory-bound ops below 85%% of the copy | | %d of %d | |\n", below, count);
}

// Experts' products of `experts` x `rows` tokens, by the library one by one and by our kernel.
void grouped(DeviceContext& ctx, int64_t experts, int64_t rows, int64_t n, int64_t k) {
  const Tensor x = ctx.empty({experts * rows, k}, DType::bf16, MemoryCategory::buffers),
               y = ctx.empty({experts * rows, n}, DType::bf16, MemoryCategory::buffers);
  fill(ctx, x), fill(ctx, y);
  std::vector<Tensor> w, dw;
  for (int64_t e = 0; e < experts; ++e) {
    w.push_back(ctx.empty({n, k}, DType::bf16, MemoryCategory::buffers));
    dw.push_back(ctx.empty({n, k}, DType::fp32, MemoryCategory::buffers));
    fill(ctx, w.back()), fill(ctx, dw.back());
  }
  // Uneven, as routers send them.
  std::vector<int64_t> counts(static_cast<size_t>(experts), rows);
  for (size_t e = 0; e + 1 < counts.size(); e += 2) {
    const int64_t moved = static_cast<int64_t>(e) % rows / 2;
    counts[e] -= moved, counts[e + 1] += moved;
  }
  const double flops = 2.0 * static_cast<double>(experts * rows * n * k);
  for (const auto kernel : {ops::GroupedKernel::library, ops::GroupedKernel::own}) {
    cuda_of(ctx).state<ops::CudaMatmulPolicy>().grouped = kernel;
    const double forward =
        seconds_of_call(ctx, [&] { ops::grouped_matmul_nt(ctx, x, counts, w, y); });
    const double input =
        seconds_of_call(ctx, [&] { ops::grouped_matmul_nn(ctx, y, counts, w, x); });
    const double weight = seconds_of_call(
        ctx, [&] { ops::grouped_matmul_tn(ctx, y, x, counts, dw, {.accumulate = true}); });
    std::printf(
        "| %lld experts x %lld rows, %lld x %lld, %s | bf16 | %.0f, %.0f, %.0f TFLOP/s | |\n",
        static_cast<long long>(experts), static_cast<long long>(rows), static_cast<long long>(n),
        static_cast<long long>(k),
        kernel == ops::GroupedKernel::own ? "own kernel" : "cuBLASLt one by one",
        flops / forward / 1e12, flops / input / 1e12, flops / weight / 1e12);
  }
  cuda_of(ctx).state<ops::CudaMatmulPolicy>().grouped = ops::GroupedKernel::chosen;
}

// A layer's attention; gradients in a fixed order, as runs take them, and in any.
void attention(DeviceContext& ctx, const ops::AttentionShape& s) {
  const int64_t rows = s.batch * s.seq_len;
  const Shape of_q{rows, s.num_heads * s.head_dim}, of_k{rows, s.num_kv_heads * s.head_dim};
  const auto values = [&](Shape shape) {
    const Tensor x = ctx.empty(shape, DType::bf16, MemoryCategory::buffers);
    fill(ctx, x);
    return x;
  };
  const Tensor q = values(of_q), k = values(of_k), v = values(of_k), dout = values(of_q);
  const Tensor out = values(of_q), dq = values(of_q), dk = values(of_k), dv = values(of_k);
  const Tensor lse = ctx.empty({rows, s.num_heads}, DType::fp32, MemoryCategory::buffers);
  const double flops =
      4.0 * static_cast<double>(s.head_dim * s.num_heads * s.batch * ops::attention_pairs(s));
  const auto report = [&](const char* what, double times, const std::function<void()>& op) {
    ctx.reset_peaks();
    const double seconds = seconds_of_call(ctx, op);
    const auto scratch = ctx.memory().peak[static_cast<size_t>(MemoryCategory::workspace)];
    std::printf(
        "| attention, %lld x %lld, heads %lld/%lld x %lld, %s | bf16 | %.0f TFLOP/s, scratch "
        "%.2f GiB | |\n",
        static_cast<long long>(s.batch), static_cast<long long>(s.seq_len),
        static_cast<long long>(s.num_heads), static_cast<long long>(s.num_kv_heads),
        static_cast<long long>(s.head_dim), what, times * flops / seconds / 1e12,
        static_cast<double>(scratch) / (int64_t{1} << 30));
    std::fflush(stdout);
  };
  report("forward", 1, [&] { ops::attention_forward(ctx, s, q, k, v, out, lse); });
  for (const bool is_ordered : {true, false}) {
    ops::apply_policy(ctx, {.is_deterministic = is_ordered});
    report(is_ordered ? "backward" : "backward in any order", 2,
           [&] { ops::attention_backward(ctx, s, dout, q, k, v, out, lse, dq, dk, dv); });
  }
  ops::apply_policy(ctx, {});
  for (const std::string& line : ops::slow_paths(ctx)) std::printf("| %s | | | |\n", line.c_str());
}

void run(DeviceContext& ctx, int64_t rows) {
  std::printf("| op | type | rate | share of the copy |\n|---|---|---|---|\n");
  if (rows >= 1 << 17) {  // else the emulation, for which 8192^3 is too much
    for (const DType dtype : {DType::bf16, DType::fp32}) {
      std::printf("| matrix product, 8192^3 | %s | %.1f TFLOP/s | |\n",
                  std::string(to_string(dtype)).c_str(),
                  ops::measure_matmul_rate(ctx, dtype, 0.2) / 1e12);
    }
  }
  memory_ops(ctx, rows);
  if (rows >= 1 << 17) {  // of llama-1b and llama-3.1-8b: cuDNN compiles three kernels for each
    attention(ctx, {4, 4096, 32, 8, 64, 0.125});
    attention(ctx, {2, 4096, 32, 8, 128, 0.088});
  } else {
    attention(ctx, {1, 32, 4, 2, 16, 0.25});
  }
  const int64_t tokens = std::max<int64_t>(rows / 16, 32), width = std::min<int64_t>(rows, 2048);
  grouped(ctx, 8, tokens / 8, 2 * width, width);
  grouped(ctx, tokens >= 4096 ? 128 : 16, tokens / (tokens >= 4096 ? 128 : 16), width / 2, width);
}

}  // namespace
}  // namespace argosy

int main(int argc, char** argv) {
  const argosy::CudaUnderTest device = argosy::open_cuda();
  if (!device.ctx) {
    std::fprintf(stderr, "gpu_ops_bench: %s\n", device.why_not.c_str());
    return 1;
  }
  argosy::run(*device.ctx, argc > 1 ? std::atoll(argv[1]) : 1 << 19);
  return 0;
}
