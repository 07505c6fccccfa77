// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <cmath>
#include <limits>

#include "trainer/ops/attention_sink.h"
#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops::detail {

namespace {

// log(exp(a) + exp(b)); a NaN passes.
template <typename A>
A log_sum(A a, A b) {
  const A larger = a > b ? a : b, smaller = a > b ? b : a;
  if (smaller == -std::numeric_limits<A>::infinity()) return larger;
  return larger + std::log1p(std::exp(smaller - larger));
}

// exp(x - lse), 0 where there is nothing: x is -infinity, as lse then may be.
template <typename A>
A share(A x, A lse) {
  return x == -std::numeric_limits<A>::infinity() ? A(0) : std::exp(x - lse);
}

}  // namespace

template <>
void add_sinks<Device::cpu>(const Tensor& sinks, const Tensor& out, const Tensor& lse) {
  dispatch_float(out.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const int64_t num_heads = sinks.dim(0), head_dim = out.dim(1) / num_heads;
    for_rows(out.dim(0), out.dim(1), [&](int64_t row) {
      A* lse_of_row = lse.data<A>() + row * num_heads;
      for (int64_t head = 0; head < num_heads; ++head) {
        const A before = lse_of_row[head];
        const A after = log_sum(before, static_cast<A>(sinks.data<T>()[head]));
        const A factor = share(before, after);
        T* values = out.data<T>() + (row * num_heads + head) * head_dim;
#pragma omp simd
        for (int64_t d = 0; d < head_dim; ++d) {
          store(values[d], static_cast<A>(values[d]) * factor);
        }
        lse_of_row[head] = after;
      }
    });
  });
}

template <>
void sink_gradient_terms<Device::cpu>(const Tensor& sinks, const Tensor& dout, const Tensor& out,
                                      const Tensor& lse, const Tensor& terms) {
  dispatch_float(out.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const int64_t num_heads = sinks.dim(0), head_dim = out.dim(1) / num_heads;
    for_rows(out.dim(0), out.dim(1), [&](int64_t row) {
      for (int64_t head = 0; head < num_heads; ++head) {
        const int64_t at = row * num_heads + head;
        const T *d = dout.data<T>() + at * head_dim, *o = out.data<T>() + at * head_dim;
        A dot = 0;
#pragma omp simd reduction(+ : dot)
        for (int64_t i = 0; i < head_dim; ++i) dot += static_cast<A>(d[i]) * static_cast<A>(o[i]);
        const A sink = static_cast<A>(sinks.data<T>()[head]);
        terms.data<A>()[at] = -share(sink, lse.data<A>()[at]) * dot;
      }
    });
  });
}

}  // namespace argosy::ops::detail
