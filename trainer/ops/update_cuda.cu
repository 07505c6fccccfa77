// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// One launch for a whole range, whatever tensors lie in it: gradients, weights and moments are read
// and written once.
#include "trainer/ops/checks.h"
#include "trainer/ops/cuda_elements.cuh"
#include "trainer/ops/update.h"
#include "trainer/ops/update_factors.h"

namespace argosy::ops {
namespace {

// As in update_cpu.cpp: weights in fp32, or rounded to bf16 beside the rest of their masters
// (planner/spec/split_float.h, whose functions a device does not have).
struct PlainWeights {
  using Narrowest = float;
  float* weights;
  template <int kSize>
  __device__ void get(int64_t i, float (&w)[kSize]) const {
    load(weights + i, w);
  }
  template <int kSize>
  __device__ void set(int64_t i, const float (&w)[kSize]) const {
    store(weights + i, w);
  }
};

struct SplitWeights {
  using Narrowest = bfloat16;
  bfloat16* rounded;
  int16_t* rest;  // moved as bit patterns of the same width
  template <int kSize>
  __device__ void get(int64_t i, float (&w)[kSize]) const {
    float low[kSize];
    load(rounded + i, w);
    load(reinterpret_cast<const bfloat16*>(rest + i), low);
#pragma unroll
    for (int j = 0; j < kSize; ++j) {
      const int steps = static_cast<int>(__float_as_uint(low[j])) >> 16;  // keeps the sign
      w[j] = __uint_as_float(__float_as_uint(w[j]) + static_cast<unsigned>(steps));
    }
  }
  template <int kSize>
  __device__ void set(int64_t i, const float (&w)[kSize]) const {
    int16_t steps[kSize];
#pragma unroll
    for (int j = 0; j < kSize; ++j) {
      const unsigned high = __float_as_uint(to_float(from_float<bfloat16>(w[j])));
      const int distance = static_cast<int>(__float_as_uint(w[j]) - high);
      steps[j] =
          static_cast<int16_t>(distance < -32768 ? -32768 : (distance > 32767 ? 32767 : distance));
    }
    store(rounded + i, w);
    store_words(steps, i);
  }

 private:
  template <int kSize>
  __device__ void store_words(const int16_t (&steps)[kSize], int64_t i) const {
    if constexpr (kSize == kPack<bfloat16>) {
      const auto pair = [&](int j) {
        return static_cast<unsigned>(static_cast<uint16_t>(steps[j])) |
               static_cast<unsigned>(static_cast<uint16_t>(steps[j + 1])) << 16;
      };
      *reinterpret_cast<uint4*>(rest + i) = {pair(0), pair(2), pair(4), pair(6)};
    } else {
#pragma unroll
      for (int j = 0; j < kSize; ++j) rest[i + j] = steps[j];
    }
  }
};

template <typename Weights>
struct Adamw {
  AdamwFactors<float> f;
  const float* grads;
  float *exp_avg, *exp_avg_sq;
  Weights weights;
  template <int kSize>
  __device__ void run(int64_t i) const {
    float g[kSize], w[kSize], m[kSize], v[kSize];
    load(grads + i, g);
    weights.get(i, w);
    load(exp_avg + i, m);
    load(exp_avg_sq + i, v);
#pragma unroll
    for (int j = 0; j < kSize; ++j) {
      const float grad = g[j] * f.grad_scale;
      m[j] += f.one_minus_beta1 * (grad - m[j]);
      v[j] = f.beta2 * v[j] + f.one_minus_beta2 * grad * grad;
      w[j] = w[j] * f.keep - f.step_size * m[j] / (sqrtf(v[j]) * f.inv_sqrt_correction2 + f.eps);
    }
    weights.set(i, w);
    store(exp_avg + i, m);
    store(exp_avg_sq + i, v);
  }
};

template <typename Weights>
struct Sgd {
  float lr, decay, grad_scale;
  const float* grads;
  Weights weights;
  template <int kSize>
  __device__ void run(int64_t i) const {
    float g[kSize], w[kSize];
    load(grads + i, g);
    weights.get(i, w);
#pragma unroll
    for (int j = 0; j < kSize; ++j) w[j] -= lr * (g[j] * grad_scale + decay * w[j]);
    weights.set(i, w);
  }
};

// body(weights) with what stands for them.
template <typename Body>
void dispatch_weights(const Tensor& params, const Tensor& rest, const Body& body) {
  if (rest.defined()) {
    body(SplitWeights{params.data<bfloat16>(), rest.data<int16_t>()});
  } else {
    check_dtype("params", params, DType::fp32);
    body(PlainWeights{params.data<float>()});
  }
}

}  // namespace

template <>
void detail::adamw_update<Device::cuda>(const AdamwStep& step, const Tensor& grads,
                                        const Tensor& params, const Tensor& rest,
                                        const Tensor& exp_avg, const Tensor& exp_avg_sq) {
  dispatch_weights(params, rest, [&]<typename Weights>(const Weights& weights) {
    const Adamw<Weights> op{AdamwFactors<float>(step), grads.data<float>(), exp_avg.data<float>(),
                            exp_avg_sq.data<float>(), weights};
    const bool aligned =
        are_aligned(grads.raw(), params.raw(), rest.raw(), exp_avg.raw(), exp_avg_sq.raw());
    for_elements<kPack<typename Weights::Narrowest>>(cuda_of(params), "adamw_update", params.size(),
                                                     aligned, op);
  });
}

template <>
void detail::sgd_update<Device::cuda>(const SgdStep& step, const Tensor& grads,
                                      const Tensor& params, const Tensor& rest) {
  dispatch_weights(params, rest, [&]<typename Weights>(const Weights& weights) {
    const Sgd<Weights> op{static_cast<float>(step.lr), static_cast<float>(step.weight_decay),
                          static_cast<float>(step.grad_scale), grads.data<float>(), weights};
    const bool aligned = are_aligned(grads.raw(), params.raw(), rest.raw());
    for_elements<kPack<typename Weights::Narrowest>>(cuda_of(params), "sgd_update", params.size(),
                                                     aligned, op);
  });
}

}  // namespace argosy::ops
