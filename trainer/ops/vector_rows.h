// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Memory-bound ops on rows of bf16, written for AVX-512 with its conversions to and from bf16: gcc
// 12 spends seven instructions where the CPU has one, and such a loop waits for arithmetic instead
// of memory. And those of fp32 that do so in plain C++: exponentials, and norms. What the ops mean
// is said where their plain loops are (activation_cpu.cpp, norm_cpu.cpp ...), which run on every
// other CPU. Sums and results are those of the plain loops up to rounding; bf16 denormals become
// zero. Included by *_cpu.cpp files and tests only.
#pragma once

#include <cstdint>

#include "planner/spec/bfloat16.h"

namespace argosy::ops::detail {

// Of one row of a norm: xhat = (x - mean) * inv; RMSNorm has mean 0.
template <typename T>
struct NormRow {
  const T* x;
  const T* gain;
  int64_t cols;
  float mean, inv;
};

// Rows of one norm, one behind the other; RMSNorm has no means.
template <typename T>
struct NormRows {
  const T* x;
  const T* gain;
  int64_t cols;
  const float *means, *invs;
  NormRow<T> row(int64_t r) const {
    return {x + r * cols, gain, cols, means == nullptr ? 0.0f : means[r], invs[r]};
  }
};

// The same before their statistics are known. RMSNorm has neither bias nor means. A residual, if
// there is one, is added to x before.
template <typename T>
struct NormForward {
  const T* residual;
  T* x;
  const T *gain, *bias;
  int64_t cols;
  float eps;
  T* y;
  float *means, *invs;
};

template <typename T>
struct VectorNorm {
  // y = gain xhat + bias, and the statistics, of `count` rows. The bits of a row do not depend on
  // the others, nor on whether the residual was added here.
  void (*forward)(const NormForward<T>& rows, int64_t count);
  // y again; RMSNorm has no bias.
  void (*apply)(const NormRow<T>& row, const T* bias, T* y);
};

// `heads` heads of a row, `stride` elements apart, of each of which `half` pairs turn.
struct TurningHeads {
  int64_t heads, stride, half;
};

struct VectorRows {
  void (*gelu)(const bfloat16* x, bfloat16* y, int64_t size);
  void (*gelu_backward)(const bfloat16* dy, const bfloat16* x, bfloat16* dx, int64_t size);
  void (*gelu_of_floats)(const float* x, float* y, int64_t size);
  void (*gelu_backward_of_floats)(const float* dy, const float* x, float* dx, int64_t size);
  void (*swiglu)(const bfloat16* gate, const bfloat16* up, bfloat16* y, int64_t size);
  void (*swiglu_backward)(const bfloat16* dy, const bfloat16* gate, const bfloat16* up,
                          bfloat16* dgate, bfloat16* dup, int64_t size);
  void (*clamped_swiglu)(const bfloat16* gate, const bfloat16* up, float limit, float alpha,
                         bfloat16* y, int64_t size);
  void (*clamped_swiglu_backward)(const bfloat16* dy, const bfloat16* gate, const bfloat16* up,
                                  float limit, float alpha, bfloat16* dgate, bfloat16* dup,
                                  int64_t size);
  VectorNorm<bfloat16> norm;
  VectorNorm<float> norm_of_floats;
  // dx = inv (d - [mean(d)] - xhat mean(d xhat)) with d = gain dy, [] if `centered` (else the rows'
  // mean is 0), plus what was there if `add`; dgain += dy xhat and dbias += dy, each where it is
  // not null. Of `count` rows.
  void (*normalize_backward)(const NormRows<bfloat16>& rows, int64_t count, const bfloat16* dy,
                             bool centered, bool add, bfloat16* dx, float* dgain, float* dbias);
  // Turns each pair (x[i], x[i + half]), or (x[2i], x[2i + 1]), of each head by its angle.
  void (*rotate_halves)(bfloat16* x, TurningHeads turning, const float* cos, const float* sin,
                        bool inverse);
  void (*rotate_neighbours)(bfloat16* x, TurningHeads turning, const float* cos, const float* sin,
                            bool inverse);
  void (*add)(const bfloat16* x, bfloat16* y, int64_t size);  // y += x
  // sums (size) = the sum of `count` > 0 rows of `size`, one behind the other, in their order.
  void (*sum_rows)(const bfloat16* rows, int64_t count, float* sums, int64_t size);
  // to = sum over j of weights[j] rows[j], plus what was there if `add`.
  void (*weighted_sum)(const bfloat16* const* rows, const float* weights, int64_t count, bool add,
                       bfloat16* to, int64_t size);
  // to = factor * x; returns the sum of x * y. Asks meanwhile for as many elements that x of a
  // later call will be.
  float (*scaled_and_dot)(const bfloat16* x, const bfloat16* y, float factor, bfloat16* to,
                          int64_t size, const bfloat16* later_x);
  // to (num_blocks * kNf4Block): the levels of `codes`, two a byte, times the scale of their block,
  // which is (scales[block] + 1) 256ths of tile_scale. To the bit what the plain loop gives.
  void (*nf4)(const uint8_t* codes, const uint8_t* scales, float tile_scale, int64_t num_blocks,
              bfloat16* to);
  void (*nf4_floats)(const uint8_t* codes, const uint8_t* scales, float tile_scale,
                     int64_t num_blocks, float* to);
  // Sum of squares of (rows, cols), cols <= 32, rows `stride` elements apart.
  float (*tile_squares)(const float* x, int64_t rows, int64_t cols, int64_t stride);
  // The softmax of a row of logits: their maximum, sum of exp(x - top) with their maximum beside it
  // (which is to be less than 88 above `top`: else the sum is none), exp(x - top) * scale, which
  // may go to x itself.
  float (*maximum)(const float* x, int64_t size);
  float (*exp_sum)(const float* x, float top, int64_t size, float* largest);
  void (*exp_scaled)(const float* x, float top, float scale, float* to, int64_t size);
  void (*exp_narrowed)(const float* x, float top, float scale, bfloat16* to, int64_t size);
};

// Null on a CPU without AVX512-BF16, or one that ARGOSY_CPU_KERNELS treats as such.
const VectorRows* vector_rows();

}  // namespace argosy::ops::detail
