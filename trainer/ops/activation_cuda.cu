// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/activation.h"
#include "trainer/ops/cuda_elements.cuh"
#include "trainer/ops/gelu.h"

namespace argosy::ops::detail {
namespace {

constexpr float kLinear = static_cast<float>(kGeluLinear), kCubic = static_cast<float>(kGeluCubic);

template <typename T>
struct SwigluForward {
  const T *gate, *up;
  T* y;
  template <int kSize>
  __device__ void run(int64_t i) const {
    float g[kSize], u[kSize];
    load(gate + i, g);
    load(up + i, u);
#pragma unroll
    for (int j = 0; j < kSize; ++j) u[j] *= g[j] * sigmoid(g[j]);
    store(y + i, u);
  }
};

// dgate and dup may be gate and up: a thread has read its elements before it writes them.
template <typename T>
struct SwigluBackward {
  const T *dy, *gate, *up;
  T *dgate, *dup;
  template <int kSize>
  __device__ void run(int64_t i) const {
    float d[kSize], g[kSize], u[kSize];
    load(dy + i, d);
    load(gate + i, g);
    load(up + i, u);
#pragma unroll
    for (int j = 0; j < kSize; ++j) {
      const float x = g[j], s = sigmoid(x);
      g[j] = d[j] * u[j] * s * (1 + x * (1 - s));
      u[j] = d[j] * x * s;
    }
    store(dgate + i, g);
    store(dup + i, u);
  }
};

// ClampedSwiglu; a NaN passes.
struct Clamps {
  float limit, alpha;
  __device__ float gate(float x) const { return x > limit ? limit : x; }
  __device__ float up(float x) const { return gate(x < -limit ? -limit : x); }
};

inline Clamps clamps_of(const ClampedSwiglu& rule) {
  return {static_cast<float>(rule.limit), static_cast<float>(rule.alpha)};
}

template <typename T>
struct ClampedSwigluForward {
  Clamps clamps;
  const T *gate, *up;
  T* y;
  template <int kSize>
  __device__ void run(int64_t i) const {
    float g[kSize], u[kSize];
    load(gate + i, g);
    load(up + i, u);
#pragma unroll
    for (int j = 0; j < kSize; ++j) {
      const float x = clamps.gate(g[j]);
      u[j] = (clamps.up(u[j]) + 1) * x * sigmoid(clamps.alpha * x);
    }
    store(y + i, u);
  }
};

// As SwigluBackward.
template <typename T>
struct ClampedSwigluBackward {
  Clamps clamps;
  const T *dy, *gate, *up;
  T *dgate, *dup;
  template <int kSize>
  __device__ void run(int64_t i) const {
    float d[kSize], g[kSize], u[kSize];
    load(dy + i, d);
    load(gate + i, g);
    load(up + i, u);
#pragma unroll
    for (int j = 0; j < kSize; ++j) {
      const float x = clamps.gate(g[j]), s = sigmoid(clamps.alpha * x);
      const float slope = s + clamps.alpha * x * s * (1 - s);
      g[j] = g[j] > clamps.limit ? 0.0f : d[j] * (clamps.up(u[j]) + 1) * slope;
      u[j] = u[j] > clamps.limit || u[j] < -clamps.limit ? 0.0f : d[j] * x * s;
    }
    store(dgate + i, g);
    store(dup + i, u);
  }
};

__device__ inline float gelu_gate(float x) {
  return sigmoid(kLinear * x * (1 + kCubic * x * x));
}

template <typename T>
struct GeluForward {
  const T* x;
  T* y;
  template <int kSize>
  __device__ void run(int64_t i) const {
    float v[kSize];
    load(x + i, v);
#pragma unroll
    for (int j = 0; j < kSize; ++j) v[j] *= gelu_gate(v[j]);
    store(y + i, v);
  }
};

template <typename T>
struct GeluBackward {
  const T *dy, *x;
  T* dx;
  template <int kSize>
  __device__ void run(int64_t i) const {
    float d[kSize], v[kSize];
    load(dy + i, d);
    load(x + i, v);
#pragma unroll
    for (int j = 0; j < kSize; ++j) {
      const float s = gelu_gate(v[j]);
      const float slope = kLinear * (1 + 3 * kCubic * v[j] * v[j]);
      d[j] *= s + v[j] * s * (1 - s) * slope;
    }
    store(dx + i, d);
  }
};

}  // namespace

template <>
void swiglu_forward<Device::cuda>(const Tensor& gate, const Tensor& up, const Tensor& y) {
  dispatch_cuda(y.dtype(), [&]<typename T>() {
    const SwigluForward<T> op{gate.data<T>(), up.data<T>(), y.data<T>()};
    for_elements<kPack<T>>(cuda_of(y), "swiglu_forward", y.size(),
                           are_aligned(op.gate, op.up, op.y), op);
  });
}

template <>
void swiglu_backward<Device::cuda>(const Tensor& dy, const Tensor& gate, const Tensor& up,
                                   const Tensor& dgate, const Tensor& dup) {
  dispatch_cuda(dy.dtype(), [&]<typename T>() {
    const SwigluBackward<T> op{dy.data<T>(), gate.data<T>(), up.data<T>(), dgate.data<T>(),
                               dup.data<T>()};
    for_elements<kPack<T>>(cuda_of(dy), "swiglu_backward", dy.size(),
                           are_aligned(op.dy, op.gate, op.up, op.dgate, op.dup), op);
  });
}

template <>
void clamped_swiglu_forward<Device::cuda>(const ClampedSwiglu& rule, const Tensor& gate,
                                          const Tensor& up, const Tensor& y) {
  dispatch_cuda(y.dtype(), [&]<typename T>() {
    const ClampedSwigluForward<T> op{clamps_of(rule), gate.data<T>(), up.data<T>(), y.data<T>()};
    for_elements<kPack<T>>(cuda_of(y), "clamped_swiglu_forward", y.size(),
                           are_aligned(op.gate, op.up, op.y), op);
  });
}

template <>
void clamped_swiglu_backward<Device::cuda>(const ClampedSwiglu& rule, const Tensor& dy,
                                           const Tensor& gate, const Tensor& up,
                                           const Tensor& dgate, const Tensor& dup) {
  dispatch_cuda(dy.dtype(), [&]<typename T>() {
    const ClampedSwigluBackward<T> op{clamps_of(rule), dy.data<T>(),    gate.data<T>(),
                                      up.data<T>(),    dgate.data<T>(), dup.data<T>()};
    for_elements<kPack<T>>(cuda_of(dy), "clamped_swiglu_backward", dy.size(),
                           are_aligned(op.dy, op.gate, op.up, op.dgate, op.dup), op);
  });
}

template <>
void gelu_forward<Device::cuda>(const Tensor& x, const Tensor& y) {
  dispatch_cuda(x.dtype(), [&]<typename T>() {
    const GeluForward<T> op{x.data<T>(), y.data<T>()};
    for_elements<kPack<T>>(cuda_of(x), "gelu_forward", x.size(), are_aligned(op.x, op.y), op);
  });
}

template <>
void gelu_backward<Device::cuda>(const Tensor& dy, const Tensor& x, const Tensor& dx) {
  dispatch_cuda(x.dtype(), [&]<typename T>() {
    const GeluBackward<T> op{dy.data<T>(), x.data<T>(), dx.data<T>()};
    for_elements<kPack<T>>(cuda_of(x), "gelu_backward", x.size(), are_aligned(op.dy, op.x, op.dx),
                           op);
  });
}

}  // namespace argosy::ops::detail
