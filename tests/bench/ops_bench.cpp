// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Rates of matrix products and attention at training shapes, and what share they are of what the
// same kernel reaches on panels that never leave the L1 cache, measured on the same threads just
// before ("of_ceiling"). Attention is counted nominally: causal pairs, nothing computed again.
//   products   T rows, Linears H->4H, 4H->H and H->H, as NT (forward), NN (input gradient) and TN
//              (weight gradient, added to fp32)
// Rates are medians over the iterations. Run it on a quiet machine, for example:
//   build/bin/ops_bench --benchmark_filter='bf16.*T:1024/H:768'
#include <benchmark/benchmark.h>
#include <omp.h>

#include <algorithm>
#include <string>
#include <vector>

#include "planner/spec/clock.h"
#include "trainer/device/device_context.h"
#include "trainer/ops/attention.h"
#include "trainer/ops/cpu_kernels.h"
#include "trainer/ops/matmul.h"

namespace argosy {
namespace {

using benchmark::Counter;
using ops::detail::CpuKernel;

// Values that are no denormals and no zeros.
Tensor values(DeviceContext& ctx, Shape shape, DType dtype) {
  const Tensor x = ctx.empty(shape, dtype, MemoryCategory::buffers);
  ops::detail::fill_pattern<Device::cpu>(x);
  return x;
}

double median(std::vector<double> times) {
  const auto middle = times.begin() + static_cast<int64_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

// FLOP/s of one kernel on all threads, each with panels of its own of 128 words: 6 and 16 KiB, a
// third of an L1 cache.
double kernel_ceiling(const CpuKernel& kernel) {
  constexpr int64_t kWords = 128, kRepeats = 200;
  constexpr int kTurns = 15;
  std::vector<double> rates;
  for (int turn = 0; turn < kTurns; ++turn) {
    double slowest_s = 0;
#pragma omp parallel reduction(max : slowest_s)
    {
      alignas(64) float a[ops::detail::kMostPanelRows * kWords] = {},
                                                        b[ops::detail::kPanelColumns * kWords] = {},
                                                        c[ops::detail::kMostPanelRows *
                                                          ops::detail::kPanelColumns];
      kernel.begin();
#pragma omp barrier
      const Clock::time_point begin = Clock::now();
      for (int64_t i = 0; i < kRepeats; ++i) {
        kernel.multiply(kernel.panel_rows, kWords, a, b, c, ops::detail::kPanelColumns, false);
        benchmark::DoNotOptimize(c[0]);
      }
      slowest_s = seconds_since(begin);
      kernel.end();
    }
    const auto flops = static_cast<double>(2 * kernel.panel_rows * ops::detail::kPanelColumns *
                                           kWords * kernel.elements_of_word() * kRepeats);
    rates.push_back(flops * omp_get_max_threads() / slowest_s);
  }
  return median(rates);
}

// Runs body() as often as the benchmark asks; flops: of one run.
template <typename Body>
void measure(benchmark::State& state, DType dtype, double flops, const Body& body) {
  const CpuKernel* kernel = ops::detail::packed_kernel(dtype);
  const double ceiling = kernel == nullptr ? 0 : kernel_ceiling(*kernel);
  body();  // maps the workspaces
  std::vector<double> times;
  for (auto _ : state) {
    const Clock::time_point begin = Clock::now();
    body();
    times.push_back(seconds_since(begin));
  }
  const double rate = flops / median(times);
  state.counters["GFLOP/s"] = Counter(rate / 1e9);
  if (ceiling > 0) state.counters["of_ceiling"] = Counter(rate / ceiling);
}

enum class Form { nt, nn, tn };

struct ProductCase {
  Form form;
  DType dtype;
  int64_t rows, outputs, inputs;
  int threads;
};

void run_product(benchmark::State& state, const ProductCase& c) {
  omp_set_num_threads(c.threads);
  DeviceContext ctx(Device::cpu);
  const Tensor x = values(ctx, {c.rows, c.inputs}, c.dtype);
  const Tensor y = values(ctx, {c.rows, c.outputs}, c.dtype);
  const Tensor w = values(ctx, {c.outputs, c.inputs}, c.dtype);
  const Tensor dw = values(ctx, w.shape(), DType::fp32);
  const double flops = 2.0 * static_cast<double>(c.rows * c.outputs * c.inputs);
  measure(state, c.dtype, flops, [&] {
    if (c.form == Form::nt) return ops::matmul_nt(ctx, x, w, y);
    if (c.form == Form::nn) return ops::matmul_nn(ctx, y, w, x);
    ops::matmul_tn(ctx, y, x, dw, {.accumulate = true});
  });
}

struct AttentionCase {
  int64_t batch, seq_len, heads, kv_heads, dim;
  DType dtype;
  int threads;
};

void run_attention(benchmark::State& state, const AttentionCase& c, bool backward) {
  omp_set_num_threads(c.threads);
  DeviceContext ctx(Device::cpu);
  const ops::AttentionShape shape{c.batch, c.seq_len, c.heads, c.kv_heads, c.dim, 0.125, 0};
  const int64_t rows = c.batch * c.seq_len;
  const auto some = [&](int64_t heads) { return values(ctx, {rows, heads * c.dim}, c.dtype); };
  const Tensor q = some(c.heads), k = some(c.kv_heads), v = some(c.kv_heads), out = some(c.heads);
  const Tensor dout = some(c.heads), dq = some(c.heads), dk = some(c.kv_heads),
               dv = some(c.kv_heads);
  const Tensor lse = values(ctx, {rows, c.heads}, DType::fp32);
  ops::attention_forward(ctx, shape, q, k, v, out, lse);
  const double flops = (backward ? 2.0 : 1.0) * static_cast<double>(ctx.matmul_flops);
  measure(state, c.dtype, flops, [&] {
    if (!backward) return ops::attention_forward(ctx, shape, q, k, v, out, lse);
    ops::attention_backward(ctx, shape, dout, q, k, v, out, lse, dq, dk, dv);
  });
}

void register_products(DType dtype, int threads) {
  constexpr std::pair<Form, const char*> kForms[] = {
      {Form::nt, "NT"}, {Form::nn, "NN"}, {Form::tn, "TN"}};
  for (const int64_t rows : {256, 1024, 4096}) {
    for (const int64_t hidden : {768, 1024, 2048}) {
      const std::pair<int64_t, int64_t> kShapes[] = {
          {4 * hidden, hidden}, {hidden, 4 * hidden}, {hidden, hidden}};
      for (const auto& [outputs, inputs] : kShapes) {
        for (const auto& [form, form_name] : kForms) {
          const ProductCase c = {form, dtype, rows, outputs, inputs, threads};
          const std::string name =
              concat("product/", to_string(dtype), "/", form_name, "/T:", rows, "/H:", hidden, "/",
                     inputs, "->", outputs, "/threads:", threads);
          benchmark::RegisterBenchmark(name.c_str(),
                                       [c](benchmark::State& state) { run_product(state, c); })
              ->UseRealTime()
              ->MinTime(0.1);
        }
      }
    }
  }
}

void register_attention(DType dtype, int threads) {
  for (const AttentionCase& c : {AttentionCase{4, 256, 12, 12, 64, dtype, threads},
                                 AttentionCase{1, 1024, 12, 12, 64, dtype, threads},
                                 AttentionCase{1, 1024, 12, 4, 64, dtype, threads}}) {
    for (const bool backward : {false, true}) {
      const std::string name =
          concat("attention/", to_string(dtype), backward ? "/backward" : "/forward",
                 "/B:", c.batch, "/T:", c.seq_len, "/heads:", c.heads, "/kv:", c.kv_heads,
                 "/D:", c.dim, "/threads:", threads);
      benchmark::RegisterBenchmark(
          name.c_str(),
          [c, backward](benchmark::State& state) { run_attention(state, c, backward); })
          ->UseRealTime()
          ->MinTime(0.1);
    }
  }
}

}  // namespace
}  // namespace argosy

int main(int argc, char** argv) {
  benchmark::AddCustomContext("products", argosy::ops::matmul_description());
  const int most_threads = omp_get_max_threads();
  for (const argosy::DType dtype : {argosy::DType::fp32, argosy::DType::bf16}) {
    for (int threads = 1; threads <= most_threads; threads *= 2) {
      argosy::register_products(dtype, threads);
      argosy::register_attention(dtype, threads);
    }
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
