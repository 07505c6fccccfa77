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

#include "planner/spec/mesh.h"
#include "planner/spec/types.h"

namespace argosy::ops::detail {

inline constexpr int64_t kWordBytes = 4, kChunkWords = 16;
inline constexpr int64_t kPanelColumns = 32;  // two AVX-512 vectors, two AMX tiles
inline constexpr int64_t kMostPanelRows = 32;

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

struct CpuKernel {
  const char* name;
  DType dtype;         // of the packed operands
  int64_t panel_rows;  // R
  // c (rows, 32) = a b, or += with accumulate, where c's rows are c_stride floats apart; a, b: one
  // panel each of `words` words; 1 <= rows <= R. Sums over k are fp32, in the order of k.
  void (*multiply)(int64_t rows, int64_t words, const void* a, const void* b, float* c,
                   int64_t c_stride, bool accumulate);
  // Rows or columns [index.begin, index.end) and [k.begin, k.end) of x, bf16 widened where the
  // kernel's dtype is fp32: one panel of rows, or as many panels of columns as it takes, one behind
  // the other. Never reads beyond these.
  void (*pack_rows)(const MatrixView& x, Range index, Range k, void* panel);
  void (*pack_columns)(const MatrixView& x, Range index, Range k, void* panels);
  // What a row of a product becomes; see Epilogue.
  void (*write_row)(const float* sums, int64_t columns, const Epilogue& epilogue, void* to);
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
  bool avx512 = false;       // F, BW, DQ and VL, with their state enabled
  bool avx512_bf16 = false;  // besides those
  // Tiles and TDPBF16PS by CPUID leaf 7, tile state by XCR0, and the kernel granted its use. Leaf
  // 0x1D (the palettes) is not asked: hypervisors may show zeros there where tiles work.
  bool amx_bf16 = false;
};
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
// The trial: false where the products differ from fp32 arithmetic or an instruction is illegal.
bool multiplies_right(const CpuKernel& kernel);

}  // namespace argosy::ops::detail
