// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// cuBLASLt thinks in columns: a row-major c = op(a) op(b) is its c^T = op(b)^T op(a)^T, so b is its
// first operand. Sums are fp32, rounded once.
#include "trainer/ops/cublaslt_prepare.h"

#include <algorithm>
#include <bit>

#include "planner/spec/integers.h"
#include "trainer/device/cuda_check.h"

namespace argosy::ops::detail {
namespace {

// cuBLAS's advice for Hopper, and more than smaller GPUs make use of.
constexpr int64_t kMostWorkspaceBytes = int64_t{32} << 20;
constexpr int64_t kMostAlignmentBytes = 256;  // that a kernel asks for
constexpr int64_t kAuxColumns = 8;            // the library's rule for rows of an aux matrix
constexpr int64_t kAuxAlignmentBytes = 16;
// Nowhere stated: kernels read a bias 16 bytes at a time and fault where it begins elsewhere, and
// the suggestions cannot be asked for less (Marian's prod.cpp found it on an A100).
constexpr int64_t kBiasAlignmentBytes = 16;

cudaDataType type_of(MatrixType type) {
  switch (type) {
    case MatrixType::fp32:
      return CUDA_R_32F;
    case MatrixType::bf16:
      return CUDA_R_16BF;
    case MatrixType::e4m3:
      return CUDA_R_8F_E4M3;
    case MatrixType::e5m2:
      return CUDA_R_8F_E5M2;
  }
  CHECK(false, "not a matrix type");
  return CUDA_R_32F;  // not reached
}

const char* name_of(MatrixType type) {
  constexpr const char* kNames[] = {"fp32", "bf16", "e4m3", "e5m2"};
  return kNames[static_cast<size_t>(type)];
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

// Rows of the row-major matrix are columns to cuBLASLt.
Layout layout(MatrixType type, int64_t rows, int64_t cols, int64_t stride) {
  cublasLtMatrixLayout_t made = nullptr;
  check_cublas(cublasLtMatrixLayoutCreate(&made, type_of(type), static_cast<uint64_t>(cols),
                                          static_cast<uint64_t>(rows), stride > 0 ? stride : cols),
               "cublasLtMatrixLayoutCreate");
  return Layout(made);
}

cublasLtEpilogue_t epilogue_of(const ProductKey& key) {
  switch (key.epilogue) {
    case Epilogue::none:
      return CUBLASLT_EPILOGUE_DEFAULT;
    case Epilogue::bias:
      return CUBLASLT_EPILOGUE_BIAS;
    case Epilogue::gelu:
      return key.has_bias ? CUBLASLT_EPILOGUE_GELU_AUX_BIAS : CUBLASLT_EPILOGUE_GELU_AUX;
    case Epilogue::gelu_gradient:
      return CUBLASLT_EPILOGUE_DGELU;
    case Epilogue::bias_gradient:
      return CUBLASLT_EPILOGUE_BGRADB;  // a is the library's second operand
  }
  CHECK(false, "not an epilogue");
  return CUBLASLT_EPILOGUE_DEFAULT;  // not reached
}

bool has_aux(Epilogue epilogue) {
  return epilogue == Epilogue::gelu || epilogue == Epilogue::gelu_gradient;
}
bool is_8_bit(MatrixType type) {
  return type == MatrixType::e4m3 || type == MatrixType::e5m2;
}

Desc description(const ProductKey& key) {
  const bool tf32 = key.allow_tf32 && key.a == MatrixType::fp32;
  cublasLtMatmulDesc_t made = nullptr;
  check_cublas(cublasLtMatmulDescCreate(
                   &made, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F),
               "cublasLtMatmulDescCreate");
  Desc desc(made);
  set(desc, CUBLASLT_MATMUL_DESC_TRANSA, key.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(desc, CUBLASLT_MATMUL_DESC_TRANSB, key.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(desc, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(key));
  if (key.has_bias)
    set(desc, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<int32_t>(type_of(key.result)));
  if (has_aux(key.epilogue)) set(desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, key.n);
  return desc;
}

Preference preference_of(const ProductKey& key) {
  cublasLtMatmulPreference_t made = nullptr;
  check_cublas(cublasLtMatmulPreferenceCreate(&made), "cublasLtMatmulPreferenceCreate");
  Preference preference(made);
  set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
      static_cast<uint64_t>(kMostWorkspaceBytes));
  // Sums in one go, or in fp32 parts that are added in order by a second kernel: not by whoever
  // comes first, and not in bf16.
  set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
      static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key.alignment_bytes[1]);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key.alignment_bytes[0]);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key.alignment_bytes[2]);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, key.alignment_bytes[2]);
  return preference;
}

// The first of the library's suggestions: the same in each run, so that a run repeats to the bit.
void choose_algorithm(cublasLtContext* handle, const ProductKey& key, PreparedProduct& product) {
  const Preference preference = preference_of(key);
  const Layouts& layouts = product.layouts;
  cublasLtMatmulHeuristicResult_t suggestion = {};
  int count = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      handle, product.desc.get(), layouts.first.get(), layouts.second.get(), layouts.result.get(),
      layouts.result.get(), preference.get(), 1, &suggestion, &count);
  // With an epilogue that is an answer: two ops do what one could not.
  const bool refuses = status == CUBLAS_STATUS_NOT_SUPPORTED ||
                       (key.epilogue != Epilogue::none && status == CUBLAS_STATUS_INVALID_VALUE);
  if (refuses) return;
  check_cublas(status, "cublasLtMatmulAlgoGetHeuristic");
  if (count == 0 || suggestion.state != CUBLAS_STATUS_SUCCESS) return;
  product.algorithm = suggestion.algo;
  product.workspace_bytes = static_cast<int64_t>(suggestion.workspaceSize);
}

uint32_t alignment_bytes(const void* data) {
  const auto address = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(data));
  const int64_t lowest_bit =
      address == 0 ? kMostAlignmentBytes : int64_t{1} << std::min(std::countr_zero(address), 8);
  return static_cast<uint32_t>(std::min(lowest_bit, kMostAlignmentBytes));
}

}  // namespace

Layouts layouts_of(const ProductKey& key, const Product& p) {
  const auto of_b = [&](int64_t rows, int64_t cols) {
    return layout(key.b, rows, cols, key.stride_of_b);
  };
  const auto of_a = [&](int64_t rows, int64_t cols) {
    return layout(key.a, rows, cols, key.stride_of_a);
  };
  return {p.transpose_b ? of_b(p.n, p.k) : of_b(p.k, p.n),
          p.transpose_a ? of_a(p.k, p.m) : of_a(p.m, p.k),
          layout(key.result, p.m, p.n, key.stride_of_c)};
}

std::string text_of(const ProductKey& key) {
  constexpr const char* kEpilogues[] = {"", ", bias", ", gelu", ", gradient of gelu",
                                        ", gradient of bias"};
  return concat("(", key.m, ", ", key.k, ") x (", key.k, ", ", key.n, ") of ", name_of(key.a),
                " and ", name_of(key.b), " into ", name_of(key.result),
                kEpilogues[static_cast<size_t>(key.epilogue)]);
}

ProductKey key_of(const LibraryProduct& p, bool allow_tf32) {
  const auto size = [&](int64_t exact, Ragged which) {
    return p.ragged == which ? key_size(exact) : exact;
  };
  // Where a ragged part begins changes too; kernels for the widest loads ask no more than this.
  constexpr uint32_t kRaggedAlignmentBytes = 16;
  const auto alignment = [&](const void* data) {
    const uint32_t bytes = alignment_bytes(data);
    return p.ragged != Ragged::none ? std::min(bytes, kRaggedAlignmentBytes) : bytes;
  };
  return {.transpose_a = p.sizes.transpose_a,
          .transpose_b = p.sizes.transpose_b,
          .accumulate = p.accumulate,
          .allow_tf32 = allow_tf32,
          .epilogue = p.epilogue,
          .has_bias = p.bias != nullptr,
          .m = size(p.sizes.m, Ragged::m),
          .n = p.sizes.n,
          .k = size(p.sizes.k, Ragged::k),
          .stride_of_a = p.a.stride,
          .stride_of_b = p.b.stride,
          .stride_of_c = p.stride,
          .a = p.a.type,
          .b = p.b.type,
          .result = p.result,
          .alignment_bytes = {alignment(p.a.data), alignment(p.b.data), alignment(p.c),
                              alignment(p.bias), alignment(p.aux)}};
}

bool takes_epilogue(const LibraryProduct& p) {
  if (p.bias != nullptr && alignment_bytes(p.bias) < kBiasAlignmentBytes) return false;
  if (!has_aux(p.epilogue)) return true;
  return p.sizes.n % kAuxColumns == 0 && alignment_bytes(p.aux) >= kAuxAlignmentBytes;
}

void set_pointers(const LibraryProduct& p, const Desc& desc) {
  const void* bias = p.bias;
  if (bias != nullptr) set(desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  if (has_aux(p.epilogue)) set(desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, p.aux);
  if (is_8_bit(p.a.type)) {
    set(desc, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, p.b.scale);
    set(desc, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, p.a.scale);
  }
}

PreparedProduct prepare(cublasLtContext* handle, const ProductKey& key, const LibraryProduct& p) {
  PreparedProduct product;
  product.desc = description(key);
  product.layouts = layouts_of(key, {key.transpose_a, key.transpose_b, key.m, key.n, key.k});
  set_pointers(p, product.desc);  // what is suggested may depend on what there is
  choose_algorithm(handle, key, product);
  return product;
}

int64_t key_size(int64_t size) {
  constexpr int64_t kSmallest = 64;  // rows of the smallest tiles
  constexpr int64_t kSteps = 8;      // between two powers of two
  if (size <= kSmallest) return kSmallest;
  const auto power = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(size - 1)));
  const int64_t step = std::max(power / kSteps, int64_t{8});
  return ceil_div(size, step) * step;
}

}  // namespace argosy::ops::detail
