// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/cublaslt_product.h"

#include <cuda_runtime_api.h>

#include "planner/spec/integers.h"
#include "trainer/device/cuda_check.h"
#include "trainer/device/cuda_device.h"
#include "trainer/ops/cublaslt_prepare.h"
#include "trainer/ops/cuda_matmul.h"
#include "trainer/ops/elementwise.h"

namespace argosy::ops::detail {
namespace {

struct ProductCache {
  std::map<ProductKey, PreparedProduct> products;

  PreparedProduct& find(CudaDevice& device, const ProductKey& key, const LibraryProduct& p) {
    const auto found = products.find(key);
    if (found != products.end()) return found->second;
    PreparedProduct product = prepare(device.cublaslt(), key, p);
    if (!product.algorithm) {
      device.state<LibraryRefusals>().products[text_of(key)] =
          "cuBLASLt has no kernel for it: an op of its own does what follows the product";
    }
    return products.emplace(key, std::move(product)).first->second;
  }
};

// Starts it; the library's code.
cublasStatus_t start(DeviceContext& ctx, const LibraryProduct& p, const PreparedProduct& prepared,
                     const Layouts& layouts) {
  CudaDevice& device = cuda_of(ctx);
  const Tensor workspace =
      ctx.empty({ceil_div(prepared.workspace_bytes, 4)}, DType::fp32, MemoryCategory::workspace);
  const float alpha = static_cast<float>(p.alpha), beta = p.accumulate ? 1.0f : 0.0f;
  return cublasLtMatmul(device.cublaslt(), prepared.desc.get(), &alpha, p.b.data,
                        layouts.first.get(), p.a.data, layouts.second.get(), &beta, p.c,
                        layouts.result.get(), p.c, layouts.result.get(), &*prepared.algorithm,
                        workspace.raw(), static_cast<size_t>(prepared.workspace_bytes),
                        device.compute());
}

}  // namespace

MatrixType matrix_type(DType dtype) {
  CHECK(dtype == DType::fp32 || dtype == DType::bf16, "matrix of ", to_string(dtype));
  return dtype == DType::bf16 ? MatrixType::bf16 : MatrixType::fp32;
}

bool run_product(DeviceContext& ctx, const LibraryProduct& p) {
  if (!takes_epilogue(p)) return false;
  CudaDevice& device = cuda_of(ctx);
  const ProductKey key = key_of(p, device.state<CudaMatmulPolicy>().allow_tf32);
  PreparedProduct& prepared = device.state<ProductCache>().find(device, key, p);
  if (!prepared.algorithm) {
    if (p.epilogue == Epilogue::none)
      throw Error(concat("cuBLASLt has no kernel for ", text_of(key)));
    return false;
  }
  set_pointers(p, prepared.desc);
  if (p.ragged == Ragged::none) {
    check_cublas(start(ctx, p, prepared, prepared.layouts), "cublasLtMatmul");
    return true;
  }
  if (start(ctx, p, prepared, layouts_of(key, p.sizes)) == CUBLAS_STATUS_SUCCESS) return true;
  LibraryProduct exact = p;  // the algorithm of the larger size does not take this one
  exact.ragged = Ragged::none;
  return run_product(ctx, exact);
}

void run_product_with_bias(DeviceContext& ctx, LibraryProduct product, const Tensor& bias,
                           const Tensor& out) {
  if (bias.defined()) {
    product.epilogue = Epilogue::bias;
    product.bias = bias.raw();
    if (run_product(ctx, product)) return;
    product.epilogue = Epilogue::none;
    product.bias = nullptr;
  }
  run_product(ctx, product);
  if (bias.defined()) ops::add_bias(ctx, bias, out);
}

}  // namespace argosy::ops::detail
