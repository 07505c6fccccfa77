// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/shared_norm.h"

#include "tests/trainer/ops/cuda/twin.h"

namespace argosy {
namespace {

using SharedNormCuda = CudaOpTest;

// Rows alone and in several parts; columns in packs, beside them, and off an aligned address.
TEST_F(SharedNormCuda, AllOps) {
  for (const DType dtype : kCudaDTypes) {
    for (const int64_t rows : {0, 1, 37, 100}) {
      for (const int64_t cols : {5, 13, 64, 1032}) {
        for (const int64_t first : {0, 1}) {
          offset = first;
          const int64_t width = 2 * cols;
          const Twin &x = operand({rows, cols}, dtype), &gain = operand({cols}, dtype);
          const Twin& dy = added_to({rows, cols}, dtype);
          const Twin& inverse = result({rows}, DType::fp32);
          const Twin& sums = result({rows}, DType::fp32);
          const Twin& dgain = added_to({cols}, DType::fp32);
          const Twin& dx = result({rows, cols}, dtype);
          expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
            ops::row_squares(ctx, of(x), of(inverse));
            ops::inverse_rms(ctx, of(inverse), width, 1e-3);
            ops::row_projections(ctx, of(dy), of(x), of(gain), of(inverse), of(sums));
            ops::shared_rms_norm_backward(ctx, of(dy), of(x), of(gain), of(inverse), of(sums),
                                          width, of(dx), Tensor());
            ops::shared_rms_norm_backward(ctx, of(dy), of(x), of(gain), of(inverse), of(sums),
                                          width, of(dy), of(dgain));
          });
        }
      }
    }
  }
}

}  // namespace
}  // namespace argosy
