// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/measure/compute.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "trainer/measure/cold.h"
#include "trainer/ops/activation.h"
#include "trainer/ops/attention.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/matmul.h"
#include "trainer/ops/norm.h"

namespace argosy {

namespace {

constexpr double kPeak_s = 0.05;  // of measuring a peak, warm-up apart

// A small product is timed in three shapes and orders that a network has: a cube forward, an odd
// and flat one for input gradients, a tall one for weight gradients.
struct ProductTrio {
  Tensor x, w, y, odd_dy, odd_w, odd_dx, tall_dy, tall_x, tall_dw;

  ProductTrio(Arena& arena, int64_t n, DType dtype)
      : x(arena.take({n, n}, dtype)),
        w(arena.take({n, n}, dtype)),
        y(arena.take({n, n}, dtype)),
        odd_dy(arena.take({2 * n + 1, n - 1}, dtype)),
        odd_w(arena.take({n - 1, n / 2}, dtype)),
        odd_dx(arena.take({2 * n + 1, n / 2}, dtype)),
        tall_dy(arena.take({4 * n, n / 2}, dtype)),
        tall_x(arena.take({4 * n, n / 2}, dtype)),
        tall_dw(arena.take({n / 2, n / 2}, dtype)) {}

  void run(DeviceContext& device) const {
    ops::matmul_nt(device, x, w, y);
    ops::matmul_nn(device, odd_dy, odd_w, odd_dx);
    ops::matmul_tn(device, tall_dy, tall_x, tall_dw);
  }
};

double flops_of(DeviceContext& device, const std::function<void()>& body) {
  device.matmul_flops = 0;
  body();
  return static_cast<double>(device.matmul_flops);
}

// A size and the rate that it reaches, FLOPs or bytes a second.
struct RatePoint {
  double size = 0, rate = 0;
};
using RateCurve = std::vector<RatePoint>;

EfficiencyCurve over(double peak, const RateCurve& rates) {
  EfficiencyCurve curve;
  for (const auto& [size, rate] : rates) curve.push_back({size, std::min(rate / peak, 1.0)});
  return curve;
}

RateCurve product_rates(Meter& meter, Arena& arena, const MeasureSizes& sizes, DType dtype) {
  RateCurve curve;
  double last_s = 0, last_flops = 0;
  for (const int64_t n : sizes.products) {  // seconds grow with the FLOPs at most
    const double cube_flops = 2 * std::pow(static_cast<double>(n), 3);
    if (last_s > 0 && !meter.fits(last_s * 3 * cube_flops / last_flops)) {
      meter.skip(1);
      continue;
    }
    const int64_t bytes = 12 * n * n * size_in_bytes(dtype);  // about, of a trio
    const auto trios = cold_bodies<ProductTrio>(arena, bytes, n, dtype);
    const double flops = flops_of(meter.device(), [&] { trios[0].run(meter.device()); });
    last_s = cold_seconds(meter, trios);
    last_flops = flops;
    curve.push_back({flops / 3, flops / last_s});
  }
  return curve;
}

// Forward and backward of causal attention in heads of two widths.
class AttentionPair {
 public:
  AttentionPair(Arena& arena, const MeasureSizes& sizes, const MeasureSizes::Sequences& s) {
    for (const int64_t head_dim : sizes.head_dims)
      parts_.push_back(make(arena, sizes, s, head_dim));
  }

  void run(DeviceContext& device) const {
    for (const Part& p : parts_) {
      ops::attention_forward(device, p.shape, p.q, p.k, p.v, p.out, p.lse);
      ops::attention_backward(device, p.shape, p.dout, p.q, p.k, p.v, p.out, p.lse, p.dq, p.dk,
                              p.dv);
    }
  }

 private:
  struct Part {
    ops::AttentionShape shape;
    Tensor q, k, v, out, dout, dq, dk, dv, lse;
  };

  static Part make(Arena& arena, const MeasureSizes& sizes, const MeasureSizes::Sequences& s,
                   int64_t head_dim) {
    const int64_t heads = sizes.attention_width / head_dim, rows = s.batch * s.length;
    const auto tensor = [&] {
      return arena.take({rows, sizes.attention_width}, sizes.attention_dtype);
    };
    return {{.batch = s.batch,
             .seq_len = s.length,
             .num_heads = heads,
             .num_kv_heads = heads,
             .head_dim = head_dim,
             .scale = 1 / std::sqrt(static_cast<double>(head_dim))},
            tensor(),
            tensor(),
            tensor(),
            tensor(),
            tensor(),
            tensor(),
            tensor(),
            tensor(),
            arena.take({rows, heads}, DType::fp32)};
  }

  std::vector<Part> parts_;
};

// The curve is read at the FLOPs of a forward (F) and of a backward (2 F): what both reach together
// stands between them.
RateCurve attention_rates(Meter& meter, Arena& arena, const MeasureSizes& sizes) {
  RateCurve curve;
  double last_s = 0, last_pairs = 0;
  for (const MeasureSizes::Sequences& s : sizes.attention) {
    const double pairs = static_cast<double>(s.batch * s.length * s.length);
    if (last_s > 0 && !meter.fits(last_s * pairs / last_pairs)) {
      meter.skip(1);
      continue;
    }
    arena.clear();
    const AttentionPair heads(arena, sizes, s);
    const double flops = flops_of(meter.device(), [&] { heads.run(meter.device()); });
    last_s = meter.seconds([&] { heads.run(meter.device()); });
    last_pairs = pairs;
    const double forward_flops = flops / 2 / 3;  // two widths of heads; backward is twice forward
    curve.push_back({std::sqrt(2.0) * forward_flops, flops / last_s});
  }
  return curve;
}

// Memory-bound ops of a block: a sum, a norm, a gated activation forward and backward. Bytes as
// planner/spec/work.h counts them.
class MemoryMix {
 public:
  static constexpr int kNumOps = 4;
  static constexpr int kNumArrays = 3 + 2 + 3 + 5;  // read and written by the four
  static constexpr int kArraysHeld = 5;

  MemoryMix(Arena& arena, int64_t array_bytes) {
    const int64_t rows = array_bytes / kWidth / size_in_bytes(DType::fp32);
    for (Tensor& t : arrays_) t = arena.take({rows, kWidth}, DType::fp32);
    gain_ = arena.take({kWidth}, DType::fp32);
    inv_rms_ = arena.take({rows}, DType::fp32);
  }

  void run(DeviceContext& device) const {
    const auto& [a, b, c, d, e] = arrays_;
    ops::add(device, a, b);
    ops::rms_norm_forward(device, b, gain_, 1e-5, c, inv_rms_);
    ops::swiglu_forward(device, b, c, d);
    ops::swiglu_backward(device, d, b, c, e, a);
  }

 private:
  static constexpr int64_t kWidth = 256;
  std::array<Tensor, kArraysHeld> arrays_;  // (rows, kWidth)
  Tensor gain_, inv_rms_;
};

RateCurve memory_rates(Meter& meter, Arena& arena, const MeasureSizes& sizes) {
  RateCurve curve;
  double last_s = 0, last_bytes = 0;
  for (const int64_t array_bytes : sizes.memory_bytes) {
    const double bytes = MemoryMix::kNumArrays * static_cast<double>(array_bytes);
    if (last_s > 0 && !meter.fits(last_s * bytes / last_bytes)) {
      meter.skip(1);
      continue;
    }
    const auto mixes =
        cold_bodies<MemoryMix>(arena, MemoryMix::kArraysHeld * array_bytes, array_bytes);
    last_s = cold_seconds(meter, mixes);
    last_bytes = bytes;
    curve.push_back({bytes / MemoryMix::kNumOps, bytes / last_s});
  }
  return curve;
}

// Bytes per second of y += x: two reads and a write.
double stream_rate(Meter& meter, Arena& arena, const MeasureSizes& sizes) {
  arena.clear();
  const Shape shape = {sizes.stream_bytes / size_in_bytes(DType::fp32)};
  const Tensor x = arena.take(shape, DType::fp32), y = arena.take(shape, DType::fp32);
  return 3.0 * static_cast<double>(x.bytes()) /
         meter.seconds([&] { ops::add(meter.device(), x, y); });
}

// The slowest rank's rate while all multiply: what a run calls its peak.
double peak_rate(Meter& meter, DType dtype) {
  meter.world().barrier();
  double negative_rate = -ops::measure_matmul_rate(meter.device(), dtype, kPeak_s);
  meter.world().all_reduce({&negative_rate, 1, DType::fp64}, ReduceOp::max);
  return -negative_rate;
}

}  // namespace

int64_t compute_jobs(const MeasureSizes& sizes) {
  return static_cast<int64_t>(sizes.products.size() * sizes.product_dtypes.size() +
                              sizes.attention.size() + sizes.memory_bytes.size()) +
         2;  // streaming, an empty op
}

void measure_compute(Meter& meter, const MeasureSizes& sizes, Accelerator* core) {
  struct Products {
    double Accelerator::*peak;
    EfficiencyCurve Accelerator::*curve;
    DType dtype;
  };
  constexpr Products kProducts[] = {
      {&Accelerator::fp32_flops_per_s, &Accelerator::matmul_efficiency, DType::fp32},
      {&Accelerator::bf16_flops_per_s, &Accelerator::bf16_matmul_efficiency, DType::bf16},
      {&Accelerator::fp64_flops_per_s, &Accelerator::fp64_matmul_efficiency, DType::fp64}};
  Arena arena(meter, sizes);
  for (const auto& [peak, curve, dtype] : kProducts) {
    const auto& dtypes = sizes.product_dtypes;
    if (std::find(dtypes.begin(), dtypes.end(), dtype) == dtypes.end()) continue;
    // Twice, some time apart: a neighbour who disturbs one does not make the peak.
    core->*peak = peak_rate(meter, dtype);
    const RateCurve rates = product_rates(meter, arena, sizes, dtype);
    if (meter.fits(kPeak_s)) core->*peak = std::max(core->*peak, peak_rate(meter, dtype));
    for (const RatePoint& point : rates) core->*peak = std::max(core->*peak, point.rate);
    core->*curve = over(core->*peak, rates);
  }
  const double attention_peak =
      sizes.attention_dtype == DType::bf16 ? core->bf16_flops_per_s : core->fp32_flops_per_s;
  core->attention_efficiency = over(attention_peak, attention_rates(meter, arena, sizes));
  core->memory_bytes_per_s = stream_rate(meter, arena, sizes);
  core->memory_efficiency = over(core->memory_bytes_per_s, memory_rates(meter, arena, sizes));
  const Tensor single = meter.operands(size_in_bytes(DType::fp32));
  core->op_overhead_s = meter.seconds([&] { ops::scale(meter.device(), 1.0, single); });
}

}  // namespace argosy
