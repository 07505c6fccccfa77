// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// One product for each group of consecutive rows, each with a matrix of its own: tokens sorted by
// expert, and the experts. All groups are one op, so that threads share what single products are
// too small to share. Operands and FLOPs as in matmul.h.
//
// R rows in G groups: rows[g] >= 0 of group g, in order, sum R. Matrices of a list have equal
// shapes and dtypes and lie anywhere. Throws std::logic_error when shapes do not fit.
#pragma once

#include <cstdint>
#include <vector>

#include "trainer/ops/matmul.h"

namespace argosy::ops {

// y (R,N) = x (R,K) w[g] (N,K)^T: the forward pass of the experts' Linears.
void grouped_matmul_nt(DeviceContext& ctx, const Tensor& x, const std::vector<int64_t>& rows,
                       const std::vector<Tensor>& w, const Tensor& y,
                       const MatmulOptions& options = {});
// dx (R,K) = dy (R,N) w[g] (N,K): their input gradients.
void grouped_matmul_nn(DeviceContext& ctx, const Tensor& dy, const std::vector<int64_t>& rows,
                       const std::vector<Tensor>& w, const Tensor& dx,
                       const MatmulOptions& options = {});
// dw[g] (N,K) = dy (rows of g, N)^T x (rows of g, K): their weight gradients. A group without rows
// adds nothing, or sets its dw to 0 without `accumulate`.
void grouped_matmul_tn(DeviceContext& ctx, const Tensor& dy, const Tensor& x,
                       const std::vector<int64_t>& rows, const std::vector<Tensor>& dw,
                       const MatmulOptions& options = {});

namespace detail {
// c = alpha * op(a) op(b) + (accumulate ? c : 0) of one group; m, n, k may be 0.
struct GroupProduct {
  Product product;
  Tensor a, b, c;
};
// The bits of a product depend neither on the other groups nor on the number of threads.
template <Device D>
void grouped_matmul(DeviceContext& ctx, const std::vector<GroupProduct>& groups,
                    const MatmulOptions& options);
}  // namespace detail

}  // namespace argosy::ops
