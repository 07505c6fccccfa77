// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Between the products of latent attention (DeepSeek-V2, arXiv:2405.04434 section 2.1) and the
// heads that attention reads: who gets which columns. All tensors of a call have one dtype.
#pragma once

#include <cstdint>

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// A key is nope_dim columns of its head and rope_dim that all heads share.
struct LatentHeadShape {
  int64_t num_heads = 0, nope_dim = 0, rope_dim = 0, value_dim = 0;
  int64_t key_dim() const { return nope_dim + rope_dim; }
};

// kv (N, h*(nope+value)): of each head a key's own columns, then its value; shared (N, rope).
// k (N, h*(nope+rope)), v (N, h*value).
void latent_heads_forward(DeviceContext& ctx, const LatentHeadShape& shape, const Tensor& kv,
                          const Tensor& shared, const Tensor& k, const Tensor& v);
// Gradients of kv and of shared; the latter's are summed over the heads, in their order.
void latent_heads_backward(DeviceContext& ctx, const LatentHeadShape& shape, const Tensor& dk,
                           const Tensor& dv, const Tensor& dkv, const Tensor& dshared);

// Columns [to_begin, to_begin + width) of to (N, ...) = columns [from_begin, ...) of from (N, ...).
struct ColumnCopy {
  int64_t from_begin = 0, to_begin = 0, width = 0;
};
void copy_columns(DeviceContext& ctx, const ColumnCopy& columns, const Tensor& from,
                  const Tensor& to);

// One specialisation a device.
namespace detail {
template <Device D>
void latent_heads_forward(const LatentHeadShape& shape, const Tensor& kv, const Tensor& shared,
                          const Tensor& k, const Tensor& v);
template <Device D>
void latent_heads_backward(const LatentHeadShape& shape, const Tensor& dk, const Tensor& dv,
                           const Tensor& dkv, const Tensor& dshared);
template <Device D>
void copy_columns(const ColumnCopy& columns, const Tensor& from, const Tensor& to);
}  // namespace detail

}  // namespace argosy::ops
