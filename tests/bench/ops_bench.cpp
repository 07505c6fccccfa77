// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Rates of the ops at the shapes of the demo's model (H 256, 8 heads of 32, FFN 512): GFLOP/s of
// products and attention (nominal: causal pairs, no recomputation), GB/s of what the others read
// and write. Run it on a quiet machine: OMP_NUM_THREADS=1 ops_bench
#include <benchmark/benchmark.h>

#include <numeric>

#include "trainer/device/device_context.h"
#include "trainer/ops/activation.h"
#include "trainer/ops/attention.h"
#include "trainer/ops/matmul.h"
#include "trainer/ops/norm.h"
#include "trainer/ops/rope.h"

namespace argosy {
namespace {

using benchmark::Counter;

// Values that are no denormals and no zeros.
Tensor values(DeviceContext& ctx, Shape shape, DType dtype) {
  const Tensor x = ctx.empty(shape, dtype, MemoryCategory::buffers);
  ops::detail::fill_pattern<Device::cpu>(x);
  return x;
}

void report_flops(benchmark::State& state, const DeviceContext& ctx) {
  state.counters["FLOP/s"] =
      Counter(static_cast<double>(ctx.matmul_flops), Counter::kIsRate, Counter::kIs1000);
}
void report_bytes(benchmark::State& state, int64_t bytes_per_iteration) {
  state.SetBytesProcessed(state.iterations() * bytes_per_iteration);
}

void BM_MatmulForward(benchmark::State& state) {
  DeviceContext ctx(Device::cpu);
  const auto dtype = static_cast<DType>(state.range(3));
  const Tensor x = values(ctx, {state.range(0), state.range(2)}, dtype);
  const Tensor w = values(ctx, {state.range(1), state.range(2)}, dtype);
  const Tensor y = values(ctx, {state.range(0), state.range(1)}, dtype);
  for (auto _ : state) ops::matmul_nt(ctx, x, w, y);
  report_flops(state, ctx);
}

void BM_MatmulWeightGradient(benchmark::State& state) {
  DeviceContext ctx(Device::cpu);
  const auto dtype = static_cast<DType>(state.range(3));
  const Tensor dy = values(ctx, {state.range(0), state.range(1)}, dtype);
  const Tensor x = values(ctx, {state.range(0), state.range(2)}, dtype);
  const Tensor dw = values(ctx, {state.range(1), state.range(2)},
                           dtype == DType::fp64 ? DType::fp64 : DType::fp32);
  for (auto _ : state) ops::matmul_tn(ctx, dy, x, dw, {.accumulate = true});
  report_flops(state, ctx);
}

void matmul_shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"M", "N", "K", "dtype"});
  for (const int64_t rows : {100, 500, 1024, 2048}) {
    b->Args({rows, 512, 256, static_cast<int64_t>(DType::fp32)});
    b->Args({rows, 256, 512, static_cast<int64_t>(DType::fp32)});
  }
  b->Args({1024, 512, 256, static_cast<int64_t>(DType::bf16)});
  b->Args({1024, 512, 256, static_cast<int64_t>(DType::fp64)});
}
BENCHMARK(BM_MatmulForward)->Apply(matmul_shapes)->UseRealTime();
BENCHMARK(BM_MatmulWeightGradient)->Apply(matmul_shapes)->UseRealTime();

struct Attention {
  Attention(int64_t batch, int64_t seq_len, int64_t heads, int64_t dim, DType dtype)
      : shape{batch, seq_len, heads, heads, dim, 0.1, 0} {
    const Shape rows{batch * seq_len, heads * dim};
    for (Tensor* x : {&q, &k, &v, &out, &dout, &dq, &dk, &dv}) *x = values(ctx, rows, dtype);
    lse = values(ctx, {batch * seq_len, heads}, dtype == DType::fp64 ? DType::fp64 : DType::fp32);
    ops::attention_forward(ctx, shape, q, k, v, out, lse);
    ctx.matmul_flops = 0;
  }
  DeviceContext ctx{Device::cpu};
  ops::AttentionShape shape;
  Tensor q, k, v, out, lse, dout, dq, dk, dv;
};

void BM_AttentionForward(benchmark::State& state) {
  Attention a(state.range(0), state.range(1), state.range(2), state.range(3),
              static_cast<DType>(state.range(4)));
  for (auto _ : state) ops::attention_forward(a.ctx, a.shape, a.q, a.k, a.v, a.out, a.lse);
  report_flops(state, a.ctx);
}

void BM_AttentionBackward(benchmark::State& state) {
  Attention a(state.range(0), state.range(1), state.range(2), state.range(3),
              static_cast<DType>(state.range(4)));
  for (auto _ : state) {
    ops::attention_backward(a.ctx, a.shape, a.dout, a.q, a.k, a.v, a.out, a.lse, a.dq, a.dk, a.dv);
  }
  report_flops(state, a.ctx);
}

void attention_shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"batch", "T", "heads", "D", "dtype"});
  b->Args({4, 256, 8, 32, static_cast<int64_t>(DType::fp32)});
  b->Args({4, 256, 8, 32, static_cast<int64_t>(DType::bf16)});
  b->Args({1, 1024, 12, 64, static_cast<int64_t>(DType::fp32)});
  b->Args({1, 1024, 12, 64, static_cast<int64_t>(DType::bf16)});
}
BENCHMARK(BM_AttentionForward)->Apply(attention_shapes)->UseRealTime();
BENCHMARK(BM_AttentionBackward)->Apply(attention_shapes)->UseRealTime();

constexpr int64_t kRows = 1024, kHidden = 256, kFfn = 512;
constexpr int64_t kFp32 = 4;  // bytes

void BM_RmsNormForward(benchmark::State& state) {
  DeviceContext ctx(Device::cpu);
  const Tensor x = values(ctx, {kRows, kHidden}, DType::fp32),
               y = values(ctx, x.shape(), x.dtype());
  const Tensor gain = values(ctx, {kHidden}, DType::fp32), inv = values(ctx, {kRows}, DType::fp32);
  for (auto _ : state) ops::rms_norm_forward(ctx, x, gain, 1e-5, y, inv);
  report_bytes(state, 2 * kRows * kHidden * kFp32);
}
BENCHMARK(BM_RmsNormForward)->UseRealTime();

void BM_RmsNormBackward(benchmark::State& state) {
  DeviceContext ctx(Device::cpu);
  const Tensor x = values(ctx, {kRows, kHidden}, DType::fp32),
               dy = values(ctx, x.shape(), x.dtype());
  const Tensor gain = values(ctx, {kHidden}, DType::fp32), inv = values(ctx, {kRows}, DType::fp32);
  const Tensor dx = values(ctx, x.shape(), x.dtype()), dgain = values(ctx, {kHidden}, DType::fp32);
  for (auto _ : state) ops::rms_norm_backward(ctx, dy, x, gain, inv, dx, dgain, false);
  report_bytes(state, 3 * kRows * kHidden * kFp32);
}
BENCHMARK(BM_RmsNormBackward)->UseRealTime();

void BM_SwigluForward(benchmark::State& state) {
  DeviceContext ctx(Device::cpu);
  const Tensor gate = values(ctx, {kRows, kFfn}, DType::fp32),
               up = values(ctx, gate.shape(), DType::fp32);
  const Tensor y = values(ctx, gate.shape(), DType::fp32);
  for (auto _ : state) ops::swiglu_forward(ctx, gate, up, y);
  report_bytes(state, 3 * kRows * kFfn * kFp32);
}
BENCHMARK(BM_SwigluForward)->UseRealTime();

void BM_SwigluBackward(benchmark::State& state) {
  DeviceContext ctx(Device::cpu);
  const Tensor dy = values(ctx, {kRows, kFfn}, DType::fp32),
               gate = values(ctx, dy.shape(), DType::fp32);
  const Tensor up = values(ctx, dy.shape(), DType::fp32),
               dgate = values(ctx, dy.shape(), DType::fp32);
  const Tensor dup = values(ctx, dy.shape(), DType::fp32);
  for (auto _ : state) ops::swiglu_backward(ctx, dy, gate, up, dgate, dup);
  report_bytes(state, 5 * kRows * kFfn * kFp32);
}
BENCHMARK(BM_SwigluBackward)->UseRealTime();

void BM_Rope(benchmark::State& state) {
  DeviceContext ctx(Device::cpu);
  const std::vector<double> frequencies(16, 0.5);
  const auto table = ops::make_rope_table(ctx, frequencies, kRows, DType::fp32, 1.0);
  const Tensor x = values(ctx, {kRows, kHidden}, DType::fp32);
  const Tensor positions = ctx.empty({kRows}, DType::int32, MemoryCategory::buffers);
  std::iota(positions.data<int32_t>(), positions.data<int32_t>() + kRows, 0);
  for (auto _ : state) ops::rope(ctx, x, 8, positions, table, false);
  report_bytes(state, 2 * kRows * kHidden * kFp32);
}
BENCHMARK(BM_Rope)->UseRealTime();

}  // namespace
}  // namespace argosy

BENCHMARK_MAIN();
