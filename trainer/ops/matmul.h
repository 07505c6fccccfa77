// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// Matrix products. Operands are row-major fp64, fp32 or bf16, in any mix without fp64; sums are at
// least fp32. Each call adds 2*M*N*K to ctx.matmul_flops.
#pragma once

#include <string>

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// What each computes: out = alpha * product + bias + (accumulate ? out : 0). Empty operands are
// allowed: M or N = 0 does nothing, K = 0 adds 0. Throws std::logic_error when shapes do not fit.
struct MatmulOptions {
  bool accumulate = false;
  double alpha = 1.0;
  Tensor bias = {};  // (columns of out), its dtype, added to every row; or undefined
  // What follows the product, as if it were an op of its own and, where the device can, without a
  // pass over memory. At most one of them, and without `accumulate`:
  Tensor gelu_input = {};  // comes to hold out, which becomes gelu of it; of out's shape, dtype
  Tensor gelu_gradient_at = {};  // out *= gelu'(this); of out's shape and dtype
  // matmul_tn alone, with or without `accumulate`: (N) += sums of dy over its rows; a statistic.
  Tensor bias_gradient = {};
  // matmul_tn alone, beside any of these: fp64 (1) += the sum of squares of out.
  Tensor squares = {};
};

// Columns that rows of n elements are given in memory where products of `dtype` read or write them:
// on a GPU whole 16 bytes of bf16, without which tensor cores run at a part of their rate.
int64_t padded_columns(Device device, DType dtype, int64_t n);

// y and dy may have more columns than w or dw has rows, as padded_columns() says: those behind are
// neither read nor written. No option but `accumulate` and `alpha` then.
//
// y (M,N) = x (M,K) w (N,K)^T: the forward of a Linear.
void matmul_nt(DeviceContext& ctx, const Tensor& x, const Tensor& w, const Tensor& y,
               const MatmulOptions& options = {});
// dx (M,K) = dy (M,N) w (N,K): its input gradient.
void matmul_nn(DeviceContext& ctx, const Tensor& dy, const Tensor& w, const Tensor& dx,
               const MatmulOptions& options = {});
// dw (N,K) = dy (M,N)^T x (M,K): its weight gradient.
void matmul_tn(DeviceContext& ctx, const Tensor& dy, const Tensor& x, const Tensor& dw,
               const MatmulOptions& options = {});

// Whether products of bf16 into fp32 take `squares` of their results without reading them again.
bool takes_squares(Device device);

// Measured rate of matrix products, FLOP/s, on this rank alone: the MFU denominator when all ranks
// call it at once. The average over `measure_s` after warm-up, of a size that does not fit a core's
// caches, so that ranks which share a core are measured sharing it, or that fills a GPU. Leaves
// ctx.matmul_flops as it was.
double measure_matmul_rate(DeviceContext& ctx, DType dtype, double measure_s);

// The library behind each dtype and anything the user should know about it (a slow kernel choice
// and its remedy), for the start-up lines.
std::string matmul_description(Device device = Device::cpu);

namespace detail {
// c (m,n) = alpha * op(a) op(b) + (accumulate ? c : 0); op(a) is (m,k), op(b) is (k,n); op
// transposes where the flag is set. One specialisation a device: matmul_cpu.cpp.
struct Product {
  bool transpose_a = false, transpose_b = false;
  int64_t m = 0, n = 0, k = 0;
  int64_t gap = 0;  // columns behind each row of c, where b is transposed, else of a
};
// Which of the sizes follows from the data, so that it changes from call to call.
enum class Ragged { none, m, k };
template <Device D>
void matmul(DeviceContext& ctx, const Product& product, const Tensor& a, const Tensor& b,
            const Tensor& c, const MatmulOptions& options);
// The same with gelu_input, gelu_gradient_at, bias_gradient or squares in one go. False, with
// nothing done: the device does not fuse it.
template <Device D>
bool fused_matmul(DeviceContext& ctx, const Product& product, const Tensor& a, const Tensor& b,
                  const Tensor& c, const MatmulOptions& options);
template <Device D>
int64_t padded_columns(DType dtype, int64_t n);
template <Device D>
bool takes_squares();
template <Device D>
void fill_pattern(const Tensor& x);  // some values without zeros, for measuring
template <Device D>
std::string matmul_description();

// The fp32 product of the CPU: lda and ldb are the elements from one row to the next of a and b as
// they are stored; c is contiguous. m, n, k > 0. Throws Error when the library fails.
void sgemm(const Product& product, const MatmulOptions& options, const float* a, int64_t lda,
           const float* b, int64_t ldb, float* c);
// The library that it is, with what the user should know of it.
std::string sgemm_description();
// The fp64 product of the CPU; m, n, k > 0.
void matmul_fp64(DeviceContext& ctx, const Product& product, const double* a, const double* b,
                 double* c, const MatmulOptions& options);
}  // namespace detail

}  // namespace argosy::ops
