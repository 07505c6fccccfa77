// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/vector_rows.h"

#include <limits>

#include "trainer/ops/cpu_kernel_list.h"
#include "trainer/ops/vector_activations_avx512.h"
#include "trainer/ops/vector_pairs_avx512.h"

namespace argosy::ops::detail {
namespace {

float sum(const bfloat16* x, int64_t size) {
  Sums sums;
  for_chains(size, [&](int64_t i, auto part, int chain) [[gnu::always_inline]] {
    prefetch(x + size + i);
    sums.chains[chain] = plus(sums.chains[chain], load(x + i, part));
  });
  return sums.total();
}

// Elements beyond the end are not to count as 0 - center.
inline Pair centered_on(Pair v, __m512 center, Whole) {
  return {_mm512_sub_ps(v.low, center), _mm512_sub_ps(v.high, center)};
}
inline Pair centered_on(Pair v, __m512 center, Part p) {
  return {_mm512_maskz_sub_ps(low_mask(p), v.low, center),
          _mm512_maskz_sub_ps(high_mask(p), v.high, center)};
}

float sum_of_squares(const bfloat16* x, float center, int64_t size) {
  Sums sums;
  for_chains(size, [&](int64_t i, auto part, int chain) [[gnu::always_inline]] {
    prefetch(x + size + i);
    const Pair v = centered_on(load(x + i, part), all(center), part);
    sums.chains[chain] = fused(v, v, sums.chains[chain]);
  });
  return sums.total();
}

void normalize(const NormRow& row, const bfloat16* bias, bfloat16* y) {
  const __m512 mean = all(row.mean), inv = all(row.inv);
  const auto xhat = [=](__m512 x) { return _mm512_mul_ps(_mm512_sub_ps(x, mean), inv); };
  const auto scaled = [=](__m512 x, __m512 gain) { return _mm512_mul_ps(xhat(x), gain); };
  const auto shifted = [=](__m512 x, __m512 gain, __m512 b) {
    return _mm512_fmadd_ps(xhat(x), gain, b);
  };
  for_steps(row.cols, [&](int64_t i, auto part) [[gnu::always_inline]] {
    const Pair x = load(row.x + i, part), gain = load(row.gain + i, part);
    store(y + i,
          bias == nullptr ? both(scaled, x, gain) : both(shifted, x, gain, load(bias + i, part)),
          part);
  });
}

inline void accumulate(float* sums, Pair v, auto part) {
  store(sums, plus(load(sums, part), v), part);
}

void normalize_backward(const NormRow& row, const bfloat16* dy, bool centered, bool add,
                        bfloat16* dx, float* dgain, float* dbias) {
  const __m512 mean = all(row.mean), inv = all(row.inv);
  const auto xhat_of = [=](__m512 x) { return _mm512_mul_ps(_mm512_sub_ps(x, mean), inv); };
  const auto product = [](__m512 a, __m512 b) { return _mm512_mul_ps(a, b); };
  Sums sums, projections;
  for_chains(row.cols, [&](int64_t i, auto part, int chain) [[gnu::always_inline]] {
    if (add) prefetch(dx + i);
    const Pair d = both(product, load(dy + i, part), load(row.gain + i, part));
    const Pair xhat = both(xhat_of, load(row.x + i, part));
    sums.chains[chain] = plus(sums.chains[chain], d);
    projections.chains[chain] = fused(d, xhat, projections.chains[chain]);
  });
  const float size = static_cast<float>(row.cols);
  const __m512 shift = all(centered ? sums.total() / size : 0.0f);
  const __m512 slope = all(projections.total() / size);
  const auto gradient = [=](__m512 grad, __m512 gain, __m512 xhat) {
    const __m512 rest = _mm512_fmadd_ps(xhat, slope, shift);
    return _mm512_mul_ps(inv, _mm512_fmsub_ps(grad, gain, rest));
  };
  for_steps(row.cols, [&](int64_t i, auto part) [[gnu::always_inline]] {
    prefetch(dy + row.cols + i);
    prefetch(row.x + row.cols + i);
    const Pair grad = load(dy + i, part), xhat = both(xhat_of, load(row.x + i, part));
    if (dgain != nullptr) accumulate(dgain + i, both(product, grad, xhat), part);
    if (dbias != nullptr) accumulate(dbias + i, grad, part);
    Pair result = both(gradient, grad, load(row.gain + i, part), xhat);
    if (add) {
      result = plus(load(dx + i, part), result);
    }
    store(dx + i, result, part);
  });
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
    store(y + i, plus(load(y + i, part), load(x + i, part)), part);
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
                    load(rows[j] + i, part), result);
    }
    if (add_old) {
      result = plus(load(to + i, part), result);
    }
    store(to + i, result, part);
  });
}

float scaled_and_dot(const bfloat16* x, const bfloat16* y, float factor, bfloat16* to,
                     int64_t size) {
  Sums sums;
  for_chains(size, [&](int64_t i, auto part, int chain) [[gnu::always_inline]] {
    const Pair v = load(x + i, part);
    sums.chains[chain] = fused(v, load(y + i, part), sums.chains[chain]);
    store(to + i, both([=](__m512 a) { return _mm512_mul_ps(all(factor), a); }, v), part);
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
                                       sum,
                                       sum_of_squares,
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
