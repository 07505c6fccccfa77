// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What cuBLASLt is asked for before a product can run: its descriptions, and an algorithm for a
// shape. Included by cublaslt_product.cpp, which keeps them.
#pragma once

#include <cublasLt.h>

#include <array>
#include <compare>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>

#include "trainer/ops/cublaslt_product.h"

namespace argosy::ops::detail {

// Owners of what cuBLASLt creates.
struct DestroyDesc {
  void operator()(cublasLtMatmulDesc_t x) const { (void)cublasLtMatmulDescDestroy(x); }
};
struct DestroyLayout {
  void operator()(cublasLtMatrixLayout_t x) const { (void)cublasLtMatrixLayoutDestroy(x); }
};
struct DestroyPreference {
  void operator()(cublasLtMatmulPreference_t x) const { (void)cublasLtMatmulPreferenceDestroy(x); }
};
template <typename Handle, typename Destroy>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy>;
using Desc = Owned<cublasLtMatmulDesc_t, DestroyDesc>;
using Layout = Owned<cublasLtMatrixLayout_t, DestroyLayout>;
using Preference = Owned<cublasLtMatmulPreference_t, DestroyPreference>;

// What the choice of an algorithm depends on.
struct ProductKey {
  bool transpose_a = false, transpose_b = false, accumulate = false, allow_tf32 = false;
  Epilogue epilogue = Epilogue::none;
  bool has_bias = false;
  int64_t m = 0, n = 0, k = 0;
  int64_t stride_of_a = 0, stride_of_b = 0, stride_of_c = 0;  // 0: no gaps
  MatrixType a = MatrixType::fp32, b = MatrixType::fp32, result = MatrixType::fp32;
  std::array<uint32_t, 5> alignment_bytes = {};  // of a, b, c, bias, aux
  auto operator<=>(const ProductKey&) const = default;
};

// As cuBLASLt sees them: b, a, c.
struct Layouts {
  Layout first, second, result;
};

// A product that is ready to run: made once for each key.
struct PreparedProduct {
  Desc desc;
  Layouts layouts;
  std::optional<cublasLtMatmulAlgo_t> algorithm;  // none: the library has no kernel
  int64_t workspace_bytes = 0;
};

ProductKey key_of(const LibraryProduct& p, bool allow_tf32);
std::string text_of(const ProductKey& key);  // for messages
Layouts layouts_of(const ProductKey& key, const Product& p);
// Descriptions, and the first of the library's suggestions. `p` is any product of the key.
PreparedProduct prepare(cublasLtContext* handle, const ProductKey& key, const LibraryProduct& p);
// Pointers are a part of the description: to be set before each product.
void set_pointers(const LibraryProduct& p, const Desc& desc);
// False where rules forbid the product that its suggestions do not know of: of an aux matrix, which
// the library states, and of a bias.
bool takes_epilogue(const LibraryProduct& p);

}  // namespace argosy::ops::detail
