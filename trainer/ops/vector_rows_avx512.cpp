// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/vector_rows.h"

#include <algorithm>
#include <limits>

#include "trainer/ops/cpu_kernel_list.h"
#include "trainer/ops/vector_activations_avx512.h"
#include "trainer/ops/vector_pairs_avx512.h"

namespace argosy::ops::detail {
namespace {

// Elements beyond the end are not to count as 0 - center.
inline Pair centered_on(const Pair& v, __m512 center, Whole) {
  return {_mm512_sub_ps(v.low, center), _mm512_sub_ps(v.high, center)};
}
inline Pair centered_on(const Pair& v, __m512 center, Part p) {
  return {_mm512_maskz_sub_ps(even_mask(p), v.low, center),
          _mm512_maskz_sub_ps(odd_mask(p), v.high, center)};
}

float sum_of_squares(const bfloat16* x, int64_t size) {
  Sums sums;
  for_chains(size, [&](int64_t i, auto part, int chain) [[gnu::always_inline]] {
    prefetch(x + size + i);
    const Pair v = load_mixed(x + i, part);
    sums.chains[chain] = fused(v, v, sums.chains[chain]);
  });
  return sums.total();
}

float sum_of_first(const bfloat16* x, int64_t size) {
  const Pair first = size < kStep ? load_mixed(x, Part{low_bits(size)}) : load_mixed(x, Whole{});
  return _mm512_reduce_add_ps(_mm512_add_ps(first.low, first.high));
}

// In one pass, from distances to the mean of the row's first elements. That mean is at most
// sqrt(size / kStep) deviations from the row's, so that the difference below loses no more than
// size / kStep roundings of fp32.
Moments moments(const bfloat16* x, int64_t size) {
  const auto count = static_cast<float>(size);
  const float guess = sum_of_first(x, size) / static_cast<float>(std::min(size, kStep));
  Sums sums, squares;
  for_chains(size, [&](int64_t i, auto part, int chain) [[gnu::always_inline]] {
    prefetch(x + size + i);
    const Pair v = centered_on(load_mixed(x + i, part), all(guess), part);
    sums.chains[chain] = plus(sums.chains[chain], v);
    squares.chains[chain] = fused(v, v, squares.chains[chain]);
  });
  const float distance = sums.total() / count;
  const float variance = squares.total() / count - distance * distance;
  // A row of equal numbers may leave a rounding below zero; a NaN stays one.
  return {guess + distance, variance < 0.0f ? 0.0f : variance};
}

void normalize(const NormRow& row, const bfloat16* bias, bfloat16* y) {
  const __m512 mean = all(row.mean), inv = all(row.inv);
  const auto xhat = [=](__m512 x) { return _mm512_mul_ps(_mm512_sub_ps(x, mean), inv); };
  const auto scaled = [=](__m512 x, __m512 gain) { return _mm512_mul_ps(xhat(x), gain); };
  const auto shifted = [=](__m512 x, __m512 gain, __m512 b) {
    return _mm512_fmadd_ps(xhat(x), gain, b);
  };
  if (bias == nullptr) {
    for_steps(row.cols, [&](int64_t i, auto part) [[gnu::always_inline]] {
      const Pair x = load_mixed(row.x + i, part), gain = load_mixed(row.gain + i, part);
      store_mixed(y + i, both(scaled, x, gain), part);
    });
    return;
  }
  for_steps(row.cols, [&](int64_t i, auto part) [[gnu::always_inline]] {
    const Pair x = load_mixed(row.x + i, part), gain = load_mixed(row.gain + i, part);
    store_mixed(y + i, both(shifted, x, gain, load_mixed(bias + i, part)), part);
  });
}

// sums += v, which is in the order of load_mixed().
inline void accumulate(float* sums, const Pair& v, auto part) {
  store(sums, plus(load(sums, part), unmixed(v)), part);
}

// What a row of the backward pass needs besides its elements.
struct RowTerms {
  float mean, inv, shift, slope;
};

RowTerms row_terms(const NormRow& row, const bfloat16* dy, bool centered, const bfloat16* next_dx) {
  const __m512 mean = all(row.mean), inv = all(row.inv);
  const auto xhat_of = [=](__m512 x) { return _mm512_mul_ps(_mm512_sub_ps(x, mean), inv); };
  const auto product = [](__m512 a, __m512 b) { return _mm512_mul_ps(a, b); };
  Sums sums, projections;
  for_chains(row.cols, [&](int64_t i, auto part, int chain) [[gnu::always_inline]] {
    if (next_dx != nullptr) prefetch(next_dx + i);
    const Pair d = both(product, load_mixed(dy + i, part), load_mixed(row.gain + i, part));
    const Pair xhat = both(xhat_of, load_mixed(row.x + i, part));
    sums.chains[chain] = plus(sums.chains[chain], d);
    projections.chains[chain] = fused(d, xhat, projections.chains[chain]);
  });
  const float size = static_cast<float>(row.cols);
  return {row.mean, row.inv, centered ? sums.total() / size : 0.0f, projections.total() / size};
}

// kRows rows together: gain is loaded, and the sums over rows are, once for all of them.
template <int kRows, bool kAdd>
void rows_backward(const NormRow& first, const RowTerms* terms, const bfloat16* dy, bfloat16* dx,
                   float* dgain, float* dbias) {
  const int64_t cols = first.cols;
  for_steps(cols, [&](int64_t i, auto part) [[gnu::always_inline]] {
    const Pair gain = load_mixed(first.gain + i, part);
    Pair gain_sum = {}, bias_sum = {};
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const int64_t at = r * cols + i;
      const RowTerms& row = terms[r];
      const __m512 mean = all(row.mean), inv = all(row.inv);
      const __m512 shift = all(row.shift), slope = all(row.slope);
      const auto xhat_of = [=](__m512 x) { return _mm512_mul_ps(_mm512_sub_ps(x, mean), inv); };
      const auto gradient = [=](__m512 grad, __m512 g, __m512 xhat) {
        return _mm512_fmsub_ps(grad, g, _mm512_fmadd_ps(xhat, slope, shift));
      };
      prefetch(dy + kRows * cols + at);
      prefetch(first.x + kRows * cols + at);
      const Pair grad = load_mixed(dy + at, part);
      const Pair xhat = both(xhat_of, load_mixed(first.x + at, part));
      gain_sum = fused(grad, xhat, gain_sum);
      bias_sum = plus(bias_sum, grad);
      const Pair bent = both(gradient, grad, gain, xhat);
      if constexpr (kAdd) {
        const auto sum = [=](__m512 v, __m512 old) { return _mm512_fmadd_ps(inv, v, old); };
        store_mixed(dx + at, both(sum, bent, load_mixed(dx + at, part)), part);
      } else {
        store_mixed(dx + at, both([=](__m512 v) { return _mm512_mul_ps(inv, v); }, bent), part);
      }
    }
    if (dgain != nullptr) accumulate(dgain + i, gain_sum, part);
    if (dbias != nullptr) accumulate(dbias + i, bias_sum, part);
  });
}

void normalize_backward(const NormRow* rows, int64_t count, const bfloat16* dy, bool centered,
                        bool add, bfloat16* dx, float* dgain, float* dbias) {
  constexpr int64_t kRows = 4;  // their elements stay in a level-1 cache from one pass to the next
  RowTerms terms[kRows];
  for (int64_t r = 0; r < count;) {
    const int64_t together = count - r < kRows ? 1 : kRows, begin = r * rows[r].cols;
    for (int64_t i = 0; i < together; ++i) {
      const int64_t at = begin + i * rows[r].cols;
      terms[i] = row_terms(rows[r + i], dy + at, centered, add ? dx + at : nullptr);
    }
    const auto run = together == kRows
                         ? (add ? rows_backward<kRows, true> : rows_backward<kRows, false>)
                         : (add ? rows_backward<1, true> : rows_backward<1, false>);
    run(rows[r], terms, dy + begin, dx + begin, dgain, dbias);
    r += together;
  }
}

void rotate(bfloat16* x, int64_t heads, const float* cos, const float* sin, bool inverse,
            int64_t half) {
  const __m512i sign = _mm512_set1_epi32(inverse ? std::numeric_limits<int32_t>::min() : 0);
  for_steps(half, [&](int64_t i, auto part) [[gnu::always_inline]] {
    const auto signed_sine = [=](__m512 v) {
      return _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(v), sign));
    };
    const auto turned = [](__m512 a, __m512 b, __m512 cosine, __m512 sine) {
      return _mm512_fmsub_ps(a, cosine, _mm512_mul_ps(b, sine));
    };
    const auto other = [](__m512 a, __m512 b, __m512 cosine, __m512 sine) {
      return _mm512_fmadd_ps(b, cosine, _mm512_mul_ps(a, sine));
    };
    const Pair c = load(cos + i, part), s = both(signed_sine, load(sin + i, part));
    bfloat16* low = x + i;
    for (int64_t head = 0; head < heads; ++head, low += 2 * half) {
      const Pair first = load(low, part), second = load(low + half, part);
      store(low, both(turned, first, second, c, s), part);
      store(low + half, both(other, first, second, c, s), part);
    }
  });
}

void add(const bfloat16* x, bfloat16* y, int64_t size) {
  for_steps(size, [=](int64_t i, auto part) [[gnu::always_inline]] {
    store_mixed(y + i, plus(load_mixed(y + i, part), load_mixed(x + i, part)), part);
  });
}

void add_four_rows(const bfloat16* rows, float* sums, int64_t size) {
  for_steps(size, [=](int64_t i, auto part) [[gnu::always_inline]] {
    const bfloat16* at = rows + i;
    for (int64_t row = 4; row < 8; ++row) prefetch(at + row * size);
    const Pair upper = plus(load(at, part), load(at + size, part));
    const Pair lower = plus(load(at + 2 * size, part), load(at + 3 * size, part));
    store(sums + i, plus(load(sums + i, part), plus(upper, lower)), part);
  });
}

void weighted_sum(const bfloat16* const* rows, const float* weights, int64_t count, bool add_old,
                  bfloat16* to, int64_t size) {
  for_steps(size, [=](int64_t i, auto part) [[gnu::always_inline]] {
    Pair result = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    for (int64_t j = 0; j < count; ++j) {
      const __m512 weight = all(weights[j]);
      result = both([=](__m512 a, __m512 b) { return _mm512_fmadd_ps(weight, a, b); },
                    load_mixed(rows[j] + i, part), result);
    }
    if (add_old) {
      result = plus(load_mixed(to + i, part), result);
    }
    store_mixed(to + i, result, part);
  });
}

float scaled_and_dot(const bfloat16* x, const bfloat16* y, float factor, bfloat16* to,
                     int64_t size) {
  Sums sums;
  for_chains(size, [&](int64_t i, auto part, int chain) [[gnu::always_inline]] {
    const Pair v = load_mixed(x + i, part);
    sums.chains[chain] = fused(v, load_mixed(y + i, part), sums.chains[chain]);
    store_mixed(to + i, both([=](__m512 a) { return _mm512_mul_ps(all(factor), a); }, v), part);
  });
  return sums.total();
}

float maximum(const float* x, int64_t size) {
  const __m512 lowest = all(-std::numeric_limits<float>::infinity());
  __m512 low = lowest, high = lowest;
  int64_t i = 0;
  for (; i + kStep <= size; i += kStep) {
    low = _mm512_max_ps(_mm512_loadu_ps(x + i), low);
    high = _mm512_max_ps(_mm512_loadu_ps(x + i + 16), high);
  }
  for (; i < size; i += 16) {
    const auto mask = static_cast<__mmask16>(low_bits(size - i));
    low = _mm512_max_ps(_mm512_mask_loadu_ps(lowest, mask, x + i), low);
  }
  return _mm512_reduce_max_ps(_mm512_max_ps(low, high));
}

// Terms of elements beyond the end are not to count as e^-top.
inline __m512 add_terms(__m512 sum, __m512 terms, __mmask16 mask) {
  return _mm512_mask_add_ps(sum, mask, sum, terms);
}
inline Pair add_terms(const Pair& sums, const Pair& terms, Whole) {
  return plus(sums, terms);
}
inline Pair add_terms(const Pair& sums, const Pair& terms, Part p) {
  return {add_terms(sums.low, terms.low, low_mask(p)),
          add_terms(sums.high, terms.high, high_mask(p))};
}

float exp_sum(const float* x, float top, int64_t size) {
  Sums sums;
  const auto term = [=](__m512 v) { return exponential(_mm512_sub_ps(v, all(top))); };
  for_chains(size, [&](int64_t i, auto part, int chain) [[gnu::always_inline]] {
    prefetch(x + size + i);
    prefetch(x + size + i + 16);
    sums.chains[chain] = add_terms(sums.chains[chain], both(term, load(x + i, part)), part);
  });
  return sums.total();
}

template <typename T>
void exp_to(const float* x, float top, float scale, T* to, int64_t size) {
  const auto f = [=](__m512 v) {
    return _mm512_mul_ps(all(scale), exponential(_mm512_sub_ps(v, all(top))));
  };
  for_steps(size, [=](int64_t i, auto part)
                      [[gnu::always_inline]] { store(to + i, both(f, load(x + i, part)), part); });
}

}  // namespace

const VectorRows& avx512_vector_rows() {
  static constexpr VectorRows kRows = {gelu,
                                       gelu_backward,
                                       swiglu,
                                       swiglu_backward,
                                       sum_of_squares,
                                       moments,
                                       normalize,
                                       normalize_backward,
                                       rotate,
                                       add,
                                       add_four_rows,
                                       weighted_sum,
                                       scaled_and_dot,
                                       maximum,
                                       exp_sum,
                                       exp_to<float>,
                                       exp_to<bfloat16>};
  return kRows;
}

}  // namespace argosy::ops::detail
