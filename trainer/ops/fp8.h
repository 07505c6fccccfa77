// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Products of 8-bit floats on GPUs from compute capability 8.9 on (Micikevicius et al. 2022, arXiv
// 2209.05433): e4m3 for weights and activations, e5m2 for gradients, one scale a tensor, which is
// taken from the tensor as it is now. Sums are fp32. Everything else of a run stays bf16 and fp32.
#pragma once

#include <vector>

#include "trainer/ops/matmul.h"

namespace argosy::ops {

enum class Fp8Format { e4m3, e5m2 };

// (rows, cols) in 8 bits: what is meant is stored * scale.
struct Fp8Matrix {
  Tensor bytes;  // (rows, cols/4) int32, four numbers each
  Tensor scale;  // (1) fp32
  Fp8Format format = Fp8Format::e4m3;
  bool defined() const { return bytes.defined(); }
  int64_t rows() const { return bytes.dim(0); }
  int64_t cols() const { return 4 * bytes.dim(1); }
};

// The transposes of groups of consecutive rows, all with one scale: that of group g is (cols,
// rows[g] up to the next multiple of kFp8Unit), with zeros behind its rows.
struct Fp8Groups {
  std::vector<int64_t> rows;  // [groups]; any may be 0
  std::vector<Fp8Matrix> turned;
  bool defined() const { return !turned.empty(); }
};

// Products read their sums, and write their results, in whole 16 bytes: of (M,K) times (N,K)^T, N
// and K must be multiples of this, M need not (as PyTorch's _scaled_mm has it for the same
// library).
inline constexpr int64_t kFp8Unit = 16;

inline constexpr const char* kNoFp8OnCpus =
    "--precision fp8: CPUs have no products in 8 bits; valid on --device cpu: fp64, fp32, bf16";

// Throws ConfigError where the device has no products in 8 bits.
void require_fp8(DeviceContext& ctx);

// Memory without values. `cols` is a multiple of kFp8Unit.
Fp8Matrix empty_fp8(DeviceContext& ctx, int64_t rows, int64_t cols, Fp8Format format,
                    MemoryCategory category);
Fp8Groups empty_fp8_groups(DeviceContext& ctx, const std::vector<int64_t>& rows, int64_t cols,
                           Fp8Format format, MemoryCategory category);

// x (R,C) bf16 into `plain` (R,C) and into the transposes of its groups of rows, whose sum is R;
// either may be undefined. The scale makes the largest magnitude of x the format's largest number;
// a NaN stays one.
void quantize(DeviceContext& ctx, const Tensor& x, const Fp8Matrix& plain, const Fp8Groups& turned);
// The same with one transpose (C,R) of all: R is a multiple of kFp8Unit.
void quantize(DeviceContext& ctx, const Tensor& x, const Fp8Matrix& plain, const Fp8Matrix& turned);

// out (M,N) = a (M,K) b (N,K)^T (+ bias, + out with `accumulate`): the one form that there is. out
// is bf16 or fp32; of the operands one may be e5m2. Adds 2*M*N*K to ctx.matmul_flops.
void matmul_fp8(DeviceContext& ctx, const Fp8Matrix& a, const Fp8Matrix& b, const Tensor& out,
                const MatmulOptions& options = {});

// For each group of rows, rows[g] of them in order: out (R,N) = a (R,K) b[g] (N,K)^T. What
// grouped_matmul_nt() does with weights, and grouped_matmul_nn() with their transposes.
void grouped_matmul_fp8(DeviceContext& ctx, const Fp8Matrix& a, const std::vector<int64_t>& rows,
                        const std::vector<Fp8Matrix>& b, const Tensor& out,
                        const MatmulOptions& options = {});
// out[g] (M,N) = a[g]^T b[g], of the rows of group g of a (R,M) and b (R,N): gradients of weights,
// as grouped_matmul_tn(). FLOPs are those of the rows that there are.
void grouped_matmul_fp8_tn(DeviceContext& ctx, const Fp8Groups& a, const Fp8Groups& b,
                           const std::vector<Tensor>& out, const MatmulOptions& options = {});

namespace detail {
template <Device D>
void require_fp8(DeviceContext& ctx);
template <Device D>
void quantize(DeviceContext& ctx, const Tensor& x, const Fp8Matrix& plain, const Fp8Groups& turned);
template <Device D>
void matmul_fp8(DeviceContext& ctx, const Fp8Matrix& a, const Fp8Matrix& b, const Tensor& out,
                const MatmulOptions& options, Ragged ragged);
}  // namespace detail

}  // namespace argosy::ops
