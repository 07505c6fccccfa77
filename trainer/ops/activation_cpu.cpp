// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/activation.h"
#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/gelu.h"
#include "trainer/ops/simd_math.h"

namespace argosy::ops::detail {
namespace {

// Calls body(i) for every element; the iterations are independent.
template <typename Body>
void for_each_element(int64_t size, Body&& body) {
#pragma omp parallel for simd schedule(static) if (parallel : size >= kParallelElements)
  for (int64_t i = 0; i < size; ++i) body(i);
}

// body(vectors, begin, size) for blocks of [0, size) where the CPU has vector loops for fp32 and
// bf16; else false.
template <typename T, typename Body>
bool for_words_or_halves(int64_t size, const Body& body) {
  const VectorRows* vectors = std::is_same_v<T, double> ? nullptr : vector_rows();
  if (vectors == nullptr) return false;
  for_elements(size, [&](int64_t begin, int64_t end) { body(*vectors, begin, end - begin); });
  return true;
}

}  // namespace

template <>
void swiglu_forward<Device::cpu>(const Tensor& gate, const Tensor& up, const Tensor& y) {
  dispatch_float(y.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const T *g = gate.data<T>(), *u = up.data<T>();
    T* out = y.data<T>();
    if (for_vectors<T>(y.size(), [=](const VectorRows& rows, int64_t i, int64_t size) {
          rows.swiglu(bf16(g + i), bf16(u + i), bf16(out + i), size);
        }))
      return;
    for_each_element(y.size(), [=](int64_t i) {
      const A x = A(g[i]);
      store(out[i], x * sigmoid<T>(x) * A(u[i]));
    });
  });
}

template <>
void swiglu_backward<Device::cpu>(const Tensor& dy, const Tensor& gate, const Tensor& up,
                                  const Tensor& dgate, const Tensor& dup) {
  dispatch_float(dy.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const T *d = dy.data<T>(), *g = gate.data<T>(), *u = up.data<T>();
    T *dg = dgate.data<T>(), *du = dup.data<T>();
    if (for_vectors<T>(dy.size(), [=](const VectorRows& rows, int64_t i, int64_t size) {
          rows.swiglu_backward(bf16(d + i), bf16(g + i), bf16(u + i), bf16(dg + i), bf16(du + i),
                               size);
        }))
      return;
    for_each_element(dy.size(), [=](int64_t i) {
      const A grad = A(d[i]), x = A(g[i]), linear = A(u[i]), s = sigmoid<T>(x);
      store(dg[i], grad * linear * s * (A(1) + x * (A(1) - s)));
      store(du[i], grad * x * s);
    });
  });
}

namespace {

// ClampedSwiglu in the type that T computes in. A NaN passes.
template <typename A>
struct Clamps {
  A limit, alpha;
  A gate(A x) const { return x > limit ? limit : x; }
  A up(A x) const { return gate(x < -limit ? -limit : x); }
};

template <typename A>
Clamps<A> clamps_of(const ClampedSwiglu& rule) {
  return {static_cast<A>(rule.limit), static_cast<A>(rule.alpha)};
}

}  // namespace

template <>
void clamped_swiglu_forward<Device::cpu>(const ClampedSwiglu& rule, const Tensor& gate,
                                         const Tensor& up, const Tensor& y) {
  dispatch_float(y.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const Clamps<A> clamps = clamps_of<A>(rule);
    const T *g = gate.data<T>(), *u = up.data<T>();
    T* out = y.data<T>();
    if (for_vectors<T>(y.size(), [=](const VectorRows& rows, int64_t i, int64_t size) {
          rows.clamped_swiglu(bf16(g + i), bf16(u + i), static_cast<float>(clamps.limit),
                              static_cast<float>(clamps.alpha), bf16(out + i), size);
        }))
      return;
    for_each_element(y.size(), [=](int64_t i) {
      const A x = clamps.gate(A(g[i]));
      store(out[i], (clamps.up(A(u[i])) + A(1)) * x * sigmoid<T>(clamps.alpha * x));
    });
  });
}

template <>
void clamped_swiglu_backward<Device::cpu>(const ClampedSwiglu& rule, const Tensor& dy,
                                          const Tensor& gate, const Tensor& up, const Tensor& dgate,
                                          const Tensor& dup) {
  dispatch_float(dy.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const Clamps<A> clamps = clamps_of<A>(rule);
    const T *d = dy.data<T>(), *g = gate.data<T>(), *u = up.data<T>();
    T *dg = dgate.data<T>(), *du = dup.data<T>();
    if (for_vectors<T>(dy.size(), [=](const VectorRows& rows, int64_t i, int64_t size) {
          rows.clamped_swiglu_backward(
              bf16(d + i), bf16(g + i), bf16(u + i), static_cast<float>(clamps.limit),
              static_cast<float>(clamps.alpha), bf16(dg + i), bf16(du + i), size);
        }))
      return;
    for_each_element(dy.size(), [=](int64_t i) {
      const A grad = A(d[i]), linear = A(u[i]), gated = A(g[i]);
      const A x = clamps.gate(gated), s = sigmoid<T>(clamps.alpha * x);
      const A slope = s + clamps.alpha * x * s * (A(1) - s);
      const A of_gate = grad * (clamps.up(linear) + A(1)) * slope, of_up = grad * x * s;
      store(dg[i], gated > clamps.limit ? A(0) : of_gate);
      store(du[i], linear > clamps.limit || linear < -clamps.limit ? A(0) : of_up);
    });
  });
}

template <>
void gelu_forward<Device::cpu>(const Tensor& x, const Tensor& y) {
  dispatch_float(x.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const T* in = x.data<T>();
    T* out = y.data<T>();
    if (for_words_or_halves<T>(x.size(), [=](const VectorRows& rows, int64_t i, int64_t size) {
          if constexpr (std::is_same_v<T, float>) {
            rows.gelu_of_floats(in + i, out + i, size);
          } else {
            rows.gelu(bf16(in + i), bf16(out + i), size);
          }
        }))
      return;
    for_each_element(x.size(), [=](int64_t i) {
      const A v = A(in[i]);
      store(out[i], v * sigmoid<T>(A(kGeluLinear) * v * (A(1) + A(kGeluCubic) * v * v)));
    });
  });
}

template <>
void gelu_backward<Device::cpu>(const Tensor& dy, const Tensor& x, const Tensor& dx) {
  dispatch_float(x.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const T *d = dy.data<T>(), *in = x.data<T>();
    T* out = dx.data<T>();
    if (for_words_or_halves<T>(x.size(), [=](const VectorRows& rows, int64_t i, int64_t size) {
          if constexpr (std::is_same_v<T, float>) {
            rows.gelu_backward_of_floats(d + i, in + i, out + i, size);
          } else {
            rows.gelu_backward(bf16(d + i), bf16(in + i), bf16(out + i), size);
          }
        }))
      return;
    for_each_element(x.size(), [=](int64_t i) {
      const A v = A(in[i]);
      const A s = sigmoid<T>(A(kGeluLinear) * v * (A(1) + A(kGeluCubic) * v * v));
      const A slope = A(kGeluLinear) * (A(1) + A(3 * kGeluCubic) * v * v);  // d(2u)/dx
      store(out[i], A(d[i]) * (s + v * s * (A(1) - s) * slope));
    });
  });
}

}  // namespace argosy::ops::detail
