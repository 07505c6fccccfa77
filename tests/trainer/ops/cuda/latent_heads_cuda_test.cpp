// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/trainer/ops/cuda/twin.h"
#include "trainer/ops/latent_heads.h"

namespace argosy {
namespace {

using ops::LatentHeadShape;

class LatentHeadsCuda : public CudaOpTest {};

// Whole packs and odd sizes, at aligned places and others.
TEST_F(LatentHeadsCuda, ForwardAndBackward) {
  for (const DType dtype : kCudaDTypes) {
    for (const LatentHeadShape& s :
         {LatentHeadShape{16, 128, 64, 128}, LatentHeadShape{3, 8, 16, 24},
          LatentHeadShape{3, 5, 2, 7}, LatentHeadShape{1, 1, 2, 1}}) {
      for (const int64_t rows : {0, 1, 37}) {
        for (const int64_t begin : {0, 1}) {
          offset = begin;
          const Shape of_kv{rows, s.num_heads * (s.nope_dim + s.value_dim)},
              of_shared{rows, s.rope_dim}, of_k{rows, s.num_heads * s.key_dim()},
              of_v{rows, s.num_heads * s.value_dim};
          const Twin &kv = operand(of_kv, dtype), &shared = operand(of_shared, dtype),
                     &k = result(of_k, dtype), &v = result(of_v, dtype), &dk = operand(of_k, dtype),
                     &dv = operand(of_v, dtype), &dkv = result(of_kv, dtype),
                     &dshared = result(of_shared, dtype);
          expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
            ops::latent_heads_forward(ctx, s, of(kv), of(shared), of(k), of(v));
            ops::latent_heads_backward(ctx, s, of(dk), of(dv), of(dkv), of(dshared));
          });
        }
      }
    }
  }
}

TEST_F(LatentHeadsCuda, CopiesColumns) {
  for (const DType dtype : kCudaDTypes) {
    for (const ops::ColumnCopy& columns : {ops::ColumnCopy{0, 8, 16}, ops::ColumnCopy{8, 0, 8},
                                           ops::ColumnCopy{3, 1, 5}, ops::ColumnCopy{0, 0, 0}}) {
      for (const int64_t rows : {0, 1, 37}) {
        const Twin &from = operand({rows, 16}, dtype), &to = added_to({rows, 24}, dtype);
        expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
          ops::copy_columns(ctx, columns, of(from), of(to));
        });
      }
    }
  }
}

}  // namespace
}  // namespace argosy
