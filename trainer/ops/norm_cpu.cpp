// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Rows are independent; sums over rows (dgain, dbias) are taken in rows_of_block(), and then over
// blocks in order.
#include <algorithm>
#include <cmath>

#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/norm.h"
#include "trainer/ops/simd_math.h"

namespace argosy::ops::detail {
namespace {

constexpr int64_t kRowsPerBlock = 32;  // or a multiple of it

// The CPU's vector loops for T, or null.
template <typename T>
const VectorNorm<T>* vector_norm() {
  const VectorRows* rows = vector_rows();
  if constexpr (std::is_same_v<T, bfloat16>) return rows == nullptr ? nullptr : &rows->norm;
  if constexpr (std::is_same_v<T, float>) return rows == nullptr ? nullptr : &rows->norm_of_floats;
  return nullptr;
}

// row += residual; what follows finds the row in the cache.
template <typename T, typename A = Accumulator<T>>
void add_row(const T* residual, int64_t cols, T* row) {
#pragma omp simd
  for (int64_t c = 0; c < cols; ++c) store(row[c], A(row[c]) + A(residual[c]));
}

// Mean of the row, and 1 / sqrt(mean of squared deviations + eps); RMSNorm has mean 0.
template <bool kCentered, typename T, typename A = Accumulator<T>>
void row_statistics(const T* x, int64_t cols, A eps, A& mean, A& inv) {
  mean = 0;
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
  if constexpr (!std::is_same_v<T, double>) {
    if (const VectorNorm<T>* vectors = vector_norm<T>())
      return vectors->apply({x, gain, cols, mean, inv}, bias, y);
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
  const int64_t block_rows = rows_of_block(rows, kRowsPerBlock);
  const int64_t blocks = ceil_div(rows, block_rows);
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
    const int64_t begin = b * block_rows, end = std::min(rows, begin + block_rows);
    if constexpr (std::is_same_v<T, bfloat16>) {
      if (const VectorRows* vectors = vector_rows()) {
        const NormRows<bfloat16> block = {x.data<T>() + begin * cols, gain.data<T>(), cols,
                                          kCentered ? mean.data<A>() + begin : nullptr,
                                          inv.data<A>() + begin};
        vectors->normalize_backward(block, end - begin, dy.data<T>() + begin * cols, kCentered,
                                    accumulate_dx, dx.data<T>() + begin * cols, gain_sum, bias_sum);
        continue;
      }
    }
    for (int64_t r = begin; r < end; ++r) {
      row_backward<kCentered, kGradients>(dy.data<T>() + r * cols, x.data<T>() + r * cols,
                                          gain.data<T>(), kCentered ? mean.data<A>()[r] : A(0),
                                          inv.data<A>()[r], cols, accumulate_dx,
                                          dx.data<T>() + r * cols, gain_sum, bias_sum);
    }
  }
  if (dgain.defined()) add_partials<A>(gain_partials, dgain);
  if (dbias.defined()) add_partials<A>(bias_partials, dbias);
}

// The rows from `row` on.
template <typename T>
NormForward<T> from_row(NormForward<T> rows, int64_t row) {
  if (rows.residual != nullptr) rows.residual += row * rows.cols;
  rows.x += row * rows.cols;
  rows.y += row * rows.cols;
  if (rows.means != nullptr) rows.means += row;
  rows.invs += row;
  return rows;
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
    const T* added = residual.defined() ? residual.data<T>() : nullptr;
    const T* shift = kCentered ? bias.data<T>() : nullptr;
    A* means = kCentered ? mean.data<A>() : nullptr;
    if constexpr (!std::is_same_v<T, double>) {
      if (const VectorNorm<T>* vectors = vector_norm<T>()) {
        const NormForward<T> all = {added,       x.data<T>(), gain.data<T>(),
                                    shift,       cols,        static_cast<A>(eps),
                                    y.data<T>(), means,       inv.data<A>()};
        const int64_t share = ceil_div(rows, omp_get_max_threads());
        const int64_t block = std::clamp<int64_t>(share, 1, kRowsPerBlock);
        return for_blocks(rows, block, cols, [&](int64_t begin, int64_t end) {
          vectors->forward(from_row(all, begin), end - begin);
        });
      }
    }
    for_rows(rows, cols, [&](int64_t r) {
      T* row = x.data<T>() + r * cols;
      if (added != nullptr) add_row(added + r * cols, cols, row);
      A center, scale;
      row_statistics<kCentered>(row, cols, static_cast<A>(eps), center, scale);
      if constexpr (kCentered) means[r] = center;
      inv.data<A>()[r] = scale;
      normalize_row<kCentered>(row, gain.data<T>(), shift, center, scale, cols,
                               y.data<T>() + r * cols);
    });
  });
}

template <>
void norm_apply<Device::cpu>(const Tensor& x, const Tensor& gain, const Tensor& bias,
                             const Tensor& mean, const Tensor& inv, const Tensor& y) {
  const int64_t rows = x.dim(0), cols = x.dim(1);
  dispatch_norm(mean.defined(), x.dtype(), [&]<bool kCentered, typename T>() {
    using A = Accumulator<T>;
    for_rows(rows, cols, [&](int64_t r) {
      const A center = kCentered ? mean.data<A>()[r] : A(0);
      normalize_row<kCentered>(x.data<T>() + r * cols, gain.data<T>(),
                               kCentered ? bias.data<T>() : nullptr, center, inv.data<A>()[r], cols,
                               y.data<T>() + r * cols);
    });
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
