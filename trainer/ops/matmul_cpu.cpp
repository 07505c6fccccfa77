// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// fp32 by a library (sgemm_dnnl.cpp or sgemm_cblas.cpp, as CMake found one). bf16 by our own
// kernels on AMX or VDPBF16PS; oneDNN's would crash where a hypervisor hides the tile palette
// (CPUID leaf 0x1D). Where the CPU has neither, or fp32 is among the operands, bf16 is widened:
// while our AVX-512 kernel packs it, else in copies for sgemm.
#include "trainer/ops/dispatch.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/few_rows_product.h"
#include "trainer/ops/matmul.h"
#include "trainer/ops/packed_product.h"
#include "trainer/ops/simd_math.h"
#include "trainer/ops/vector_rows.h"

namespace argosy::ops::detail {
namespace {

template <typename From, typename To>
void convert(const Tensor& from, const Tensor& to) {
  const From* in = from.data<From>();
  To* out = to.data<To>();
  const int64_t size = from.size();
#pragma omp parallel for simd schedule(static) if (parallel : size >= kParallelElements)
  for (int64_t i = 0; i < size; ++i) out[i] = To(static_cast<float>(in[i]));
}

// The tensor itself when it is fp32, else a converted copy.
Tensor as_fp32(DeviceContext& ctx, const Tensor& x) {
  if (x.dtype() == DType::fp32) return x;
  CHECK(x.dtype() == DType::bf16, "matrix of ", to_string(x.dtype()));
  Tensor copy = ctx.empty(x.shape(), DType::fp32, MemoryCategory::workspace);
  convert<bfloat16, float>(x, copy);
  return copy;
}

void fill_zero(const Tensor& x) {
  dispatch_float(x.dtype(), [&]<typename T>() {
    T* out = x.data<T>();
    for (int64_t i = 0; i < x.size(); ++i) out[i] = T(0.0f);
  });
}

// Elements from one row to the next of a whole matrix op(x) (rows, cols).
int64_t stride(bool transpose, int64_t rows, int64_t cols) {
  return transpose ? rows : cols;
}

void whole_sgemm(const Product& p, const MatmulOptions& options, const Tensor& a, const Tensor& b,
                 const Tensor& c) {
  sgemm(p, options, a.data<float>(), stride(p.transpose_a, p.m, p.k), b.data<float>(),
        stride(p.transpose_b, p.k, p.n), c.data<float>());
}

// fp32, and bf16 on machines without AVX-512.
void converted_sgemm(DeviceContext& ctx, const Product& p, const Tensor& a, const Tensor& b,
                     const Tensor& c, const MatmulOptions& options) {
  const Tensor a32 = as_fp32(ctx, a), b32 = as_fp32(ctx, b);
  if (c.dtype() == DType::fp32) {
    whole_sgemm(p, options, a32, b32, c);
    return;
  }
  // sgemm reads c only when it accumulates.
  const Tensor c32 = options.accumulate
                         ? as_fp32(ctx, c)
                         : ctx.empty(c.shape(), DType::fp32, MemoryCategory::workspace);
  whole_sgemm(p, options, a32, b32, c32);
  convert<float, bfloat16>(c32, c);
}

void packed_matmul(DeviceContext& ctx, const CpuKernel& kernel, const Product& p, const Tensor& a,
                   const Tensor& b, const Tensor& c, const MatmulOptions& options) {
  PackedProduct product = packed_product(p, a, b, c);
  Tensor bias;
  if (options.bias.defined()) {
    bias = as_fp32(ctx, options.bias);
    product.bias = bias.data<float>();
  }
  packed_products(ctx, kernel, {product}, static_cast<float>(options.alpha), options.accumulate);
}

}  // namespace

const CpuKernel* packed_kernel(const Tensor& a, const Tensor& b, const Tensor& c) {
  const auto all = [&](DType dtype) {
    return a.dtype() == dtype && b.dtype() == dtype && c.dtype() == dtype;
  };
  if (all(DType::fp64) || all(DType::fp32)) return nullptr;
  const bool both_bf16 = a.dtype() == DType::bf16 && b.dtype() == DType::bf16;
  return packed_kernel(both_bf16 ? DType::bf16 : DType::fp32);
}

PackedProduct packed_product(const Product& p, const Tensor& a, const Tensor& b, const Tensor& c) {
  return {.m = p.m,
          .n = p.n,
          .k = p.k,
          .a = {a.raw(), a.dtype(), stride(p.transpose_a, p.m, p.k), p.transpose_a},
          .b = {b.raw(), b.dtype(), stride(p.transpose_b, p.k, p.n), !p.transpose_b},
          .c = c.raw(),
          .c_dtype = c.dtype()};
}

template <>
void matmul<Device::cpu>(DeviceContext& ctx, const Product& p, const Tensor& a, const Tensor& b,
                         const Tensor& c, const MatmulOptions& options) {
  CHECK(p.gap == 0, "a CPU's rows have no columns but their own");
  if (p.m == 0 || p.n == 0) return;
  if (has_few_rows(p, c)) return few_rows_product(ctx, p, a, b, c, options);
  const CpuKernel* kernel = packed_kernel(a, b, c);
  if (kernel != nullptr) return packed_matmul(ctx, *kernel, p, a, b, c, options);
  if (p.k == 0) {
    if (!options.accumulate) fill_zero(c);
  } else if (c.dtype() == DType::fp64) {
    matmul_fp64(ctx, p, a.data<double>(), b.data<double>(), c.data<double>(), options);
  } else {
    converted_sgemm(ctx, p, a, b, c, options);
  }
  if (options.bias.defined()) ops::add_bias(ctx, options.bias, c);
}

template <>
int64_t padded_columns<Device::cpu>(DType, int64_t n) {
  return n;
}

template <>
bool takes_squares<Device::cpu>() {
  return packed_kernel(DType::bf16) != nullptr && vector_rows() != nullptr;
}

// Squares alone: gelu, its gradient and RoPE gain nothing from rows that are still in the cache
// (NOTES.md).
template <>
bool fused_matmul<Device::cpu>(DeviceContext& ctx, const Product& p, const Tensor& a,
                               const Tensor& b, const Tensor& c, const MatmulOptions& options) {
  const CpuKernel* kernel = packed_kernel(a, b, c);
  if (!options.squares.defined() || kernel == nullptr || vector_rows() == nullptr) return false;
  if (c.dtype() != DType::fp32 || c.size() == 0) return false;
  packed_products_with_squares(ctx, *kernel, {packed_product(p, a, b, c)}, options);
  if (options.bias_gradient.defined()) ops::bias_backward(ctx, a, options.bias_gradient);
  return true;
}

template <>
void fill_pattern<Device::cpu>(const Tensor& x) {
  dispatch_float(x.dtype(), [&]<typename T>() {
    T* out = x.data<T>();
    for (int64_t i = 0; i < x.size(); ++i) out[i] = T(static_cast<float>(1 + i % 13) / 13.0f);
  });
}

template <>
std::string matmul_description<Device::cpu>() {
  const KernelChoice &fp32 = kernel_choice(DType::fp32), &bf16 = kernel_choice(DType::bf16);
  std::string text = "bf16 ";
  if (bf16.kernel != nullptr) {
    text += concat("by our ", bf16.kernel->name, " kernel");
  } else if (fp32.kernel != nullptr) {
    text += concat("converted to fp32 by our ", fp32.kernel->name, " kernel");
  } else {
    text += "converted to fp32";
  }
  const std::string& cap = cpu_features().cap;
  const std::string capped = cap.empty() ? "" : concat("; ARGOSY_CPU_KERNELS=", cap);
  return concat(text, ", fp32 by ", sgemm_description(), ", fp64 by our own kernel", capped,
                bf16.warning, fp32.warning);
}

}  // namespace argosy::ops::detail
