// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Rows are independent; sums over rows (dgain, dbias) are taken in blocks of a fixed number of rows
// and then over blocks in order, so that the number of threads changes no bit.
#include <algorithm>
#include <cmath>

#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/norm.h"
#include "trainer/ops/simd_math.h"

namespace argosy::ops::detail {
namespace {

constexpr int64_t kRowsPerBlock = 32;  // long against the second sum, short against N

// row += residual; what follows finds the row in the cache.
template <typename T>
void add_row(const T* residual, int64_t cols, T* row) {
  using A = Accumulator<T>;
  if (const VectorRows* rows = vector_rows_of<T>())
    return rows->add(bf16(residual), bf16(row), cols);
#pragma omp simd
  for (int64_t c = 0; c < cols; ++c) store(row[c], A(row[c]) + A(residual[c]));
}

// Mean of the row, and 1 / sqrt(mean of squared deviations + eps); RMSNorm has mean 0.
template <bool kCentered, typename T, typename A = Accumulator<T>>
void row_statistics(const T* x, int64_t cols, A eps, A& mean, A& inv) {
  mean = 0;
  if (const VectorRows* rows = vector_rows_of<T>()) {
    Moments moments = {};
    if constexpr (kCentered) {
      moments = rows->moments(bf16(x), cols);
    } else {
      moments.variance = rows->sum_of_squares(bf16(x), cols) / static_cast<float>(cols);
    }
    mean = moments.mean;
    inv = A(1) / std::sqrt(A(moments.variance) + eps);
    return;
  }
  // The passes over this row leave the memory time for the next.
  prefetch_row(x + cols, {0, cols * static_cast<int64_t>(sizeof(T))});
  if constexpr (kCentered) {
    mean = sum_in_lanes<A>(cols, [=](int64_t c) [[gnu::always_inline]] { return A(x[c]); }) /
           static_cast<A>(cols);
  }
  const A center = mean;
  const A squares = sum_in_lanes<A>(cols, [=](int64_t c) [[gnu::always_inline]] {
    return (A(x[c]) - center) * (A(x[c]) - center);
  });
  inv = A(1) / std::sqrt(squares / static_cast<A>(cols) + eps);
}

template <bool kCentered, typename T, typename A = Accumulator<T>>
void normalize_row(const T* x, const T* gain, const T* bias, A mean, A inv, int64_t cols, T* y) {
  if (const VectorRows* rows = vector_rows_of<T>()) {
    const NormRow row = {bf16(x), bf16(gain), cols, static_cast<float>(mean),
                         static_cast<float>(inv)};
    return rows->normalize(row, kCentered ? bf16(bias) : nullptr, bf16(y));
  }
#pragma omp simd
  for (int64_t c = 0; c < cols; ++c) {
    A value = A(gain[c]) * ((A(x[c]) - mean) * inv);
    if constexpr (kCentered) value += A(bias[c]);
    store(y[c], value);
  }
}

// With xhat = (x - mean) * inv and d = gain * dy:
// dx = inv * (d - [mean(d)] - xhat * mean(d * xhat)); dgain += dy * xhat; dbias += dy.
template <bool kCentered, bool kGradients, typename T, typename A = Accumulator<T>>
void row_backward(const T* dy, const T* x, const T* gain, A mean, A inv, int64_t cols,
                  bool accumulate_dx, T* dx, A* dgain, A* dbias) {
  A sum = 0, projection = 0;
#pragma omp simd reduction(+ : sum, projection)
  for (int64_t c = 0; c < cols; ++c) {
    const A d = A(gain[c]) * A(dy[c]);
    if constexpr (kCentered) sum += d;
    projection += d * ((A(x[c]) - mean) * inv);
  }
  const A shift = sum / static_cast<A>(cols), slope = projection / static_cast<A>(cols);
#pragma omp simd
  for (int64_t c = 0; c < cols; ++c) {
    const A grad = A(dy[c]), xhat = (A(x[c]) - mean) * inv;
    const A old = accumulate_dx ? A(dx[c]) : A(0);
    if constexpr (kGradients) {
      dgain[c] += grad * xhat;
      if constexpr (kCentered) dbias[c] += grad;
    }
    store(dx[c], old + inv * (A(gain[c]) * grad - shift - xhat * slope));
  }
}

template <bool kCentered, bool kGradients, typename T, typename A = Accumulator<T>>
void backward(DeviceContext& ctx, const Tensor& dy, const Tensor& x, const Tensor& gain,
              const Tensor& mean, const Tensor& inv, const Tensor& dx, const Tensor& dgain,
              const Tensor& dbias, bool accumulate_dx) {
  const int64_t rows = x.dim(0), cols = x.dim(1);
  const int64_t blocks = (rows + kRowsPerBlock - 1) / kRowsPerBlock;
  Tensor gain_partials, bias_partials;
  if (kGradients) {
    gain_partials = ctx.empty({blocks, cols}, inv.dtype(), MemoryCategory::workspace);
    if (kCentered)
      bias_partials = ctx.empty({blocks, cols}, inv.dtype(), MemoryCategory::workspace);
  }
#pragma omp parallel for schedule(static) if (rows * cols >= kParallelElements)
  for (int64_t b = 0; b < blocks; ++b) {
    const auto sums_of = [&](const Tensor& partials) {
      if (!partials.defined()) return static_cast<A*>(nullptr);
      A* sums = partials.data<A>() + b * cols;
      std::fill_n(sums, cols, A(0));
      return sums;
    };
    A *gain_sum = sums_of(gain_partials), *bias_sum = sums_of(bias_partials);
    const int64_t begin = b * kRowsPerBlock, end = std::min(rows, begin + kRowsPerBlock);
    const auto mean_of = [&](int64_t r) { return kCentered ? mean.data<A>()[r] : A(0); };
    if constexpr (std::is_same_v<T, bfloat16>) {
      if (const VectorRows* vectors = vector_rows()) {
        NormRow block[kRowsPerBlock];
        for (int64_t r = begin; r < end; ++r) {
          block[r - begin] = {x.data<T>() + r * cols, gain.data<T>(), cols, mean_of(r),
                              inv.data<A>()[r]};
        }
        vectors->normalize_backward(block, end - begin, dy.data<T>() + begin * cols, kCentered,
                                    accumulate_dx, dx.data<T>() + begin * cols, gain_sum, bias_sum);
        continue;
      }
    }
    for (int64_t r = begin; r < end; ++r) {
      row_backward<kCentered, kGradients>(
          dy.data<T>() + r * cols, x.data<T>() + r * cols, gain.data<T>(), mean_of(r),
          inv.data<A>()[r], cols, accumulate_dx, dx.data<T>() + r * cols, gain_sum, bias_sum);
    }
  }
  if (dgain.defined()) add_partials<A>(gain_partials, dgain);
  if (dbias.defined()) add_partials<A>(bias_partials, dbias);
}

// Calls body.operator()<kCentered, T>().
template <typename Body>
void dispatch_norm(bool centered, DType dtype, Body&& body) {
  dispatch_float(dtype, [&]<typename T>() {
    if (centered) {
      body.template operator()<true, T>();
    } else {
      body.template operator()<false, T>();
    }
  });
}

}  // namespace

template <>
void norm_forward<Device::cpu>(const Tensor& residual, const Tensor& x, const Tensor& gain,
                               const Tensor& bias, double eps, const Tensor& y, const Tensor& mean,
                               const Tensor& inv) {
  const int64_t rows = x.dim(0), cols = x.dim(1);
  dispatch_norm(mean.defined(), x.dtype(), [&]<bool kCentered, typename T>() {
    using A = Accumulator<T>;
#pragma omp parallel for schedule(static) if (rows * cols >= kParallelElements)
    for (int64_t r = 0; r < rows; ++r) {
      T* row = x.data<T>() + r * cols;
      if (residual.defined()) add_row(residual.data<T>() + r * cols, cols, row);
      A center, scale;
      row_statistics<kCentered>(row, cols, static_cast<A>(eps), center, scale);
      if constexpr (kCentered) mean.data<A>()[r] = center;
      inv.data<A>()[r] = scale;
      normalize_row<kCentered>(row, gain.data<T>(), bias.data<T>(), center, scale, cols,
                               y.data<T>() + r * cols);
    }
  });
}

template <>
void norm_apply<Device::cpu>(const Tensor& x, const Tensor& gain, const Tensor& bias,
                             const Tensor& mean, const Tensor& inv, const Tensor& y) {
  const int64_t rows = x.dim(0), cols = x.dim(1);
  dispatch_norm(mean.defined(), x.dtype(), [&]<bool kCentered, typename T>() {
    using A = Accumulator<T>;
#pragma omp parallel for schedule(static) if (rows * cols >= kParallelElements)
    for (int64_t r = 0; r < rows; ++r) {
      const A center = kCentered ? mean.data<A>()[r] : A(0);
      normalize_row<kCentered>(x.data<T>() + r * cols, gain.data<T>(), bias.data<T>(), center,
                               inv.data<A>()[r], cols, y.data<T>() + r * cols);
    }
  });
}

template <>
void norm_backward<Device::cpu>(DeviceContext& ctx, const Tensor& dy, const Tensor& x,
                                const Tensor& gain, const Tensor& mean, const Tensor& inv,
                                const Tensor& dx, const Tensor& dgain, const Tensor& dbias,
                                bool accumulate_dx) {
  dispatch_norm(mean.defined(), x.dtype(), [&]<bool kCentered, typename T>() {
    if (dgain.defined() || dbias.defined()) {
      backward<kCentered, true, T>(ctx, dy, x, gain, mean, inv, dx, dgain, dbias, accumulate_dx);
    } else {
      backward<kCentered, false, T>(ctx, dy, x, gain, mean, inv, dx, dgain, dbias, accumulate_dx);
    }
  });
}

}  // namespace argosy::ops::detail
