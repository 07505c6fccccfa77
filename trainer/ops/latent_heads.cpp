// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/latent_heads.h"

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops {
namespace {

void check_heads(const LatentHeadShape& s, const Tensor& kv, const Tensor& shared, const Tensor& k,
                 const Tensor& v) {
  CHECK(s.num_heads > 0 && s.nope_dim > 0 && s.rope_dim > 0 && s.value_dim > 0, s.num_heads,
        " heads of ", s.nope_dim, " + ", s.rope_dim, " and ", s.value_dim, " columns");
  check_rank("kv", kv, 2);
  const int64_t rows = kv.dim(0);
  check_shape("kv", kv, {rows, s.num_heads * (s.nope_dim + s.value_dim)});
  check_tensor("shared", shared, {rows, s.rope_dim}, kv.dtype());
  check_tensor("k", k, {rows, s.num_heads * s.key_dim()}, kv.dtype());
  check_tensor("v", v, {rows, s.num_heads * s.value_dim}, kv.dtype());
}

}  // namespace

void latent_heads_forward(DeviceContext& ctx, const LatentHeadShape& shape, const Tensor& kv,
                          const Tensor& shared, const Tensor& k, const Tensor& v) {
  check_heads(shape, kv, shared, k, v);
  dispatch_device(ctx.device(),
                  [&]<Device D>() { detail::latent_heads_forward<D>(shape, kv, shared, k, v); });
}

void latent_heads_backward(DeviceContext& ctx, const LatentHeadShape& shape, const Tensor& dk,
                           const Tensor& dv, const Tensor& dkv, const Tensor& dshared) {
  check_heads(shape, dkv, dshared, dk, dv);
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::latent_heads_backward<D>(shape, dk, dv, dkv, dshared);
  });
}

void copy_columns(DeviceContext& ctx, const ColumnCopy& columns, const Tensor& from,
                  const Tensor& to) {
  check_rank("from", from, 2);
  check_rank("to", to, 2);
  check_dtype("to", to, from.dtype());
  const auto fits = [&](int64_t begin, const Tensor& x) {
    return begin >= 0 && begin + columns.width <= x.dim(1);
  };
  CHECK(from.dim(0) == to.dim(0) && columns.width >= 0 && fits(columns.from_begin, from) &&
            fits(columns.to_begin, to),
        columns.width, " columns from ", columns.from_begin, " of ", from.dim(1), " to ",
        columns.to_begin, " of ", to.dim(1), ", rows ", from.dim(0), " and ", to.dim(0));
  dispatch_device(ctx.device(), [&]<Device D>() { detail::copy_columns<D>(columns, from, to); });
}

}  // namespace argosy::ops
