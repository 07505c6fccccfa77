// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <cmath>

#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/rope.h"
#include "trainer/ops/simd_math.h"

namespace argosy::ops::detail {
namespace {

// Turns each pair (x[i], x[i + half]) by its angle; `direction` -1 turns back.
template <typename T, typename A>
void rotate_head(T* x, const A* cos, const A* sin, A direction, int64_t half) {
#pragma omp simd
  for (int64_t i = 0; i < half; ++i) {
    const A first = A(x[i]), second = A(x[i + half]), sine = direction * sin[i];
    store(x[i], first * cos[i] - second * sine);
    store(x[i + half], second * cos[i] + first * sine);
  }
}

}  // namespace

template <>
void fill_rope_table<Device::cpu>(const std::vector<double>& inverse_frequencies, double factor,
                                  const RopeTable& table) {
  const int64_t positions = table.cos.dim(0), half = table.cos.dim(1);
  dispatch_float(table.cos.dtype(), [&]<typename T>() {
#pragma omp parallel for schedule(static) if (positions * half >= kParallelElements)
    for (int64_t p = 0; p < positions; ++p) {
      for (int64_t i = 0; i < half; ++i) {
        const double angle = static_cast<double>(p) * inverse_frequencies[static_cast<size_t>(i)];
        table.cos.data<T>()[p * half + i] = static_cast<T>(factor * std::cos(angle));
        table.sin.data<T>()[p * half + i] = static_cast<T>(factor * std::sin(angle));
      }
    }
  });
}

template <>
void rope<Device::cpu>(const Tensor& x, int64_t num_heads, const Tensor& positions,
                       const RopeTable& table, bool inverse) {
  const int64_t rows = x.dim(0), cols = x.dim(1), half = table.cos.dim(1);
  const int32_t* position_of = checked_positions(positions, table.cos.dim(0));  // (N)
  dispatch_float(x.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
#pragma omp parallel for schedule(static) if (x.size() >= kParallelElements)
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t position = position_of[r];
      if (const VectorRows* vectors = vector_rows_of<T>()) {
        vectors->rotate(bf16(x.data<T>() + r * cols), num_heads,
                        table.cos.data<float>() + position * half,
                        table.sin.data<float>() + position * half, inverse, half);
        continue;
      }
      for (int64_t h = 0; h < num_heads; ++h) {
        rotate_head(x.data<T>() + r * cols + h * 2 * half, table.cos.data<A>() + position * half,
                    table.sin.data<A>() + position * half, inverse ? A(-1) : A(1), half);
      }
    }
  });
}

}  // namespace argosy::ops::detail
