// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/vector_rows.h"

#include <algorithm>
#include <limits>

#include "trainer/ops/cpu_kernel_list.h"
#include "trainer/ops/vector_activations_avx512.h"
#include "trainer/ops/vector_gelu_avx512.h"
#include "trainer/ops/vector_nf4_avx512.h"
#include "trainer/ops/vector_norm_backward_avx512.h"
#include "trainer/ops/vector_norm_forward_avx512.h"
#include "trainer/ops/vector_pairs_avx512.h"
#include "trainer/ops/vector_softmax_avx512.h"

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

// Row after row: eight at a time, as in fp32, were slower.
void sum_rows(const bfloat16* rows, int64_t count, float* sums, int64_t size) {
  constexpr int64_t kAhead = 4096;  // 8 KiB
  std::fill_n(sums, size, 0.0f);
  for (const bfloat16* row = rows; row < rows + count * size; row += size) {
    for_steps(size, [=](int64_t i, auto part) [[gnu::always_inline]] {
      prefetch_rows(row + i + kAhead);
      accumulate(sums + i, load_mixed(row + i, part), part);
    });
  }
  reorder(sums, size, unmixed);
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
                     const bfloat16* later_x) {
  Sums sums;
  for_chains(size, [&](int64_t i, auto part, int chain) [[gnu::always_inline]] {
    prefetch_rows(later_x + i);
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

}  // namespace

const VectorRows& avx512_vector_rows() {
  static constexpr VectorRows kRows = {gelu,
                                       gelu_backward,
                                       gelu,
                                       gelu_backward,
                                       swiglu,
                                       swiglu_backward,
                                       clamped_swiglu,
                                       clamped_swiglu_backward,
                                       {norm_forward<bfloat16>, normalize<bfloat16>},
                                       {norm_forward<float>, normalize<float>},
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
