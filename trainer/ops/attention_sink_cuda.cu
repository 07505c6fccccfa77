// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <limits>

#include "trainer/ops/attention_sink.h"
#include "trainer/ops/cuda_elements.cuh"

namespace argosy::ops::detail {
namespace {

constexpr float kNothing = -std::numeric_limits<float>::infinity();

// log(exp(a) + exp(b)); a NaN passes.
__device__ inline float log_sum(float a, float b) {
  const float larger = a > b ? a : b, smaller = a > b ? b : a;
  return smaller == kNothing ? larger : larger + log1pf(expf(smaller - larger));
}

// exp(x - lse), 0 where there is nothing: x is -infinity, as lse then may be.
__device__ inline float share(float x, float lse) {
  return x == kNothing ? 0.0f : expf(x - lse);
}

// Elements of out, a pack of which is of one head. lse is the one without the sink.
template <typename T>
struct ScaleBySink {
  const T* sinks;
  const float* lse;
  T* out;
  int64_t num_heads, head_dim;
  template <int kSize>
  __device__ void run(int64_t i) const {
    const int64_t at = i / head_dim;
    const float before = lse[at], after = log_sum(before, to_float(sinks[at % num_heads]));
    const float factor = share(before, after);
    float values[kSize];
    load(out + i, values);
#pragma unroll
    for (int j = 0; j < kSize; ++j) values[j] *= factor;
    store(out + i, values);
  }
};

template <typename T>
struct AddSinkToLse {
  const T* sinks;
  float* lse;
  int64_t num_heads;
  template <int kSize>
  __device__ void run(int64_t i) const {
    static_assert(kSize == 1);
    lse[i] = log_sum(lse[i], to_float(sinks[i % num_heads]));
  }
};

// A warp has a row of a head.
constexpr int kTermThreads = 256;
template <typename T>
__global__ void sink_terms_kernel(const T* sinks, const T* dout, const T* out, const float* lse,
                                  int64_t rows, int64_t num_heads, int64_t head_dim, float* terms) {
  const int64_t warps = threads_of_grid() / kWarp;
  for (int64_t row = thread_of_grid() / kWarp; row < rows; row += warps) {
    float dot = 0;
    for (int64_t d = lane_of_thread(); d < head_dim; d += kWarp)
      dot += to_float(dout[row * head_dim + d]) * to_float(out[row * head_dim + d]);
    dot = warp_sum(dot);
    if (lane_of_thread() == 0)
      terms[row] = -share(to_float(sinks[row % num_heads]), lse[row]) * dot;
  }
}

}  // namespace

// Two launches: the first reads what the second writes.
template <>
void add_sinks<Device::cuda>(const Tensor& sinks, const Tensor& out, const Tensor& lse) {
  const int64_t num_heads = sinks.dim(0), head_dim = out.dim(1) / num_heads;
  dispatch_cuda(out.dtype(), [&]<typename T>() {
    const ScaleBySink<T> scale{sinks.data<T>(), lse.data<float>(), out.data<T>(), num_heads,
                               head_dim};
    const bool is_wide = are_aligned(out.raw()) && head_dim % kPack<T> == 0;
    for_elements<kPack<T>>(cuda_of(out), "scale_by_sink", out.size(), is_wide, scale);
    const AddSinkToLse<T> add{sinks.data<T>(), lse.data<float>(), num_heads};
    for_elements<1>(cuda_of(out), "add_sink_to_lse", lse.size(), true, add);
  });
}

template <>
void sink_gradient_terms<Device::cuda>(const Tensor& sinks, const Tensor& dout, const Tensor& out,
                                       const Tensor& lse, const Tensor& terms) {
  const int64_t num_heads = sinks.dim(0), rows = lse.size();
  dispatch_cuda(out.dtype(), [&]<typename T>() {
    launch(cuda_of(out), "sink_terms", sink_terms_kernel<T>,
           {striding_blocks(cuda_of(out), ceil_div(rows, kTermThreads / kWarp), kTermThreads),
            kTermThreads},
           sinks.data<T>(), dout.data<T>(), out.data<T>(), lse.data<float>(), rows, num_heads,
           out.dim(1) / num_heads, terms.data<float>());
  });
}

}  // namespace argosy::ops::detail
