// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Matrix products by our own kernels: one, or many that share the threads. Rows of A are packed
// once for all threads, columns of B by the thread that multiplies them into a block that stays in
// its L2 cache: so every operand is read once, and no packed copy of a weight is written to memory.
// (The scheme of Goto & van de Geijn 2008 with the roles of A and B exchanged.)
#pragma once

#include <functional>
#include <vector>

#include "trainer/device/device_context.h"
#include "trainer/ops/cpu_kernels.h"
#include "trainer/ops/matmul.h"

namespace argosy::ops::detail {

// c (m,n) = alpha * a b + bias + (accumulate ? c : 0), row-major and contiguous, fp32 or bf16.
struct PackedProduct {
  int64_t m = 0, n = 0, k = 0;  // m, n > 0
  MatrixView a, b;              // indices: rows of a, columns of b
  void* c = nullptr;
  DType c_dtype = DType::fp32;
  const float* bias = nullptr;  // (n), or null
  // Called for every part of c once it is whole and still in the cache of the thread that wrote it:
  // by several threads at once, for different parts. May be empty.
  std::function<void(Range rows, Range columns)> then = {};
};

// c = op(a) op(b) of whole tensors.
PackedProduct packed_product(const Product& p, const Tensor& a, const Tensor& b, const Tensor& c);

// The kernel for operands and output of these dtypes; null: fp64, or fp32 alone, which is oneDNN's,
// or a CPU without AVX-512.
const CpuKernel* packed_kernel(const Tensor& a, const Tensor& b, const Tensor& c);

// alpha and accumulate hold for all of them. The bits of a product follow from its own shape and
// operands: neither from the number of threads nor from the other products.
void packed_products(DeviceContext& ctx, const CpuKernel& kernel,
                     const std::vector<PackedProduct>& products, float alpha, bool accumulate);
// The same with options.squares += the squares of all results, fp32: tiles, in fp32, in the order
// of products and then of rows, while each is in the cache. Where there are VectorRows.
void packed_products_with_squares(DeviceContext& ctx, const CpuKernel& kernel,
                                  std::vector<PackedProduct> products,
                                  const MatmulOptions& options);

}  // namespace argosy::ops::detail
