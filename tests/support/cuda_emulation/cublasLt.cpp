// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/support/cuda_emulation/cublasLt.h"

#include "planner/spec/bfloat16.h"

namespace {

using argosy::bfloat16;

constexpr size_t kWorkspaceBytes = 4096;  // to be asked for, and passed

float element(const void* data, const EmulatedMatrixLayout& x, int64_t row, int64_t col) {
  const int64_t i = col * x.stride + row;
  return x.type == CUDA_R_16BF ? static_cast<const bfloat16*>(data)[i]
                               : static_cast<const float*>(data)[i];
}
float operand(const void* data, const EmulatedMatrixLayout& x, cublasOperation_t transpose,
              int64_t row, int64_t col) {
  return transpose == CUBLAS_OP_T ? element(data, x, col, row) : element(data, x, row, col);
}
void store(void* data, const EmulatedMatrixLayout& x, int64_t row, int64_t col, float value) {
  const int64_t i = col * x.stride + row;
  if (x.type == CUDA_R_16BF) {
    static_cast<bfloat16*>(data)[i] = bfloat16(value);
  } else {
    static_cast<float*>(data)[i] = value;
  }
}

template <typename Value>
bool read(const void* from, size_t bytes, Value& to) {
  if (bytes != sizeof(Value)) return false;
  std::memcpy(&to, from, bytes);
  return true;
}

// Types as the library takes them: operands alike, fp32 into fp32, bf16 into either.
bool types_fit(const EmulatedMatmulDesc& desc, const EmulatedMatrixLayout& a,
               const EmulatedMatrixLayout& b, const EmulatedMatrixLayout& d) {
  const bool bias_fits = desc.epilogue == CUBLASLT_EPILOGUE_DEFAULT || desc.bias_type == d.type;
  return a.type == b.type && (a.type == CUDA_R_16BF || d.type == CUDA_R_32F) && bias_fits;
}

bool is_aligned(const void* data, uint32_t bytes) {
  return reinterpret_cast<uintptr_t>(data) % bytes == 0;
}

}  // namespace

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* desc, cublasComputeType_t,
                                        cudaDataType) {
  *desc = new EmulatedMatmulDesc;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
  delete desc;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  const auto fits = [&](auto& to) {
    return read(value, bytes, to) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
  };
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return fits(desc->transpose_a);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return fits(desc->transpose_b);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return fits(desc->epilogue);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return fits(desc->bias);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
      return fits(desc->bias_type);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type,
                                          uint64_t rows, uint64_t cols, int64_t stride) {
  if (stride < static_cast<int64_t>(rows)) return CUBLAS_STATUS_INVALID_VALUE;
  *layout = new EmulatedMatrixLayout{type, static_cast<int64_t>(rows), static_cast<int64_t>(cols),
                                     stride};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = new EmulatedPreference;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, size_t bytes) {
  uint64_t most_bytes = 0;
  const bool is_read =
      attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES
          ? read(value, bytes, most_bytes)
          : read(value, bytes,
                 preference
                     ->alignment_bytes[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES]);
  return is_read ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t desc,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int,
                                              cublasLtMatmulHeuristicResult_t* results,
                                              int* found) {
  *found = types_fit(*desc, *a, *b, *d) ? 1 : 0;
  std::copy_n(preference->alignment_bytes, 4, results->algo.alignment_bytes);
  results->workspaceSize = kWorkspaceBytes;
  return *found == 1 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}
cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t desc, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                              size_t workspace_bytes, cudaStream_t stream) {
  const bool a_turns = desc->transpose_a == CUBLAS_OP_T, b_turns = desc->transpose_b == CUBLAS_OP_T;
  const int64_t rows = d_layout->rows, cols = d_layout->cols,
                inner = a_turns ? a_layout->rows : a_layout->cols;
  const void* pointers[] = {a, b, c, d};
  for (int i = 0; i < 4; ++i) {
    if (!is_aligned(pointers[i], algorithm->alignment_bytes[i])) return CUBLAS_STATUS_INVALID_VALUE;
  }
  if ((a_turns ? a_layout->cols : a_layout->rows) != rows ||
      (b_turns ? b_layout->rows : b_layout->cols) != cols ||
      (b_turns ? b_layout->cols : b_layout->rows) != inner || workspace_bytes < kWorkspaceBytes ||
      !types_fit(*desc, *a_layout, *b_layout, *d_layout)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (stream != nullptr) {  // when its turn comes, with what was described now
    const auto later = [=, desc = *desc, alpha = *static_cast<const float*>(alpha),
                        a_layout = *a_layout, b_layout = *b_layout,
                        beta = *static_cast<const float*>(beta), c_layout = *c_layout,
                        d_layout = *d_layout, algorithm = *algorithm]() mutable {
      (void)cublasLtMatmul(nullptr, &desc, &alpha, a, &a_layout, b, &b_layout, &beta, c, &c_layout,
                           d, &d_layout, &algorithm, workspace, workspace_bytes, nullptr);
    };
    return argosy::cuda_emulation::enqueue(stream, later) == cudaSuccess
               ? CUBLAS_STATUS_SUCCESS
               : CUBLAS_STATUS_EXECUTION_FAILED;
  }
  const EmulatedMatrixLayout bias_layout{d_layout->type, rows, 1, rows};
  for (int64_t col = 0; col < cols; ++col) {
    for (int64_t row = 0; row < rows; ++row) {
      double sum = 0;
      for (int64_t i = 0; i < inner; ++i) {
        sum += static_cast<double>(operand(a, *a_layout, desc->transpose_a, row, i)) *
               static_cast<double>(operand(b, *b_layout, desc->transpose_b, i, col));
      }
      float value = *static_cast<const float*>(alpha) * static_cast<float>(sum);
      const float keep = *static_cast<const float*>(beta);
      if (keep != 0) value += keep * element(c, *c_layout, row, col);
      if (desc->epilogue == CUBLASLT_EPILOGUE_BIAS)
        value += element(desc->bias, bias_layout, row, 0);
      store(d, *d_layout, row, col, value);
    }
  }
  return CUBLAS_STATUS_SUCCESS;
}
