// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The inner loops of our own matrix products, and which of them this CPU runs. A kernel multiplies
// packed operands, in words of 4 bytes along k: one fp32, or the two bf16 that VDPBF16PS and
// TDPBF16PS multiply at once. A chunk is 16 words, one cache line. Packed are
//   rows of A, in panels of R:        [chunk][R][16]   a kernel broadcasts words or loads AMX tiles
//   columns of B, in panels of 32:    [word][32]       vectors of columns
// with zeros beyond the matrix and up to whole chunks. Included by *_cpu.cpp files and tests only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "planner/spec/cpu_scratch.h"
#include "planner/spec/mesh.h"
#include "planner/spec/types.h"

namespace argosy::ops::detail {

inline constexpr int64_t kWordBytes = 4, kChunkWords = 16;
inline constexpr int64_t kPanelColumns = kMostPanel;  // two AVX-512 vectors, two AMX tiles
inline constexpr int64_t kMostPanelRows = kMostPanel;

// A matrix as it is stored, seen from the product: element (i, k) with k the summed index lies at
// data[i * stride + k] or, strided, at data[k * stride + i].
struct MatrixView {
  const void* data = nullptr;
  DType dtype = DType::fp32;  // fp32 or bf16
  int64_t stride = 0;         // elements
  bool k_is_strided = false;
};

// to = alpha * sums + bias + (add_old ? to : 0), rounded once to the dtype of `to`.
struct Epilogue {
  float alpha = 1.0f;
  const float* bias = nullptr;  // of the row's first column, or null
  bool add_old = false;
  DType dtype = DType::fp32;  // or bf16
};

// A tile of attention's scores, (rows, keys) in two panels of 32 keys: [panel][kScoreRows][32].
// kScoreRows are whole panels of every kernel.
static_assert(kScoreKeys == 2 * kPanelColumns);
struct ScoreTile {
  int64_t rows = 0;
  float* scores = nullptr;  // not yet scaled; any value where a key is not visible
  float scale = 1.0f;
  // (rows) the first and the last visible key of each row; null: all of kScoreKeys.
  const int32_t* first = nullptr;
  const int32_t* last = nullptr;
  int64_t panel_rows = 0;  // of the kernel
};

struct CpuKernel {
  const char* name;
  DType dtype;         // of the packed operands
  int64_t panel_rows;  // R
  // c (rows, 32) = a b, or += with accumulate, where c's rows are c_stride floats apart; a, b: one
  // panel each of `words` words; 1 <= rows <= R. Sums over k are fp32, in the order of k.
  void (*multiply)(int64_t rows, int64_t words, const void* a, const void* b, float* c,
                   int64_t c_stride, bool accumulate);
  // Rows or columns [index.begin, index.end) and [k.begin, k.end) of x, bf16 widened where the
  // kernel's dtype is fp32: as many panels as it takes, one behind the other. Never reads beyond
  // these.
  void (*pack_rows)(const MatrixView& x, Range index, Range k, void* panels);
  void (*pack_columns)(const MatrixView& x, Range index, Range k, void* panels);
  // What rows of a product become, see Epilogue; sums (rows, 32), or one row of any length,
  // and `stride` elements from row to row of the result.
  void (*write_tile)(const float* sums, int64_t rows, int64_t columns, const Epilogue& epilogue,
                     void* to, int64_t stride);
  // One step of the online softmax: scores become unnormalised probabilities, packed as rows of A
  // with k over kScoreKeys; maxima, sums (rows) and out, [panel of 32][kScoreRows][32], go on.
  void (*softmax)(const ScoreTile& tile, float* maxima, float* sums, float* out, int64_t out_panels,
                  void* probabilities);
  // Probabilities again from lse (rows), and ds = p (dp - delta), with dp laid out as the scores:
  // both packed as columns of B, keys, with k over the rows ([panel][words][32], room for
  // kScoreRows rows), ds also as rows of A with k over the keys. In fp32 p_words may be the scores
  // themselves and ds_words dp.
  void (*gradients)(const ScoreTile& tile, float* dprobabilities, const float* lse,
                    const float* deltas, float* p_words, float* ds_words, void* ds_rows);
  // Before and after a thread calls multiply().
  void (*begin)();
  void (*end)();

  int64_t elements_of_word() const { return dtype == DType::bf16 ? 2 : 1; }
  int64_t words(int64_t elements) const {
    return (elements + elements_of_word() - 1) / elements_of_word();
  }
};

// Bytes of one panel of `indices` rows or columns that is `words` long.
inline int64_t panel_bytes(int64_t indices, int64_t words) {
  return (words + kChunkWords - 1) / kChunkWords * kChunkWords * indices * kWordBytes;
}

// What the CPU and its system offer, whatever this program was compiled for.
struct CpuFeatures {
  bool avx2 = false;         // with its state enabled
  bool avx512 = false;       // F, BW, DQ and VL, with their state enabled
  bool avx512_bf16 = false;  // besides those
  // Besides those tiles and TDPBF16PS by CPUID leaf 7, tile state by XCR0, and the kernel granted
  // its use. Leaf 0x1D (the palettes) is not asked: hypervisors may show zeros there where tiles
  // work.
  bool amx_bf16 = false;
  std::string cap;  // what ARGOSY_CPU_KERNELS allows of these; empty: everything
};
// Throws ConfigError on another value of ARGOSY_CPU_KERNELS than none, avx512, avx512_bf16, amx.
const CpuFeatures& cpu_features();

// The kernels of this build that the CPU supports, best first. Empty on a CPU without AVX-512.
std::vector<const CpuKernel*> supported_kernels(DType dtype);
// Every kernel of this build, supported or not.
std::vector<const CpuKernel*> all_kernels();

// The kernel that products of this dtype use: the first that is supported and multiplied a small
// matrix right when it was tried; null: none. `warning` tells of those that did not.
struct KernelChoice {
  const CpuKernel* kernel = nullptr;
  std::string warning;
};
const KernelChoice& kernel_choice(DType dtype);
// The kernel for operands of this dtype, bf16 widened for want of a better one; null: fp64, or a
// CPU without AVX-512.
const CpuKernel* packed_kernel(DType dtype);
// The trial: false where the products differ from fp32 arithmetic or an instruction is illegal.
bool multiplies_right(const CpuKernel& kernel);

}  // namespace argosy::ops::detail
