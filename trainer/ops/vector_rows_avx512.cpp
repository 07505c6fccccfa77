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

// Rows of the backward pass that are worked on together: gain is loaded, and the sums over rows
// are, once for all of them.
constexpr int64_t kRowsTogether = 2;  // of 768 columns four would not fit into a level-1 cache

// What a row of the backward pass needs besides its elements.
struct RowTerms {
  float mean, inv, shift, slope;
};

// The sums over the columns that shift and slope come from, of kRows rows. With mean(d) where
// kCentered.
template <int kRows, bool kCentered>
struct RowSums {
  __m512 sums[kRows], projections[kRows];

  RowSums() {
    for (int r = 0; r < kRows; ++r) sums[r] = projections[r] = _mm512_setzero_ps();
  }
  // Columns i and on of each of the rows, which begin with `first`.
  [[gnu::always_inline]] void add(const NormRow* first, const bfloat16* dy, const Pair& gain,
                                  int64_t i, auto part) {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const __m512 mean = all(first[r].mean), inv = all(first[r].inv);
      const auto xhat_of = [=](__m512 x) {
        return _mm512_mul_ps(kCentered ? _mm512_sub_ps(x, mean) : x, inv);
      };
      const int64_t at = r * first->cols + i;
      const Pair d = both([](__m512 a, __m512 b) { return _mm512_mul_ps(a, b); },
                          load_mixed(dy + at, part), gain);
      const Pair xhat = both(xhat_of, load_mixed(first->x + at, part));
      if constexpr (kCentered) sums[r] = _mm512_add_ps(sums[r], _mm512_add_ps(d.low, d.high));
      projections[r] = _mm512_fmadd_ps(d.low, xhat.low, projections[r]);
      projections[r] = _mm512_fmadd_ps(d.high, xhat.high, projections[r]);
    }
  }
  void finish(const NormRow* first, RowTerms* terms) const {
    const float size = static_cast<float>(first->cols);
    for (int r = 0; r < kRows; ++r) {
      terms[r] = {first[r].mean, first[r].inv,
                  kCentered ? _mm512_reduce_add_ps(sums[r]) / size : 0.0f,
                  _mm512_reduce_add_ps(projections[r]) / size};
    }
  }
};

// Of rows whose sums nobody has taken yet.
template <int kRows, bool kCentered>
void take_sums(const NormRow* first, const bfloat16* dy, RowTerms* terms) {
  RowSums<kRows, kCentered> sums;
  for_steps(first->cols, [&](int64_t i, auto part) [[gnu::always_inline]] {
    sums.add(first, dy, load_mixed(first->gain + i, part), i, part);
  });
  sums.finish(first, terms);
}

// kRows rows whose terms are known; with kNext the sums of as many rows behind them in the same
// loop, and the rows behind those are asked for: memory is read all the time, not in bursts.
template <int kRows, bool kCentered, bool kAdd, bool kNext>
void rows_backward(const NormRow* first, RowTerms* terms, const bfloat16* dy, bfloat16* dx,
                   float* dgain, float* dbias) {
  const int64_t cols = first->cols, group = kRows * cols;
  RowSums<kRows, kCentered> next;
  for_steps(cols, [&](int64_t i, auto part) [[gnu::always_inline]] {
    const Pair gain = load_mixed(first->gain + i, part);
    Pair gain_sum = {}, bias_sum = {};
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const int64_t at = r * cols + i;
      const RowTerms& row = terms[r];
      const __m512 mean = all(row.mean), inv = all(row.inv);
      const __m512 shift = all(row.shift), slope = all(row.slope);
      const auto xhat_of = [=](__m512 x) {
        return _mm512_mul_ps(kCentered ? _mm512_sub_ps(x, mean) : x, inv);
      };
      const auto gradient = [=](__m512 grad, __m512 g, __m512 xhat) {
        const __m512 bent =
            kCentered ? _mm512_fmadd_ps(xhat, slope, shift) : _mm512_mul_ps(xhat, slope);
        return _mm512_fmsub_ps(grad, g, bent);
      };
      prefetch(dy + 2 * group + at);
      prefetch(first->x + 2 * group + at);
      prefetch(dx + group + at);
      const Pair grad = load_mixed(dy + at, part);
      const Pair xhat = both(xhat_of, load_mixed(first->x + at, part));
      gain_sum = fused(grad, xhat, gain_sum);
      if constexpr (kCentered) bias_sum = plus(bias_sum, grad);
      const Pair bent = both(gradient, grad, gain, xhat);
      if constexpr (kAdd) {
        const auto sum = [=](__m512 v, __m512 old) { return _mm512_fmadd_ps(inv, v, old); };
        store_mixed(dx + at, both(sum, bent, load_mixed(dx + at, part)), part);
      } else {
        store_mixed(dx + at, both([=](__m512 v) { return _mm512_mul_ps(inv, v); }, bent), part);
      }
    }
    if (dgain != nullptr) accumulate(dgain + i, gain_sum, part);
    if (kCentered && dbias != nullptr) accumulate(dbias + i, bias_sum, part);
    if constexpr (kNext) next.add(first + kRows, dy + group, gain, i, part);
  });
  if constexpr (kNext) next.finish(first + kRows, terms);
}

template <bool kCentered, bool kAdd>
void all_backward(const NormRow* rows, int64_t count, const bfloat16* dy, bfloat16* dx,
                  float* dgain, float* dbias) {
  constexpr int kRows = kRowsTogether;
  constexpr int64_t kBlock = kRows;
  if (count == 0) return;
  const int64_t cols = rows->cols;
  RowTerms terms[kRows];
  if (count >= kRows) take_sums<kRows, kCentered>(rows, dy, terms);
  for (; count >= kBlock;
       count -= kBlock, rows += kBlock, dy += kBlock * cols, dx += kBlock * cols) {
    const auto run = count >= 2 * kBlock ? rows_backward<kRows, kCentered, kAdd, true>
                                         : rows_backward<kRows, kCentered, kAdd, false>;
    run(rows, terms, dy, dx, dgain, dbias);
  }
  for (; count > 0; --count, ++rows, dy += cols, dx += cols) {
    take_sums<1, kCentered>(rows, dy, terms);
    rows_backward<1, kCentered, kAdd, false>(rows, terms, dy, dx, dgain, dbias);
  }
}

void normalize_backward(const NormRow* rows, int64_t count, const bfloat16* dy, bool centered,
                        bool add, bfloat16* dx, float* dgain, float* dbias) {
  const auto run = centered ? (add ? all_backward<true, true> : all_backward<true, false>)
                            : (add ? all_backward<false, true> : all_backward<false, false>);
  run(rows, count, dy, dx, dgain, dbias);
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
  static constexpr VectorRows kRows = {gelu<bfloat16>, gelu_backward<bfloat16>,
                                       gelu<float>,    gelu_backward<float>,
                                       swiglu,         swiglu_backward,
                                       sum_of_squares, moments,
                                       normalize,      normalize_backward,
                                       rotate,         add,
                                       sum_rows,       weighted_sum,
                                       scaled_and_dot, tile_squares,
                                       maximum,        exp_sum,
                                       exp_to<float>,  exp_to<bfloat16>};
  return kRows;
}

}  // namespace argosy::ops::detail
