// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// One product as cuBLASLt takes it, with what it can do to the result before that reaches memory.
// Algorithms are asked for once a shape and kept. Included by the CUDA versions of products.
#pragma once

#include <map>
#include <string>

#include "trainer/ops/matmul.h"

namespace argosy::ops::detail {

enum class MatrixType { fp32, bf16, e4m3, e5m2 };
MatrixType matrix_type(DType dtype);

// A row-major matrix.
struct MatrixOperand {
  const void* data = nullptr;
  MatrixType type = MatrixType::fp32;
  const float* scale = nullptr;  // fp8: on the device; what is meant is stored * scale
  int64_t stride = 0;            // elements from row to row; 0: as many as it has columns
};

enum class Epilogue {
  none,
  bias,           // c = product + bias
  gelu,           // aux = product (+ bias); c = gelu(aux)
  gelu_gradient,  // c = product * gelu'(aux)
  bias_gradient   // bias = sums over the k rows of a as it is stored (k,m); c = product
};

struct LibraryProduct {
  Product sizes;  // m, n, k > 0
  MatrixOperand a, b;
  void* c = nullptr;
  MatrixType result = MatrixType::fp32;
  int64_t stride = 0;  // of c
  double alpha = 1.0;
  bool accumulate = false;
  Epilogue epilogue = Epilogue::none;
  void* bias = nullptr;  // (n) of the result's type; bias_gradient writes (m)
  void* aux = nullptr;   // (m,n) of the result's type
  // The algorithm is then the one of the next larger size of a few, so that not each step asks for
  // new ones.
  Ragged ragged = Ragged::none;
};

// False, with nothing done: the library has no kernel for it, and LibraryRefusals says so. Without
// an epilogue that is an Error.
bool run_product(DeviceContext& ctx, const LibraryProduct& product);

// The product, without an epilogue of its own, + bias where that is defined: to each row of `out`,
// which is the product's c. Afterwards, where the library does not do both.
void run_product_with_bias(DeviceContext& ctx, LibraryProduct product, const Tensor& bias,
                           const Tensor& out);

// What the library has no kernel for, for a run's log; one for each device.
struct LibraryRefusals {
  std::map<std::string, std::string> products;  // [product] what runs instead
};

// The size of an algorithm's key for a ragged one: at most an eighth larger.
int64_t key_size(int64_t size);

}  // namespace argosy::ops::detail
