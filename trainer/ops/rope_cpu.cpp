// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <cmath>
#include <type_traits>

#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/rope.h"
#include "trainer/ops/simd_math.h"

namespace argosy::ops::detail {
namespace {

// Turns each pair (x[i], x[i + half]) by its angle; `direction` -1 turns back.
template <typename T, typename A>
void rotate_halves(T* x, const A* cos, const A* sin, A direction, int64_t half) {
#pragma omp simd
  for (int64_t i = 0; i < half; ++i) {
    const A first = A(x[i]), second = A(x[i + half]), sine = direction * sin[i];
    store(x[i], first * cos[i] - second * sine);
    store(x[i + half], second * cos[i] + first * sine);
  }
}

// The same on each pair (x[2i], x[2i + 1]).
template <typename T, typename A>
void rotate_neighbours(T* x, const A* cos, const A* sin, A direction, int64_t half) {
#pragma omp simd
  for (int64_t i = 0; i < half; ++i) {
    const A first = A(x[2 * i]), second = A(x[2 * i + 1]), sine = direction * sin[i];
    store(x[2 * i], first * cos[i] - second * sine);
    store(x[2 * i + 1], second * cos[i] + first * sine);
  }
}

// x: the part of a row's first head; the others follow `part.head_dim` elements apart.
template <typename T, typename A>
void rotate_row(T* x, int64_t num_heads, const RopePart& part, const A* cos, const A* sin,
                bool inverse) {
  const int64_t half = part.size / 2;
  if constexpr (std::is_same_v<T, bfloat16>) {
    if (const VectorRows* vectors = vector_rows()) {
      const auto rotate = part.interleaved ? vectors->rotate_neighbours : vectors->rotate_halves;
      rotate(x, {num_heads, part.head_dim, half}, cos, sin, inverse);
      return;
    }
  }
  const A direction = inverse ? A(-1) : A(1);
  for (int64_t h = 0; h < num_heads; ++h, x += part.head_dim) {
    if (part.interleaved) {
      rotate_neighbours(x, cos, sin, direction, half);
    } else {
      rotate_halves(x, cos, sin, direction, half);
    }
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
void rope<Device::cpu>(const Tensor& x, const RopePart& part, const Tensor& positions,
                       const RopeTable& table, bool inverse) {
  const int64_t rows = x.dim(0), cols = x.dim(1), half = part.size / 2;
  const int32_t* position_of = checked_positions(positions, table.cos.dim(0));  // (N)
  dispatch_float(x.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
#pragma omp parallel for schedule(static) if (x.size() >= kParallelElements)
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t at = position_of[r] * half;
      rotate_row(x.data<T>() + r * cols + part.begin, cols / part.head_dim, part,
                 table.cos.data<A>() + at, table.sin.data<A>() + at, inverse);
    }
  });
}

}  // namespace argosy::ops::detail
