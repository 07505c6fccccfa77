// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <algorithm>
#include <cmath>
#include <limits>

#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/cross_entropy.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/simd_math.h"

namespace argosy::ops {

namespace {

// Logits whose maximum is taken before their exponentials are summed: they stay in the level-1
// cache in between.
constexpr int64_t kLogitBlock = 2048;

// The vector loops for logits of T, which are fp32 wherever there are any.
template <typename T>
const detail::VectorRows* vectors_for() {
  return std::is_same_v<T, float> ? detail::vector_rows() : nullptr;
}
template <typename T>
auto* fp32(T* pointer) {
  using Element = std::conditional_t<std::is_const_v<T>, const float, float>;
  return reinterpret_cast<Element*>(pointer);
}

template <typename T, typename S = Accumulator<T>>
S maximum_of(const T* x, int64_t size) {
  if (const detail::VectorRows* rows = vectors_for<T>()) return S(rows->maximum(fp32(x), size));
  S largest = -std::numeric_limits<S>::infinity();
#pragma omp simd reduction(max : largest)
  for (int64_t i = 0; i < size; ++i) {
    const S value = static_cast<S>(x[i]);
    largest = value > largest ? value : largest;
  }
  return largest;
}

// Sum of e^(x - top).
template <typename T, typename S = Accumulator<T>>
S exp_sum_of(const T* x, S top, int64_t size) {
  if (const detail::VectorRows* rows = vectors_for<T>())
    return S(rows->exp_sum(fp32(x), static_cast<float>(top), size));
  return sum_in_lanes<S>(
      size, [=](int64_t i) [[gnu::always_inline]] { return simd_exp(static_cast<S>(x[i]) - top); });
}

// x = e^(x - top) * scale.
template <typename T, typename S = Accumulator<T>>
void exp_scale(T* x, S top, S scale, int64_t size) {
  if (const detail::VectorRows* rows = vectors_for<T>()) {
    return rows->exp_scaled(fp32(x), static_cast<float>(top), static_cast<float>(scale), fp32(x),
                            size);
  }
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) store(x[i], simd_exp(static_cast<S>(x[i]) - top) * scale);
}

// The target's place among the logits of this rank, or -1.
int64_t place_of(int32_t target, int64_t first_id, int64_t vocab) {
  const int64_t place = target - first_id;
  return target >= 0 && place >= 0 && place < vocab ? place : -1;
}

}  // namespace

// The sum over the blocks so far is kept relative to their maximum, as in an online softmax
// (Milakov & Gimelshein 2018): logits are read from memory once.
template <>
void detail::cross_entropy_sums<Device::cpu>(const Tensor& logits, const Tensor& targets,
                                             int64_t first_id, const Tensor& maximum,
                                             const Tensor& sums) {
  dispatch_float(logits.dtype(), [&]<typename T>() {
    using S = Accumulator<T>;
    const int64_t num_rows = logits.dim(0), vocab = logits.dim(1);
    for_rows(num_rows, vocab, [&](int64_t row) {
      const T* x = logits.data<T>() + row * vocab;  // (V)
      S largest = -std::numeric_limits<S>::infinity(), sum = 0;
      for (int64_t begin = 0; begin < vocab; begin += kLogitBlock) {
        const int64_t size = std::min(vocab - begin, kLogitBlock);
        const S of_block = maximum_of(x + begin, size);
        if (of_block > largest) {
          sum *= simd_exp(largest - of_block);
          largest = of_block;
        }
        sum += exp_sum_of(x + begin, largest, size);
      }
      const int64_t place = place_of(targets.data<int32_t>()[row], first_id, vocab);
      maximum.data<S>()[row] = largest;
      sums.data<S>()[row] = sum;
      sums.data<S>()[num_rows + row] = place >= 0 ? static_cast<S>(x[place]) - largest : S(0);
    });
  });
}

template <>
void detail::cross_entropy_rescale<Device::cpu>(const Tensor& logits, const Tensor& targets,
                                                int64_t first_id, const Tensor& from,
                                                const Tensor& to, const Tensor& sums) {
  dispatch_statistic(sums.dtype(), [&]<typename S>() {
    const int64_t num_rows = logits.dim(0);
    for (int64_t row = 0; row < num_rows; ++row) {
      const S shift = from.data<S>()[row] - to.data<S>()[row];  // at most 0
      const bool here = place_of(targets.data<int32_t>()[row], first_id, logits.dim(1)) >= 0;
      sums.data<S>()[row] *= simd_exp(shift);
      if (here) sums.data<S>()[num_rows + row] += shift;
    }
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
      const int64_t target = place_of(targets.data<int32_t>()[row], first_id, vocab);
      const bool here = target >= 0;
      // In the statistic type: a bf16 probability near 1 would lose the difference to 1.
      const S at_target = here ? simd_exp(static_cast<S>(x[target]) - largest) * scale - 1 : S(0);
      exp_scale(x, largest, scale, vocab);
      if (here) store(x[target], at_target);
    });
  });
}

}  // namespace argosy::ops
