// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Products by cuBLASLt. bf16 times bf16 goes into bf16 or into fp32 main gradients; fp32 is fp32,
// or TF32 where CudaMatmulPolicy allows it. A mix of both is widened to fp32 before.
#include <cublasLt.h>

#include "planner/spec/gpu_scratch.h"
#include "trainer/device/cuda_device.h"
#include "trainer/ops/cublaslt_product.h"
#include "trainer/ops/elementwise.h"

namespace argosy::ops::detail {
namespace {

// a and b of one type, c of bf16 only if they are. m, n, k > 0. Without bias.
LibraryProduct product_of(const Product& p, const Tensor& a, const Tensor& b, const Tensor& c,
                          const MatmulOptions& options) {
  return {.sizes = p,
          .a = {a.raw(), matrix_type(a.dtype())},
          .b = {b.raw(), matrix_type(b.dtype())},
          .c = c.raw(),
          .result = matrix_type(c.dtype()),
          .alpha = options.alpha,
          .accumulate = options.accumulate};
}

void run(DeviceContext& ctx, const Product& p, const Tensor& a, const Tensor& b, const Tensor& c,
         const MatmulOptions& options) {
  run_product_with_bias(ctx, product_of(p, a, b, c, options), options.bias, c);
}

// Ids [begin, begin + size) of a vocabulary: columns of c, rows of c, or what is summed over.
LibraryProduct part_of(const LibraryProduct& whole, const Product& p, int64_t begin, int64_t size) {
  LibraryProduct part = whole;
  part.sizes.gap = 0;
  const auto behind = [](const void* data, int64_t elements, MatrixType type) {
    return static_cast<const char*>(data) + elements * (type == MatrixType::bf16 ? 2 : 4);
  };
  const auto move_result = [&](int64_t elements) {
    part.c = const_cast<char*>(behind(whole.c, elements, whole.result));
  };
  if (p.transpose_b) {  // columns of c
    part.sizes.n = size;
    part.stride = p.n + p.gap;
    part.b.data = behind(whole.b.data, begin * p.k, whole.b.type);
    move_result(begin);
    return part;
  }
  part.a.stride = (p.transpose_a ? p.m : p.k) + p.gap;
  part.a.data = behind(whole.a.data, begin, whole.a.type);
  if (p.transpose_a) {  // rows of c
    part.sizes.m = size;
    move_result(begin * p.n);
  } else {
    part.sizes.k = size;
    part.b.data = behind(whole.b.data, begin * p.n, whole.b.type);
    part.accumulate = whole.accumulate || begin + size < p.k;  // the second of two
  }
  return part;
}

// The few ids behind those that are whole 16 bytes first, whose sum is so rounded while it is
// small; then the others, all of whose matrices are aligned.
void run_with_gap(DeviceContext& ctx, const LibraryProduct& whole) {
  const Product& p = whole.sizes;
  const int64_t all = p.transpose_b ? p.n : p.transpose_a ? p.m : p.k;
  const int64_t aligned = all / kGpuColumns * kGpuColumns;
  CHECK(aligned < all, all, " ids are whole 16 bytes: no gap");
  run_product(ctx, part_of(whole, p, aligned, all - aligned));
  if (aligned > 0) run_product(ctx, part_of(whole, p, 0, aligned));
}

bool is_uniform(const Tensor& a, const Tensor& b, const Tensor& c) {
  return a.dtype() == b.dtype() && (a.dtype() == DType::bf16 || c.dtype() == DType::fp32);
}

// The tensor itself when it is fp32, else a widened copy.
Tensor as_fp32(DeviceContext& ctx, const Tensor& x) {
  if (!x.defined() || x.dtype() == DType::fp32) return x;
  Tensor wide = ctx.empty(x.shape(), DType::fp32, MemoryCategory::workspace);
  ops::copy(ctx, x, wide);
  return wide;
}

}  // namespace

template <>
void matmul<Device::cuda>(DeviceContext& ctx, const Product& p, const Tensor& a, const Tensor& b,
                          const Tensor& c, const MatmulOptions& options) {
  if (c.dtype() == DType::fp64) {
    throw ConfigError(
        "--precision fp64 is for proofs on --device cpu; --device cuda computes in fp32 and bf16");
  }
  if (p.m == 0 || p.n == 0) return;
  if (p.k == 0) {
    if (!options.accumulate) ops::fill_zero(ctx, c);
    if (options.bias.defined()) ops::add_bias(ctx, options.bias, c);
    return;
  }
  if (p.gap > 0) {
    CHECK(is_uniform(a, b, c), "a gap between rows of several types");
    return run_with_gap(ctx, product_of(p, a, b, c, options));
  }
  if (is_uniform(a, b, c)) return run(ctx, p, a, b, c, options);
  const Tensor wide_c = c.dtype() == DType::fp32 || options.accumulate
                            ? as_fp32(ctx, c)
                            : ctx.empty(c.shape(), DType::fp32, MemoryCategory::workspace);
  MatmulOptions wide = options;
  wide.bias = as_fp32(ctx, options.bias);
  run(ctx, p, as_fp32(ctx, a), as_fp32(ctx, b), wide_c, wide);
  if (c.dtype() != DType::fp32) ops::copy(ctx, wide_c, c);
}

template <>
int64_t padded_columns<Device::cuda>(DType dtype, int64_t n) {
  return padded_gpu_columns(size_in_bytes(dtype), n);
}

// One launch takes the norm of all gradients at the end.
template <>
bool takes_squares<Device::cuda>() {
  return false;
}

// GELU, its gradient and the gradient of a bias while the product is in registers: a pass over
// memory less each.
template <>
bool fused_matmul<Device::cuda>(DeviceContext& ctx, const Product& p, const Tensor& a,
                                const Tensor& b, const Tensor& c, const MatmulOptions& options) {
  if (p.m == 0 || p.n == 0 || p.k == 0 || !is_uniform(a, b, c)) return false;
  if (options.squares.defined()) return false;
  LibraryProduct product = product_of(p, a, b, c, options);
  if (options.bias_gradient.defined()) {
    // The library overwrites: sums of a step meet in the main gradient.
    if (product.result != MatrixType::fp32) return false;
    const Tensor sums = ctx.empty({p.m}, DType::fp32, MemoryCategory::workspace);
    product.epilogue = Epilogue::bias_gradient;
    product.bias = sums.raw();
    if (!run_product(ctx, product)) return false;
    ops::add(ctx, sums, options.bias_gradient);
    return true;
  }
  const bool is_forward = options.gelu_input.defined();
  if (options.bias.defined()) product.bias = options.bias.raw();
  product.epilogue = is_forward ? Epilogue::gelu : Epilogue::gelu_gradient;
  product.aux = is_forward ? options.gelu_input.raw() : options.gelu_gradient_at.raw();
  return run_product(ctx, product);
}

template <>
void fill_pattern<Device::cuda>(const Tensor& x) {
  DeviceContext host(Device::cpu);
  const Tensor values = host.empty(x.shape(), x.dtype(), MemoryCategory::workspace);
  fill_pattern<Device::cpu>(values);
  backend_of(x).upload(values.raw(), x.raw(), x.bytes());
}

template <>
std::string matmul_description<Device::cuda>() {
  const size_t version = cublasLtGetVersion();  // major * 10000 + minor * 100 + patch
  return concat("bf16 and fp32 by cuBLASLt ", version / 10000, ".", version / 100 % 100, ".",
                version % 100);
}

}  // namespace argosy::ops::detail
