// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Our own fp64 product, for proofs: each element is one sum over k in order, so that its bits do
// not depend on the number of threads or on the other rows. Operands are packed into panels that
// the inner loop reads contiguously (the scheme of Goto & van de Geijn 2008 without cache blocking,
// which the small shapes of proofs do not need).
#include <algorithm>

#include "trainer/ops/matmul.h"
#include "trainer/ops/simd_math.h"
#include "trainer/ops/tile_product.h"

namespace argosy::ops::detail {
namespace {

// Panels of `width` indices: panels[p][k][i] = element (p * width + i, k) of op(x), zero beyond n.
// x is stored (n,k), or (k,n) when `transposed`.
void pack(const double* x, bool transposed, int64_t n, int64_t k, int64_t width, double* panels) {
  const int64_t num_panels = (n + width - 1) / width;
#pragma omp parallel for schedule(static) if (n * k >= kParallelElements)
  for (int64_t p = 0; p < num_panels; ++p) {
    double* panel = panels + p * k * width;
    for (int64_t kk = 0; kk < k; ++kk) {
      for (int64_t i = 0; i < width; ++i) {
        const int64_t index = p * width + i;
        const double value = index >= n ? 0.0 : transposed ? x[kk * n + index] : x[index * k + kk];
        panel[kk * width + i] = value;
      }
    }
  }
}

}  // namespace

void matmul_fp64(DeviceContext& ctx, const Product& p, const double* a, const double* b, double* c,
                 const MatmulOptions& options) {
  constexpr int64_t kRows = kTileRows, kCols = kTileCols<double>;
  const int64_t row_panels = (p.m + kRows - 1) / kRows, col_panels = (p.n + kCols - 1) / kCols;
  const Tensor packed_a =
      ctx.empty({row_panels, p.k, kRows}, DType::fp64, MemoryCategory::workspace);
  const Tensor packed_b =
      ctx.empty({col_panels, p.k, kCols}, DType::fp64, MemoryCategory::workspace);
  pack(a, p.transpose_a, p.m, p.k, kRows, packed_a.data<double>());
  pack(b, !p.transpose_b, p.n, p.k, kCols, packed_b.data<double>());
#pragma omp parallel for collapse(2) schedule(static) if (p.m * p.n * p.k >= kParallelElements)
  for (int64_t j = 0; j < col_panels; ++j) {
    for (int64_t i = 0; i < row_panels; ++i) {
      double tile[kRows * kCols] = {};
      add_tile_product(p.k, packed_a.data<double>() + i * p.k * kRows, 1, kRows,
                       packed_b.data<double>() + j * p.k * kCols, kCols, tile, kCols);
      const int64_t rows = std::min(kRows, p.m - i * kRows),
                    cols = std::min(kCols, p.n - j * kCols);
      for (int64_t r = 0; r < rows; ++r) {
        double* out = c + (i * kRows + r) * p.n + j * kCols;
        for (int64_t s = 0; s < cols; ++s) {
          out[s] = options.alpha * tile[r * kCols + s] + (options.accumulate ? out[s] : 0.0);
        }
      }
    }
  }
}

}  // namespace argosy::ops::detail
