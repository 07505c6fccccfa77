// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// fp32 products by any library with CBLAS' interface, where oneDNN is not installed.
#include <cblas.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

#include "planner/spec/check.h"
#include "trainer/ops/cpu_kernels.h"
#include "trainer/ops/matmul.h"

// Of OpenBLAS alone, hence weak: null with another library, or with one that is replaced at run
// time.
extern "C" char* openblas_get_corename() __attribute__((weak));

namespace argosy::ops::detail {

namespace {

int blas_int(int64_t value) {
  CHECK(value >= 0 && value <= std::numeric_limits<int>::max(), "a dimension of ", value,
        " is too long for CBLAS");
  return static_cast<int>(value);
}

// What OpenBLAS calls CPUs without AVX2 (its cpuid_x86.c); a newer one that it does not know is
// taken for one of these, at a quarter of its speed or less.
constexpr std::array<std::string_view, 8> kOldCores = {
    "Prescott", "Core2", "Penryn", "Dunnington", "Nehalem", "Generic", "Sandybridge", "Atom"};

}  // namespace

void sgemm(const Product& p, const MatmulOptions& options, const float* a, int64_t lda,
           const float* b, int64_t ldb, float* c) {
  cblas_sgemm(CblasRowMajor, p.transpose_a ? CblasTrans : CblasNoTrans,
              p.transpose_b ? CblasTrans : CblasNoTrans, blas_int(p.m), blas_int(p.n),
              blas_int(p.k), static_cast<float>(options.alpha), a, blas_int(lda), b, blas_int(ldb),
              options.accumulate ? 1.0f : 0.0f, c, blas_int(p.n));
}

std::string sgemm_description() {
  if (openblas_get_corename == nullptr)
    return "CBLAS sgemm (not OpenBLAS: if it is slow, install libdnnl-dev and configure again)";
  const std::string_view core = openblas_get_corename();
  std::string text = concat("OpenBLAS sgemm for ", core);
  const bool old = std::find(kOldCores.begin(), kOldCores.end(), core) != kOldCores.end();
  if (old && cpu_features().avx2) {
    text += concat(" (kernels of an old CPU: set OPENBLAS_CORETYPE=",
                   cpu_features().avx512 ? "SkylakeX" : "Haswell", ")");
  }
  return text;
}

}  // namespace argosy::ops::detail
