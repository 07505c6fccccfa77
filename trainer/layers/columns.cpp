// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/columns.h"

#include "trainer/ops/latent_heads.h"

namespace argosy {

Tensor columns(const LayerContext& ctx, const Tensor& x, int64_t begin, int64_t width) {
  Tensor part = ctx.scratch({x.dim(0), width});
  ops::copy_columns(ctx.device, {.from_begin = begin, .to_begin = 0, .width = width}, x, part);
  return part;
}

void put_columns(const LayerContext& ctx, const Tensor& x, const Tensor& joined, int64_t begin) {
  ops::copy_columns(ctx.device, {.from_begin = 0, .to_begin = begin, .width = x.dim(1)}, x, joined);
}

}  // namespace argosy
