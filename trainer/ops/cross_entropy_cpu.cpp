// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <cmath>
#include <limits>

#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/cross_entropy.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/simd_math.h"

namespace argosy::ops {

template <>
void detail::cross_entropy_max<Device::cpu>(const Tensor& logits, const Tensor& maximum) {
  dispatch_float(logits.dtype(), [&]<typename T>() {
    using S = Accumulator<T>;
    const int64_t vocab = logits.dim(1);
    for_rows(logits.dim(0), vocab, [&](int64_t row) {
      const T* x = logits.data<T>() + row * vocab;  // (V)
      S largest = -std::numeric_limits<S>::infinity();
#pragma omp simd reduction(max : largest)
      for (int64_t v = 0; v < vocab; ++v) {
        const S value = static_cast<S>(x[v]);
        largest = value > largest ? value : largest;
      }
      maximum.data<S>()[row] = largest;
    });
  });
}

template <>
void detail::cross_entropy_sums<Device::cpu>(const Tensor& logits, const Tensor& targets,
                                             int64_t first_id, const Tensor& maximum,
                                             const Tensor& sums) {
  dispatch_float(logits.dtype(), [&]<typename T>() {
    using S = Accumulator<T>;
    const int64_t num_rows = logits.dim(0), vocab = logits.dim(1);
    for_rows(num_rows, vocab, [&](int64_t row) {
      const T* x = logits.data<T>() + row * vocab;  // (V)
      const S largest = maximum.data<S>()[row];
      S exp_sum = 0;
#pragma omp simd reduction(+ : exp_sum)
      for (int64_t v = 0; v < vocab; ++v) exp_sum += simd_exp(static_cast<S>(x[v]) - largest);
      const int64_t target = targets.data<int32_t>()[row] - first_id;
      const bool here = targets.data<int32_t>()[row] >= 0 && target >= 0 && target < vocab;
      sums.data<S>()[row] = exp_sum;
      sums.data<S>()[num_rows + row] = here ? static_cast<S>(x[target]) - largest : S(0);
    });
  });
}

template <>
void detail::cross_entropy_finish<Device::cpu>(const Tensor& logits, const Tensor& targets,
                                               int64_t first_id, const Tensor& maximum,
                                               const Tensor& sums, const Tensor& loss,
                                               bool with_gradient) {
  dispatch_float(logits.dtype(), [&]<typename T>() {
    using S = Accumulator<T>;
    const int64_t num_rows = logits.dim(0), vocab = logits.dim(1);
    for_rows(num_rows, vocab, [&](int64_t row) {
      const int64_t id = targets.data<int32_t>()[row];
      const S exp_sum = sums.data<S>()[row];
      loss.data<S>()[row] = id < 0 ? S(0) : std::log(exp_sum) - sums.data<S>()[num_rows + row];
      if (!with_gradient) return;
      T* x = logits.data<T>() + row * vocab;  // (V), becomes its gradient
      if (id < 0) {
        std::fill(x, x + vocab, T(S(0)));
        return;
      }
      const S largest = maximum.data<S>()[row];
      const S scale = 1 / exp_sum;
      const int64_t target = id - first_id;
      const bool here = target >= 0 && target < vocab;
      // In the statistic type: a bf16 probability near 1 would lose the difference to 1.
      const S at_target = here ? simd_exp(static_cast<S>(x[target]) - largest) * scale - 1 : S(0);
#pragma omp simd
      for (int64_t v = 0; v < vocab; ++v) {
        store(x[v], simd_exp(static_cast<S>(x[v]) - largest) * scale);
      }
      if (here) store(x[target], at_target);
    });
  });
}

}  // namespace argosy::ops
