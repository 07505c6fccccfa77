// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Attention on the packed kernels: fp32, and bf16 whose probabilities are rounded to bf16 before
// they are multiplied, as every fast bf16 attention does. Scores, sums and results are fp32 in
// between.
#pragma once

#include "trainer/ops/attention.h"
#include "trainer/ops/cpu_kernels.h"

namespace argosy::ops::detail {

// Operands as attention.h says, with spans; none is fp64.
void packed_attention_forward(DeviceContext& ctx, const CpuKernel& kernel, const AttentionShape& s,
                              const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                              const Tensor& lse, Merge merge);
void packed_attention_backward(DeviceContext& ctx, const CpuKernel& kernel, const AttentionShape& s,
                               const Tensor& dout, const Tensor& q, const Tensor& k,
                               const Tensor& v, const Tensor& out, const Tensor& lse,
                               const Tensor& dq, const Tensor& dk, const Tensor& dv, Merge merge);

}  // namespace argosy::ops::detail
