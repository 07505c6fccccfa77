// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// As norm_cpu.cpp: rows are independent, sums over rows are taken in rows_of_block() and then over
// blocks in order.
#include <algorithm>
#include <cmath>

#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/shared_norm.h"
#include "trainer/ops/simd_math.h"

namespace argosy::ops::detail {
namespace {

// One row; dgain may be null.
template <typename T, typename A = Accumulator<T>>
void row_backward(const T* dy, const T* x, const T* gain, A inv, A slope, int64_t cols, T* dx,
                  A* dgain) {
  if (dgain != nullptr) {
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c) dgain[c] += A(dy[c]) * (A(x[c]) * inv);
  }
#pragma omp simd
  for (int64_t c = 0; c < cols; ++c)
    store(dx[c], inv * (A(gain[c]) * A(dy[c]) - A(x[c]) * inv * slope));
}

}  // namespace

template <>
void row_squares<Device::cpu>(const Tensor& x, const Tensor& sums) {
  const int64_t cols = x.dim(1);
  dispatch_float(x.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    for_rows(x.dim(0), cols, [&](int64_t r) {
      const T* row = x.data<T>() + r * cols;
      sums.data<A>()[r] = sum_in_lanes<A>(
          cols, [=](int64_t c) [[gnu::always_inline]] { return A(row[c]) * A(row[c]); });
    });
  });
}

template <>
void inverse_rms<Device::cpu>(const Tensor& sums, int64_t width, double eps) {
  dispatch_float(sums.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    T* values = sums.data<T>();
    for (int64_t r = 0; r < sums.size(); ++r)
      values[r] = T(A(1) / std::sqrt(A(values[r]) / static_cast<A>(width) + static_cast<A>(eps)));
  });
}

template <>
void row_projections<Device::cpu>(const Tensor& dy, const Tensor& x, const Tensor& gain,
                                  const Tensor& inv_rms, const Tensor& sums) {
  const int64_t cols = x.dim(1);
  dispatch_float(x.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const T* weights = gain.data<T>();
    for_rows(x.dim(0), cols, [&](int64_t r) {
      const T *row = x.data<T>() + r * cols, *gradient = dy.data<T>() + r * cols;
      const A inv = inv_rms.data<A>()[r];
      sums.data<A>()[r] = sum_in_lanes<A>(cols, [=](int64_t c) [[gnu::always_inline]] {
        return A(weights[c]) * A(gradient[c]) * (A(row[c]) * inv);
      });
    });
  });
}

template <>
void shared_rms_norm_backward<Device::cpu>(DeviceContext& ctx, const Tensor& dy, const Tensor& x,
                                           const Tensor& gain, const Tensor& inv_rms,
                                           const Tensor& sums, int64_t width, const Tensor& dx,
                                           const Tensor& dgain) {
  const int64_t rows = x.dim(0), cols = x.dim(1);
  const int64_t block_rows = rows_of_block(rows, 32);
  const int64_t blocks = ceil_div(rows, block_rows);
  Tensor partials;  // (blocks, cols)
  if (dgain.defined())
    partials = ctx.empty({blocks, cols}, inv_rms.dtype(), MemoryCategory::workspace);
  dispatch_float(x.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    for_rows(blocks, block_rows * cols, [&](int64_t b) {
      A* gain_sums = partials.defined() ? partials.data<A>() + b * cols : nullptr;
      if (gain_sums != nullptr) std::fill_n(gain_sums, cols, A(0));
      const int64_t end = std::min(rows, (b + 1) * block_rows);
      for (int64_t r = b * block_rows; r < end; ++r) {
        row_backward(dy.data<T>() + r * cols, x.data<T>() + r * cols, gain.data<T>(),
                     inv_rms.data<A>()[r], sums.data<A>()[r] / static_cast<A>(width), cols,
                     dx.data<T>() + r * cols, gain_sums);
      }
    });
    if (dgain.defined()) add_partials<A>(partials, dgain);
  });
}

}  // namespace argosy::ops::detail
