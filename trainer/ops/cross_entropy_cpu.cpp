// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <algorithm>
#include <cmath>
#include <limits>

#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/cross_entropy.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/simd_math.h"

namespace argosy::ops {

namespace {

// Logits whose maximum is taken before their exponentials are summed: they stay in the level-1
// cache in between.
constexpr int64_t kLogitBlock = 2048;

template <typename T, typename S = Accumulator<T>>
S maximum_of(const T* x, int64_t size) {
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
  return sum_in_lanes<S>(
      size, [=](int64_t i) [[gnu::always_inline]] { return simd_exp(static_cast<S>(x[i]) - top); });
}

// to = e^(x - top) * scale; `to` may be x.
template <typename T, typename To, typename S = Accumulator<T>>
void exp_scale(const T* x, S top, S scale, To* to, int64_t size) {
  if constexpr (std::is_same_v<T, float>) {
    if (const detail::VectorRows* rows = detail::vector_rows()) {
      if constexpr (std::is_same_v<To, float>) {
        return rows->exp_scaled(x, top, scale, to, size);
      } else {
        return rows->exp_narrowed(x, top, scale, to, size);
      }
    }
  }
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) store(to[i], simd_exp(static_cast<S>(x[i]) - top) * scale);
}

// The target's place among the logits of this rank, or -1.
int64_t place_of(int32_t target, const OwnIds& ids) {
  const int64_t place = target - ids.first;
  return target >= 0 && place >= 0 && place < ids.count ? place : -1;
}

// The maximum of a row of logits, and the sum of e^(x - maximum).
template <typename S>
struct RowSum {
  S largest, sum;
};

// The sum over the blocks so far is kept relative to their maximum, as in an online softmax
// (Milakov & Gimelshein 2018): logits are read from memory once.
template <typename T, typename S = Accumulator<T>>
RowSum<S> row_sum(const T* x, int64_t vocab) {
  RowSum<S> row = {-std::numeric_limits<S>::infinity(), 0};
  for (int64_t begin = 0; begin < vocab; begin += kLogitBlock) {
    const int64_t size = std::min(vocab - begin, kLogitBlock);
    const S of_block = maximum_of(x + begin, size);
    if (of_block > row.largest) {
      row.sum *= simd_exp(row.largest - of_block);
      row.largest = of_block;
    }
    row.sum += exp_sum_of(x + begin, row.largest, size);
  }
  return row;
}

// In one pass: relative to the maximum of the first block, and again to that of a block which is
// far above.
RowSum<float> vector_row_sum(const detail::VectorRows& vectors, const float* x, int64_t vocab) {
  constexpr float kFar = 40;  // 2048 times e^40 is far from overflow
  float base = vectors.maximum(x, std::min(vocab, kLogitBlock));
  RowSum<float> row = {base, 0};
  for (int64_t begin = 0; begin < vocab; begin += kLogitBlock) {
    const int64_t size = std::min(vocab - begin, kLogitBlock);
    float of_block = 0;
    float sum = vectors.exp_sum(x + begin, base, size, &of_block);
    row.largest = std::max(row.largest, of_block);
    if (of_block > base + kFar) {
      row.sum *= simd_exp(base - of_block);
      base = of_block;
      sum = vectors.exp_sum(x + begin, base, size, &of_block);
    }
    row.sum += sum;
  }
  row.sum *= simd_exp(base - row.largest);
  return row;
}

template <typename T>
RowSum<Accumulator<T>> sum_of_row(const T* x, int64_t vocab) {
  if constexpr (std::is_same_v<T, float>) {
    const detail::VectorRows* vectors = detail::vector_rows();
    if (vectors != nullptr && vocab > 0) return vector_row_sum(*vectors, x, vocab);
  }
  return row_sum(x, vocab);
}

}  // namespace

template <>
void detail::cross_entropy_sums<Device::cpu>(const Tensor& logits, const Tensor& targets,
                                             const OwnIds& ids, const Tensor& maximum,
                                             const Tensor& sums) {
  dispatch_float(logits.dtype(), [&]<typename T>() {
    using S = Accumulator<T>;
    const int64_t num_rows = logits.dim(0), vocab = ids.count, stride = logits.dim(1);
    for_rows(num_rows, vocab, [&](int64_t row) {
      const T* x = logits.data<T>() + row * stride;  // (V)
      const auto [largest, sum] = sum_of_row(x, vocab);
      const int64_t place = place_of(targets.data<int32_t>()[row], ids);
      maximum.data<S>()[row] = largest;
      sums.data<S>()[row] = sum;
      sums.data<S>()[num_rows + row] = place >= 0 ? static_cast<S>(x[place]) - largest : S(0);
    });
  });
}

template <>
void detail::cross_entropy_rescale<Device::cpu>(const Tensor& logits, const Tensor& targets,
                                                const OwnIds& ids, const Tensor& from,
                                                const Tensor& to, const Tensor& sums) {
  dispatch_statistic(sums.dtype(), [&]<typename S>() {
    const int64_t num_rows = logits.dim(0);
    for (int64_t row = 0; row < num_rows; ++row) {
      const S shift = from.data<S>()[row] - to.data<S>()[row];  // at most 0
      const bool here = place_of(targets.data<int32_t>()[row], ids) >= 0;
      sums.data<S>()[row] *= simd_exp(shift);
      if (here) sums.data<S>()[num_rows + row] += shift;
    }
  });
}

namespace {

// What one row knows of itself.
template <typename S>
struct RowOfLogits {
  int64_t target;  // its place among this rank's logits, or -1
  bool masked;
  S largest, scale;  // probability = e^(logit - largest) * scale
};

// The row's loss goes to its place.
template <typename S>
RowOfLogits<S> finish_loss(const Tensor& logits, const Tensor& targets, const OwnIds& ids,
                           const Tensor& maximum, const Tensor& sums, const Tensor& loss,
                           int64_t row) {
  const int32_t id = targets.data<int32_t>()[row];
  const S exp_sum = sums.data<S>()[row];
  const S of_target = sums.data<S>()[logits.dim(0) + row];
  loss.data<S>()[row] = id < 0 ? S(0) : std::log(exp_sum) - of_target;
  return {place_of(id, ids), id < 0, maximum.data<S>()[row], 1 / exp_sum};
}

// x (V) to its gradient at `to`, which may be x.
template <typename T, typename To, typename S>
void write_gradient(const RowOfLogits<S>& row, const T* x, int64_t vocab, To* to) {
  if (row.masked) {
    std::fill(to, to + vocab, To(S(0)));
    return;
  }
  // In the statistic type: a bf16 probability near 1 would lose the difference to 1.
  const bool here = row.target >= 0;
  const S at_target =
      here ? simd_exp(static_cast<S>(x[row.target]) - row.largest) * row.scale - 1 : S(0);
  exp_scale(x, row.largest, row.scale, to, vocab);
  if (here) store(to[row.target], at_target);
}

}  // namespace

template <>
void detail::cross_entropy_finish<Device::cpu>(const Tensor& logits, const Tensor& targets,
                                               const OwnIds& ids, const Tensor& maximum,
                                               const Tensor& sums, const Tensor& loss,
                                               bool with_gradient) {
  dispatch_float(logits.dtype(), [&]<typename T>() {
    using S = Accumulator<T>;
    const int64_t vocab = ids.count, stride = logits.dim(1);
    for_rows(logits.dim(0), vocab, [&](int64_t row) {
      const auto known = finish_loss<S>(logits, targets, ids, maximum, sums, loss, row);
      T* x = logits.data<T>() + row * stride;  // (V), becomes its gradient
      if (with_gradient) write_gradient(known, x, vocab, x);
    });
  });
}

template <>
void detail::cross_entropy_finish_in_bf16<Device::cpu>(DeviceContext& ctx, const Tensor& logits,
                                                       const Tensor& targets, const OwnIds& ids,
                                                       const Tensor& maximum, const Tensor& sums,
                                                       const Tensor& loss, const Tensor& gradient) {
  const int64_t vocab = ids.count, stride = logits.dim(1);
  const auto finish = [&](int64_t row, bfloat16* to) {
    const auto known = finish_loss<float>(logits, targets, ids, maximum, sums, loss, row);
    write_gradient(known, logits.data<float>() + row * stride, vocab, to);
  };
  const Tensor first = ctx.empty({1, stride}, DType::bf16, MemoryCategory::workspace);
  finish(0, first.data<bfloat16>());
  copy<Device::cpu>(first, gradient.rows(0, 1));
  for_shrinking_rows(logits.dim(0), [&](int64_t begin, int64_t end) {
    for_rows(end - begin, vocab, [&](int64_t i) {
      finish(begin + i, gradient.data<bfloat16>() + (begin + i) * stride);
    });
  });
}

}  // namespace argosy::ops
