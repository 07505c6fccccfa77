// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// 12 x 32 sums in 24 of the 32 vector registers: enough independent sums to hide the latency of two
// FMAs a cycle (4 cycles; VDPBF16PS: 6 on Zen 5), and 14 loads for 24 products. The sums stay in
// registers for the whole length of a panel.
#include "trainer/ops/cpu_kernel_list.h"

#include <algorithm>
#include <array>
#include <utility>

#include "trainer/ops/cpu_attention_avx512.h"
#include "trainer/ops/cpu_pack_avx512.h"
#include "trainer/ops/cpu_write_avx512.h"

namespace argosy::ops::detail {
namespace {

constexpr int64_t kRows = 12;

template <DType kDtype>
inline __m512 add_product(__m512 sum, uint32_t a, __m512i b) {
  const __m512i x = _mm512_set1_epi32(static_cast<int>(a));
  if constexpr (kDtype == DType::bf16) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(b));
  } else {
    return _mm512_fmadd_ps(_mm512_castsi512_ps(x), _mm512_castsi512_ps(b), sum);
  }
}

template <DType kDtype, int kCount>
void multiply_rows(int64_t words, const void* a_panel, const void* b_panel, float* c,
                   int64_t c_stride, bool accumulate) {
  const auto* a = static_cast<const uint32_t*>(a_panel);
  const auto* b = static_cast<const uint32_t*>(b_panel);
  __m512 sums[kCount][2];
#pragma GCC unroll 12
  for (int r = 0; r < kCount; ++r) {
    // On their way while the products run.
    __builtin_prefetch(c + r * c_stride, 1);
    __builtin_prefetch(c + r * c_stride + 16, 1);
    __builtin_prefetch(c + r * c_stride + 31, 1);
    sums[r][0] = sums[r][1] = _mm512_setzero_ps();
  }
  for (; words > 0; words -= kChunkWords, a += kRows * kChunkWords) {
    const int64_t count = std::min(words, kChunkWords);
    for (int64_t w = 0; w < count; ++w, b += kPanelColumns) {
      const __m512i b0 = _mm512_load_si512(b), b1 = _mm512_load_si512(b + 16);
#pragma GCC unroll 12
      for (int r = 0; r < kCount; ++r) {
        sums[r][0] = add_product<kDtype>(sums[r][0], a[r * kChunkWords + w], b0);
        sums[r][1] = add_product<kDtype>(sums[r][1], a[r * kChunkWords + w], b1);
      }
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < kCount; ++r) {
    float* row = c + r * c_stride;
    if (accumulate) {
      sums[r][0] = _mm512_add_ps(sums[r][0], _mm512_loadu_ps(row));
      sums[r][1] = _mm512_add_ps(sums[r][1], _mm512_loadu_ps(row + 16));
    }
    _mm512_storeu_ps(row, sums[r][0]);
    _mm512_storeu_ps(row + 16, sums[r][1]);
  }
}

using MultiplyRows = void (*)(int64_t, const void*, const void*, float*, int64_t, bool);

template <DType kDtype, int... kIndex>
constexpr std::array<MultiplyRows, kRows> row_table(std::integer_sequence<int, kIndex...>) {
  return {multiply_rows<kDtype, kIndex + 1>...};
}

template <DType kDtype>
void multiply(int64_t rows, int64_t words, const void* a, const void* b, float* c, int64_t c_stride,
              bool accumulate) {
  static constexpr auto kTable = row_table<kDtype>(std::make_integer_sequence<int, kRows>());
  kTable[static_cast<size_t>(rows - 1)](words, a, b, c, c_stride, accumulate);
}

void nothing() {}

}  // namespace

const CpuKernel& avx512_fp32_kernel() {
  static constexpr CpuKernel kKernel = {"AVX-512",
                                        DType::fp32,
                                        kRows,
                                        multiply<DType::fp32>,
                                        pack_fp32_rows<kRows>,
                                        pack_fp32_columns,
                                        write_tile,
                                        softmax_tile<Words::fp32>,
                                        gradient_tile<Words::fp32>,
                                        nothing,
                                        nothing};
  return kKernel;
}

const CpuKernel& avx512_bf16_kernel() {
  static constexpr CpuKernel kKernel = {"AVX512-BF16",
                                        DType::bf16,
                                        kRows,
                                        multiply<DType::bf16>,
                                        pack_rows_of<Words::bf16_pairs, kRows>,
                                        pack_columns_of<Words::bf16_pairs>,
                                        write_tile,
                                        softmax_tile<Words::bf16_pairs>,
                                        gradient_tile<Words::bf16_pairs>,
                                        nothing,
                                        nothing};
  return kKernel;
}

}  // namespace argosy::ops::detail
