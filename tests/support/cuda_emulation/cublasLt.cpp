// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/support/cuda_emulation/cublasLt.h"

#include <atomic>
#include <bit>
#include <cmath>

#include "planner/spec/bfloat16.h"
#include "tests/support/cuda_emulation/float8.h"

namespace {

using argosy::bfloat16;

constexpr size_t kWorkspaceBytes = 4096;  // to be asked for, and passed
// What the library's manual asks of a workspace, and what its kernels were seen to ask of a bias:
// a vector that is not so aligned ends in a fault ("misaligned address") on a GPU.
constexpr uint32_t kWorkspaceAlignmentBytes = 256, kBiasAlignmentBytes = 16;

std::atomic<bool> epilogues_are_refused = false;

float element(const void* data, const EmulatedMatrixLayout& x, int64_t row, int64_t col) {
  const int64_t i = col * x.stride + row;
  switch (x.type) {
    case CUDA_R_16BF:
      return static_cast<const bfloat16*>(data)[i];
    case CUDA_R_8F_E4M3:
      return argosy::cuda_emulation::from_e4m3(static_cast<const uint8_t*>(data)[i]);
    case CUDA_R_8F_E5M2:
      return argosy::cuda_emulation::from_e5m2(static_cast<const uint8_t*>(data)[i]);
    case CUDA_R_32F:
      break;
  }
  return static_cast<const float*>(data)[i];
}
float operand(const void* data, const EmulatedMatrixLayout& x, cublasOperation_t transpose,
              int64_t row, int64_t col) {
  return transpose == CUBLAS_OP_T ? element(data, x, col, row) : element(data, x, row, col);
}
// fp32 as the tensor cores take it where they may: 10 bits of mantissa (TF32).
float as_multiplied(const EmulatedMatmulDesc& desc, float value) {
  if (desc.compute != CUBLAS_COMPUTE_32F_FAST_TF32) return value;
  constexpr uint32_t kLost = 0x1fff;  // the last 13 of 23 bits
  return std::bit_cast<float>((std::bit_cast<uint32_t>(value) + kLost / 2 + 1) & ~kLost);
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

bool is_8_bit(const EmulatedMatrixLayout& x) {
  return x.type == CUDA_R_8F_E4M3 || x.type == CUDA_R_8F_E5M2;
}

bool has_bias(const EmulatedMatmulDesc& desc) {
  return (desc.epilogue & (CUBLASLT_EPILOGUE_BIAS | CUBLASLT_EPILOGUE_BGRADB)) != 0;
}
bool has_aux(const EmulatedMatmulDesc& desc) {
  return (desc.epilogue & 128) != 0;
}

// 8 bits as Hopper takes them: a transposed, b not, the sum and the result's columns of whole 16
// bytes, not e5m2 with e5m2.
bool fits_8_bits(const EmulatedMatmulDesc& desc, const EmulatedMatrixLayout& a,
                 const EmulatedMatrixLayout& b) {
  constexpr int64_t kUnit = 16;
  return desc.transpose_a == CUBLAS_OP_T && desc.transpose_b == CUBLAS_OP_N &&
         !(a.type == CUDA_R_8F_E5M2 && b.type == CUDA_R_8F_E5M2) && a.rows % kUnit == 0 &&
         a.cols % kUnit == 0 && desc.scale_a != nullptr && desc.scale_b != nullptr;
}

// Types as the library takes them: operands alike, fp32 into fp32, bf16 into either; rows of an aux
// matrix of whole 8 elements, 16 bytes aligned.
bool types_fit(const EmulatedMatmulDesc& desc, const EmulatedMatrixLayout& a,
               const EmulatedMatrixLayout& b, const EmulatedMatrixLayout& d) {
  // In 8 bits a bias is bf16, whatever the result is.
  const cudaDataType bias_type = is_8_bit(a) ? CUDA_R_16BF : d.type;
  if (has_bias(desc) && desc.bias_type != bias_type) return false;
  if (has_aux(desc) && (desc.aux_stride % 8 != 0 || desc.aux_stride < d.rows ||
                        reinterpret_cast<uintptr_t>(desc.aux) % 16 != 0 || desc.aux == nullptr)) {
    return false;
  }
  if (is_8_bit(a) && is_8_bit(b)) return fits_8_bits(desc, a, b) && !is_8_bit(d);
  if (is_8_bit(a) != is_8_bit(b)) return false;
  return a.type == b.type && (a.type == CUDA_R_16BF || d.type == CUDA_R_32F);
}

// GPT-2's gelu and its derivative.
double gelu(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
double gelu_slope(double x) {
  const double scale = std::sqrt(2 / M_PI), t = std::tanh(scale * (x + 0.044715 * x * x * x));
  return (1 + t) / 2 + x / 2 * (1 - t * t) * scale * (1 + 3 * 0.044715 * x * x);
}

// What the epilogue makes of a sum; writes aux.
float after_product(const EmulatedMatmulDesc& desc, const EmulatedMatrixLayout& d, int64_t row,
                    int64_t col, float value) {
  const EmulatedMatrixLayout bias{d.type, d.rows, 1, d.rows},
      aux{d.type, d.rows, d.cols, desc.aux_stride};
  if ((desc.epilogue & CUBLASLT_EPILOGUE_BIAS) != 0) value += element(desc.bias, bias, row, 0);
  if (desc.epilogue == CUBLASLT_EPILOGUE_DGELU) {
    return static_cast<float>(value * gelu_slope(element(desc.aux, aux, row, col)));
  }
  if (!has_aux(desc)) return value;
  store(const_cast<void*>(desc.aux), aux, row, col, value);
  return static_cast<float>(gelu(value));
}

// Sums of b (k, n) over k, or of what is so once it is turned.
void write_bias_gradient(const EmulatedMatmulDesc& desc, const void* b,
                         const EmulatedMatrixLayout& layout, const EmulatedMatrixLayout& d,
                         int64_t inner) {
  const EmulatedMatrixLayout bias{d.type, d.cols, 1, d.cols};
  for (int64_t col = 0; col < d.cols; ++col) {
    double sum = 0;
    for (int64_t i = 0; i < inner; ++i) sum += operand(b, layout, desc.transpose_b, i, col);
    store(const_cast<void*>(desc.bias), bias, col, 0, static_cast<float>(sum));
  }
}

bool is_aligned(const void* data, uint32_t bytes) {
  return reinterpret_cast<uintptr_t>(data) % bytes == 0;
}

}  // namespace

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* desc, cublasComputeType_t compute,
                                        cudaDataType) {
  *desc = new EmulatedMatmulDesc;
  (*desc)->compute = compute;
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
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER:
      return fits(desc->aux);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD:
      return fits(desc->aux_stride);
    case CUBLASLT_MATMUL_DESC_A_SCALE_POINTER:
      return fits(desc->scale_a);
    case CUBLASLT_MATMUL_DESC_B_SCALE_POINTER:
      return fits(desc->scale_b);
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
      attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES ? read(value, bytes, most_bytes)
      : attribute == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK
          ? read(value, bytes, preference->reductions)
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
  // Sums in place would depend on who comes first, those in the output's type on its precision.
  const bool is_in_order = preference->reductions == CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
  *found = is_in_order && types_fit(*desc, *a, *b, *d) ? 1 : 0;
  // The other way of saying no: an answer whose state says that nothing else in it is valid.
  const bool is_refused = epilogues_are_refused && desc->epilogue != CUBLASLT_EPILOGUE_DEFAULT;
  results->state = is_refused ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
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
    if (is_8_bit(*a_layout) && !is_aligned(pointers[i], 16)) return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (!is_aligned(workspace, kWorkspaceAlignmentBytes)) return CUBLAS_STATUS_INVALID_VALUE;
  if (epilogues_are_refused && desc->epilogue != CUBLASLT_EPILOGUE_DEFAULT)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  if (has_bias(*desc) && !is_aligned(desc->bias, kBiasAlignmentBytes))
    return CUBLAS_STATUS_EXECUTION_FAILED;
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
  const bool is_scaled = is_8_bit(*a_layout);
  const float factor =
      *static_cast<const float*>(alpha) * (is_scaled ? *desc->scale_a * *desc->scale_b : 1.0f);
  if (desc->epilogue == CUBLASLT_EPILOGUE_BGRADB)
    write_bias_gradient(*desc, b, *b_layout, *d_layout, inner);
  for (int64_t col = 0; col < cols; ++col) {
    for (int64_t row = 0; row < rows; ++row) {
      double sum = 0;
      for (int64_t i = 0; i < inner; ++i) {
        sum += static_cast<double>(
                   as_multiplied(*desc, operand(a, *a_layout, desc->transpose_a, row, i))) *
               static_cast<double>(
                   as_multiplied(*desc, operand(b, *b_layout, desc->transpose_b, i, col)));
      }
      float value = factor * static_cast<float>(sum);
      const float keep = *static_cast<const float*>(beta);
      if (keep != 0) value += keep * element(c, *c_layout, row, col);
      store(d, *d_layout, row, col, after_product(*desc, *d_layout, row, col, value));
    }
  }
  return CUBLAS_STATUS_SUCCESS;
}

void argosy::cuda_emulation::refuse_epilogues(bool refused) {
  epilogues_are_refused = refused;
}
