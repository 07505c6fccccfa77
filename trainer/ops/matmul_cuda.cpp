// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Products by cuBLASLt. It thinks in columns: a row-major c = op(a) op(b) is its c^T = op(b)^T
// op(a)^T, so b is its first operand. bf16 times bf16 sums in fp32 on the tensor cores and is
// rounded once, into bf16 or into fp32 main gradients; fp32 is fp32, or TF32 where
// CudaMatmulPolicy allows it. A mix of both is widened to fp32 before.
#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <array>
#include <bit>
#include <compare>
#include <map>
#include <memory>

#include "trainer/device/cuda_check.h"
#include "trainer/device/cuda_device.h"
#include "trainer/ops/cuda_matmul.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/grouped_matmul.h"

namespace argosy::ops::detail {
namespace {

// cuBLAS's advice for Hopper, and more than smaller GPUs make use of.
constexpr int64_t kMostWorkspaceBytes = int64_t{32} << 20;
constexpr int64_t kMostAlignmentBytes = 256;  // that a kernel asks for

// Owners of what cuBLASLt creates.
struct DestroyDesc {
  void operator()(cublasLtMatmulDesc_t x) const { (void)cublasLtMatmulDescDestroy(x); }
};
struct DestroyLayout {
  void operator()(cublasLtMatrixLayout_t x) const { (void)cublasLtMatrixLayoutDestroy(x); }
};
struct DestroyPreference {
  void operator()(cublasLtMatmulPreference_t x) const { (void)cublasLtMatmulPreferenceDestroy(x); }
};
template <typename Handle, typename Destroy>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy>;
using Desc = Owned<cublasLtMatmulDesc_t, DestroyDesc>;
using Layout = Owned<cublasLtMatrixLayout_t, DestroyLayout>;
using Preference = Owned<cublasLtMatmulPreference_t, DestroyPreference>;

cudaDataType type_of(DType dtype) {
  CHECK(dtype == DType::fp32 || dtype == DType::bf16, "matrix of ", to_string(dtype));
  return dtype == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F;
}

template <typename Value>
void set(const Desc& desc, cublasLtMatmulDescAttributes_t attribute, const Value& value) {
  check_cublas(cublasLtMatmulDescSetAttribute(desc.get(), attribute, &value, sizeof(value)),
               "cublasLtMatmulDescSetAttribute");
}
template <typename Value>
void set(const Preference& preference, cublasLtMatmulPreferenceAttributes_t attribute,
         const Value& value) {
  check_cublas(
      cublasLtMatmulPreferenceSetAttribute(preference.get(), attribute, &value, sizeof(value)),
      "cublasLtMatmulPreferenceSetAttribute");
}

// What the choice of an algorithm depends on.
struct ProductKey {
  bool transpose_a = false, transpose_b = false, accumulate = false, has_bias = false,
       allow_tf32 = false;
  int64_t m = 0, n = 0, k = 0;
  DType operands = DType::fp32, result = DType::fp32;
  std::array<uint32_t, 3> alignment_bytes = {};  // of a, b, c
  auto operator<=>(const ProductKey&) const = default;
};

// A product that is ready to run: made once for each key.
struct PreparedProduct {
  Desc desc;
  Layout first, second, result;  // as cuBLASLt sees them: b, a, c
  cublasLtMatmulAlgo_t algorithm = {};
  int64_t workspace_bytes = 0;
};

// Rows of the row-major matrix are columns to cuBLASLt.
Layout layout(DType dtype, int64_t rows, int64_t cols) {
  cublasLtMatrixLayout_t made = nullptr;
  check_cublas(cublasLtMatrixLayoutCreate(&made, type_of(dtype), static_cast<uint64_t>(cols),
                                          static_cast<uint64_t>(rows), cols),
               "cublasLtMatrixLayoutCreate");
  return Layout(made);
}

Desc description(const ProductKey& key) {
  const bool tf32 = key.allow_tf32 && key.operands == DType::fp32;
  cublasLtMatmulDesc_t made = nullptr;
  check_cublas(cublasLtMatmulDescCreate(
                   &made, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F),
               "cublasLtMatmulDescCreate");
  Desc desc(made);
  set(desc, CUBLASLT_MATMUL_DESC_TRANSA, key.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(desc, CUBLASLT_MATMUL_DESC_TRANSB, key.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
  if (key.has_bias) {
    set(desc, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    set(desc, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<int32_t>(type_of(key.result)));
  }
  return desc;
}

std::string text_of(const ProductKey& key) {
  return concat("(", key.m, ", ", key.k, ") x (", key.k, ", ", key.n, ") of ",
                to_string(key.operands), " into ", to_string(key.result));
}

// The first of the library's suggestions: the same in each run, so that a run repeats to the bit.
void choose_algorithm(cublasLtContext* handle, const ProductKey& key, PreparedProduct& product) {
  cublasLtMatmulPreference_t made = nullptr;
  check_cublas(cublasLtMatmulPreferenceCreate(&made), "cublasLtMatmulPreferenceCreate");
  const Preference preference(made);
  set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
      static_cast<uint64_t>(kMostWorkspaceBytes));
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key.alignment_bytes[1]);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key.alignment_bytes[0]);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key.alignment_bytes[2]);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, key.alignment_bytes[2]);
  cublasLtMatmulHeuristicResult_t suggestion = {};
  int count = 0;
  check_cublas(cublasLtMatmulAlgoGetHeuristic(handle, product.desc.get(), product.first.get(),
                                              product.second.get(), product.result.get(),
                                              product.result.get(), preference.get(), 1,
                                              &suggestion, &count),
               "cublasLtMatmulAlgoGetHeuristic");
  if (count == 0) throw Error(concat("cuBLASLt has no kernel for ", text_of(key)));
  product.algorithm = suggestion.algo;
  product.workspace_bytes = static_cast<int64_t>(suggestion.workspaceSize);
}

struct ProductCache {
  std::map<ProductKey, PreparedProduct> products;

  PreparedProduct& find(cublasLtContext* handle, const ProductKey& key) {
    const auto found = products.find(key);
    if (found != products.end()) return found->second;
    PreparedProduct product;
    product.desc = description(key);
    product.first =
        key.transpose_b ? layout(key.operands, key.n, key.k) : layout(key.operands, key.k, key.n);
    product.second =
        key.transpose_a ? layout(key.operands, key.k, key.m) : layout(key.operands, key.m, key.k);
    product.result = layout(key.result, key.m, key.n);
    choose_algorithm(handle, key, product);
    return products.emplace(key, std::move(product)).first->second;
  }
};

uint32_t alignment_bytes(const Tensor& x) {
  const auto address = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(x.raw()));
  const int64_t lowest_bit =
      address == 0 ? kMostAlignmentBytes : int64_t{1} << std::min(std::countr_zero(address), 8);
  return static_cast<uint32_t>(std::min(lowest_bit, kMostAlignmentBytes));
}

// a and b of one type, c of bf16 only if they are. m, n, k > 0.
void run(DeviceContext& ctx, const Product& p, const Tensor& a, const Tensor& b, const Tensor& c,
         const MatmulOptions& options) {
  CudaDevice& device = cuda_of(ctx);
  const ProductKey key{
      .transpose_a = p.transpose_a,
      .transpose_b = p.transpose_b,
      .accumulate = options.accumulate,
      .has_bias = options.bias.defined(),
      .allow_tf32 = device.state<CudaMatmulPolicy>().allow_tf32,
      .m = p.m,
      .n = p.n,
      .k = p.k,
      .operands = a.dtype(),
      .result = c.dtype(),
      .alignment_bytes = {alignment_bytes(a), alignment_bytes(b), alignment_bytes(c)}};
  PreparedProduct& product = device.state<ProductCache>().find(device.cublaslt(), key);
  if (key.has_bias) {
    const void* bias = options.bias.raw();
    set(product.desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  }
  const Tensor workspace =
      ctx.empty({product.workspace_bytes / 4}, DType::fp32, MemoryCategory::workspace);
  const float alpha = static_cast<float>(options.alpha), beta = options.accumulate ? 1.0f : 0.0f;
  check_cublas(
      cublasLtMatmul(device.cublaslt(), product.desc.get(), &alpha, b.raw(), product.first.get(),
                     a.raw(), product.second.get(), &beta, c.raw(), product.result.get(), c.raw(),
                     product.result.get(), &product.algorithm, workspace.raw(),
                     static_cast<size_t>(workspace.bytes()), device.compute()),
      "cublasLtMatmul");
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
  if (a.dtype() == b.dtype() && (a.dtype() == DType::bf16 || c.dtype() == DType::fp32))
    return run(ctx, p, a, b, c, options);
  const Tensor wide_c = c.dtype() == DType::fp32 || options.accumulate
                            ? as_fp32(ctx, c)
                            : ctx.empty(c.shape(), DType::fp32, MemoryCategory::workspace);
  MatmulOptions wide = options;
  wide.bias = as_fp32(ctx, options.bias);
  run(ctx, p, as_fp32(ctx, a), as_fp32(ctx, b), wide_c, wide);
  if (c.dtype() != DType::fp32) ops::copy(ctx, wide_c, c);
}

// One product after the other on the stream: each is as large as an expert's tokens are many.
template <>
void grouped_matmul<Device::cuda>(DeviceContext& ctx, const std::vector<GroupProduct>& groups,
                                  const MatmulOptions& options) {
  for (const auto& [p, a, b, c] : groups) matmul<Device::cuda>(ctx, p, a, b, c, options);
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
