// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/few_rows_product.h"

#include "trainer/ops/dispatch.h"
#include "trainer/ops/simd_math.h"

namespace argosy::ops::detail {
namespace {

// While a row of the weight waits for memory it can be multiplied with so many.
constexpr int64_t kFewRows = 8;

// Calls body.template operator()<T>() for fp32 or bf16.
template <typename Body>
void dispatch_fp32_or_bf16(DType dtype, const Body& body) {
  CHECK(dtype == DType::fp32 || dtype == DType::bf16, "matrix of ", to_string(dtype));
  if (dtype == DType::fp32) return body.template operator()<float>();
  body.template operator()<bfloat16>();
}

// fp32, as every column of the result reads it; `x` itself or a copy.
Tensor widened(DeviceContext& ctx, const Tensor& x) {
  if (x.dtype() == DType::fp32) return x;
  Tensor wide = ctx.empty(x.shape(), DType::fp32, MemoryCategory::workspace);
  const bfloat16* from = x.data<bfloat16>();
  float* to = wide.data<float>();
#pragma omp simd
  for (int64_t i = 0; i < x.size(); ++i) to[i] = static_cast<float>(from[i]);
  return wide;
}

template <typename T>
float dot(const float* x, const T* w, int64_t size) {
  return sum_in_lanes<float>(size, [&](int64_t i) { return x[i] * static_cast<float>(w[i]); });
}

}  // namespace

bool has_few_rows(const Product& p, const Tensor& c) {
  return !p.transpose_a && p.transpose_b && p.m <= kFewRows && c.dtype() != DType::fp64;
}

void few_rows_product(DeviceContext& ctx, const Product& p, const Tensor& a, const Tensor& b,
                      const Tensor& c, const MatmulOptions& options) {
  const Tensor wide = widened(ctx, a);
  const float* x = wide.data<float>();
  const auto alpha = static_cast<float>(options.alpha);
  dispatch_fp32_or_bf16(b.dtype(), [&]<typename T>() {
    dispatch_fp32_or_bf16(c.dtype(), [&]<typename O>() {
      const T* w = b.data<T>();
      const O* bias = options.bias.defined() ? options.bias.data<O>() : nullptr;
      O* y = c.data<O>();
      // A column of the result is one thread's, its sum in a fixed order.
#pragma omp parallel for schedule(static) if (p.n * p.k >= kParallelElements)
      for (int64_t j = 0; j < p.n; ++j) {
        for (int64_t i = 0; i < p.m; ++i) {
          float sum = alpha * dot(x + i * p.k, w + j * p.k, p.k);
          if (bias != nullptr) sum += static_cast<float>(bias[j]);
          if (options.accumulate) sum += static_cast<float>(y[i * p.n + j]);
          store(y[i * p.n + j], sum);
        }
      }
    });
  });
}

}  // namespace argosy::ops::detail
