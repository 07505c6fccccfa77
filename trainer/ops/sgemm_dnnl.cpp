// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// fp32 products by oneDNN: within 5% of the best library on AVX-512 machines, and it finds the
// right instruction set without help from the environment (Debian's OpenBLAS 0.3.21 does not know
// newer Xeons and falls back to SSE3).
#include <oneapi/dnnl/dnnl.h>
#include <oneapi/dnnl/dnnl_debug.h>

#include "planner/spec/check.h"
#include "trainer/ops/matmul.h"

namespace argosy::ops::detail {

void sgemm(const Product& p, const MatmulOptions& options, const float* a, int64_t lda,
           const float* b, int64_t ldb, float* c) {
  const dnnl_status_t status = dnnl_sgemm(p.transpose_a ? 'T' : 'N', p.transpose_b ? 'T' : 'N', p.m,
                                          p.n, p.k, static_cast<float>(options.alpha), a, lda, b,
                                          ldb, options.accumulate ? 1.0f : 0.0f, c, p.n);
  if (status != dnnl_success) {
    throw Error(
        concat("dnnl_sgemm(m=", p.m, ", n=", p.n, ", k=", p.k, "): ", dnnl_status2str(status)));
  }
}

std::string sgemm_description() {
  const dnnl_version_t* version = dnnl_version();
  std::string text =
      concat("oneDNN ", version->major, ".", version->minor, ".", version->patch, " sgemm");
  // The values of dnnl_cpu_isa_t are sets of bits: a machine without AVX2 lacks that bit.
  const unsigned avx2 = dnnl_cpu_isa_avx2, isa = dnnl_get_effective_cpu_isa();
  if ((isa & avx2) != avx2) {
    text +=
        " (it does not use AVX2 and will be slow: unset ONEDNN_MAX_CPU_ISA, or the machine has "
        "none)";
  }
  return text;
}

}  // namespace argosy::ops::detail
