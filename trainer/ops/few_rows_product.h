// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Few rows times a weight: a text that is written token by token. What it takes is to read the
// weight, so that is done once and where it lies: packed kernels would write and read it again.
#pragma once

#include "trainer/ops/matmul.h"

namespace argosy::ops::detail {

// Whether c (m,n) = a (m,k) b (n,k)^T has so few rows, and operands of fp32 or bf16.
bool has_few_rows(const Product& product, const Tensor& c);

// alpha, bias and accumulate as MatmulOptions says; sums are fp32. n > 0.
void few_rows_product(DeviceContext& ctx, const Product& product, const Tensor& a, const Tensor& b,
                      const Tensor& c, const MatmulOptions& options);

}  // namespace argosy::ops::detail
