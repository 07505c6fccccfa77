// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/vector_rows.h"

#include <algorithm>
#include <limits>

#include "trainer/ops/cpu_kernel_list.h"
#include "trainer/ops/vector_activations_avx512.h"
#include "trainer/ops/vector_nf4_avx512.h"
#include "trainer/ops/vector_norms_avx512.h"
#include "trainer/ops/vector_pairs_avx512.h"

namespace argosy::ops::detail {
namespace {

// By one angle each: the new first and second of 16 pairs.
inline __m512 turned(__m512 a, __m512 b, __m512 cosine, __m512 sine) {
  return _mm512_fmsub_ps(a, cosine, _mm512_mul_ps(b, sine));
}
inline __m512 other(__m512 a, __m512 b, __m512 cosine, __m512 sine) {
  return _mm512_fmadd_ps(b, cosine, _mm512_mul_ps(a, sine));
}
inline __m512 signed_sine(__m512 sine, bool inverse) {
  const __m512i sign = _mm512_set1_epi32(inverse ? std::numeric_limits<int32_t>::min() : 0);
  return _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(sine), sign));
}

void rotate_halves(bfloat16* x, TurningHeads turning, const float* cos, const float* sin,
                   bool inverse) {
  for_steps(turning.half, [&](int64_t i, auto part) [[gnu::always_inline]] {
    const auto signs = [=](__m512 sine) { return signed_sine(sine, inverse); };
    const Pair c = load(cos + i, part), s = both(signs, load(sin + i, part));
    bfloat16 *low = x + i, *high = low + turning.half;
    for (int64_t head = 0; head < turning.heads; ++head) {
      const Pair first = load(low, part), second = load(high, part);
      store(low, both(turned, first, second, c, s), part);
      store(high, both(other, first, second, c, s), part);
      low += turning.stride;
      high += turning.stride;
    }
  });
}

// 32 elements are 16 pairs, which load_mixed() takes apart.
void rotate_neighbours(bfloat16* x, TurningHeads turning, const float* cos, const float* sin,
                       bool inverse) {
  for_steps(2 * turning.half, [&](int64_t i, auto part) [[gnu::always_inline]] {
    const __mmask16 pairs = low_bits(std::min(turning.half - i / 2, kStep / 2));
    const __m512 c = _mm512_maskz_loadu_ps(pairs, cos + i / 2);
    const __m512 s = signed_sine(_mm512_maskz_loadu_ps(pairs, sin + i / 2), inverse);
    bfloat16* at = x + i;
    for (int64_t head = 0; head < turning.heads; ++head, at += turning.stride) {
      const Pair v = load_mixed(at, part);
      store_mixed(at, {turned(v.low, v.high, c, s), other(v.low, v.high, c, s)}, part);
    }
  });
}

void add(const bfloat16* x, bfloat16* y, int64_t size) {
  for_steps(size, [=](int64_t i, auto part) [[gnu::always_inline]] {
    store_mixed(y + i, plus(load_mixed(y + i, part), load_mixed(x + i, part)), part);
  });
}

// Memory is read in its order, and the sums, which stay in the cache, are kept as load_mixed()
// gives them. Rows are asked for beyond what the CPU does by itself: without that 1 thread took 11%
// longer.
void sum_rows(const bfloat16* rows, int64_t count, float* sums, int64_t size) {
  constexpr int64_t kAhead = 4096;  // 8 KiB
  const int64_t whole = size / kStep * kStep;
  const Part rest = {low_bits(size - whole)};
  const auto add_row = [&](const bfloat16* row, auto old, auto old_rest) [[gnu::always_inline]] {
    for (int64_t i = 0; i < whole; i += kStep) {
      prefetch(row + i + kAhead);
      store(sums + i, old(load_mixed(row + i, Whole{}), i), Whole{});
    }
    if (whole < size) store(sums + whole, old_rest(unmixed(load_mixed(row + whole, rest))), rest);
  };
  add_row(
      rows, [](Pair v, int64_t) { return v; }, [](Pair v) { return v; });
  for (int64_t row = 1; row < count; ++row) {
    add_row(
        rows + row * size, [=](Pair v, int64_t i) { return plus(load(sums + i, Whole{}), v); },
        [=](Pair v) { return plus(load(sums + whole, rest), v); });
  }
  for (int64_t i = 0; i < whole; i += kStep)
    store(sums + i, unmixed(load(sums + i, Whole{})), Whole{});
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

float scaled_and_dot(const bfloat16* x, const bfloat16* y, float factor, bfloat16* to, int64_t size,
                     const bfloat16* later_x, const bfloat16* later_y, bfloat16* later_to) {
  Sums sums;
  for_chains(size, [&](int64_t i, auto part, int chain) [[gnu::always_inline]] {
    prefetch(later_x + i);
    prefetch(later_y + i);
    __builtin_prefetch(later_to + i, 1);
    const Pair v = load_mixed(x + i, part);
    sums.chains[chain] = fused(v, load_mixed(y + i, part), sums.chains[chain]);
    store_mixed(to + i, both([=](__m512 a) { return _mm512_mul_ps(all(factor), a); }, v), part);
  });
  return sums.total();
}

float tile_squares(const float* x, int64_t rows, int64_t cols, int64_t stride) {
  Sums sums;
  const auto add_rows = [&](auto part) [[gnu::always_inline]] {
    for (int64_t r = 0; r < rows; ++r) {
      const Pair v = load(x + r * stride, part);
      sums.chains[r % 2] = fused(v, v, sums.chains[r % 2]);
    }
  };
  if (cols == kStep) {
    add_rows(Whole{});
  } else {
    add_rows(Part{low_bits(cols)});
  }
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

// sums += a b of the elements that there are.
inline Pair add_terms(const Pair& a, const Pair& b, const Pair& sums, Whole) {
  return fused(a, b, sums);
}
inline Pair add_terms(const Pair& a, const Pair& b, const Pair& sums, Part p) {
  return {_mm512_mask3_fmadd_ps(a.low, b.low, sums.low, low_mask(p)),
          _mm512_mask3_fmadd_ps(a.high, b.high, sums.high, high_mask(p))};
}

// The larger of both, of the elements that there are; a NaN is passed over.
inline Pair larger(const Pair& v, const Pair& most, Whole) {
  return {_mm512_max_ps(v.low, most.low), _mm512_max_ps(v.high, most.high)};
}
inline Pair larger(const Pair& v, const Pair& most, Part p) {
  return {_mm512_mask_max_ps(most.low, low_mask(p), v.low, most.low),
          _mm512_mask_max_ps(most.high, high_mask(p), v.high, most.high)};
}

// e^x = 2^t, t = x log2(e): n, the whole number next to t, is in the low bits of t + kRound, beside
// fp32's own offset of exponents; the rest of t is at most 1/2. The polynomial as in
// fine_power_of_two(). What is below e^-87 counts as that: beside a sum of at least 1 it is
// nothing.
float exp_sum(const float* x, float top, int64_t size, float* largest) {
  constexpr float kRound = 12582912.0f + 127.0f;  // 1.5 * 2^23: its last bit counts ones
  constexpr int64_t kAhead = 1024;  // 4 KiB: farther than the CPU looks while it computes
  Sums sums;
  const __m512 lowest = all(-std::numeric_limits<float>::infinity());
  Pair most = {lowest, lowest};
  // The second operand where one is a NaN.
  const auto below_top = [=](__m512 v) {
    return _mm512_max_ps(all(-87.0f), _mm512_sub_ps(v, all(top)));
  };
  const auto shifted = [](__m512 v) { return _mm512_fmadd_ps(v, all(kLog2E), all(kRound)); };
  const auto rest = [](__m512 v, __m512 n) {
    return _mm512_fmsub_ps(v, all(kLog2E), _mm512_sub_ps(n, all(kRound)));
  };
  const auto power = [](__m512 n) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(n), 23));
  };
  for_chains(size, [&](int64_t i, auto part, int chain) [[gnu::always_inline]] {
    prefetch(x + i + kAhead);
    prefetch(x + i + kAhead + 16);
    const Pair logits = load(x + i, part);
    most = larger(logits, most, part);
    const Pair v = both(below_top, logits), n = both(shifted, v);
    const Pair p = both([](__m512 r) { return fine_polynomial(r); }, both(rest, v, n));
    sums.chains[chain] = add_terms(p, both(power, n), sums.chains[chain], part);
  });
  *largest = _mm512_reduce_max_ps(_mm512_max_ps(most.low, most.high));
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
  static constexpr VectorRows kRows = {gelu<bfloat16>,
                                       gelu_backward<bfloat16>,
                                       gelu<float>,
                                       gelu_backward<float>,
                                       swiglu,
                                       swiglu_backward,
                                       clamped_swiglu,
                                       clamped_swiglu_backward,
                                       sum_of_squares,
                                       moments,
                                       normalize,
                                       normalize_backward,
                                       rotate_halves,
                                       rotate_neighbours,
                                       add,
                                       sum_rows,
                                       weighted_sum,
                                       scaled_and_dot,
                                       nf4,
                                       nf4_floats,
                                       tile_squares,
                                       maximum,
                                       exp_sum,
                                       exp_to<float>,
                                       exp_to<bfloat16>};
  return kRows;
}

}  // namespace argosy::ops::detail
