// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Two kernels for attention on CUDA: cuDNN's, fused, on tensor cores, for what it knows; and our
// own plain one, which knows every mask and span, as the fallback and to compare with.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "planner/spec/gpu_scratch.h"
#include "trainer/ops/attention.h"

namespace argosy::ops::detail {

// One for each device: cuda_of(ctx).state<CudaAttention>().
struct CudaAttention {
  bool plain_only = false;  // for tests: never ask the library
  // Off: gradients of queries may be added in any order, faster, and a second run gives other bits.
  bool is_deterministic = true;
  // For tests: of the library's gradients in a fixed order; 0: what the device lends.
  int64_t most_scratch_bytes = 0;
  int64_t device_bytes = 0;  // 0: not asked yet; nobody may ask in a capture
  // Shapes that the library refused, with its reason: they run plain. For a run's log.
  std::map<std::string, std::string> refused;
};

void plain_attention_forward(DeviceContext& ctx, const AttentionShape& shape, const Tensor& q,
                             const Tensor& k, const Tensor& v, const Tensor& out, const Tensor& lse,
                             Merge merge);
void plain_attention_backward(DeviceContext& ctx, const AttentionShape& shape, const Tensor& dout,
                              const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                              const Tensor& lse, const Tensor& dq, const Tensor& dk,
                              const Tensor& dv, Merge merge);

// The same by cuDNN, for bf16 sequences that are whole, or documents whose rows are known, and
// results that are overwritten in bf16. False, with nothing done: it does not take the shape
// (`refused` says why). attention_cudnn.cpp, or attention_no_cudnn.cpp where its graph headers were
// not found.
bool fused_attention_forward(DeviceContext& ctx, const AttentionShape& shape, const Tensor& q,
                             const Tensor& k, const Tensor& v, const Tensor& out,
                             const Tensor& lse);
bool fused_attention_backward(DeviceContext& ctx, const AttentionShape& shape, const Tensor& dout,
                              const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                              const Tensor& lse, const Tensor& dq, const Tensor& dk,
                              const Tensor& dv);

// What attends on this device, for the start-up lines: the library's version, or why it is not
// there.
std::string fused_attention_description();

// Documents for cuDNN, as many "sequences" of their own lengths: where each begins, in elements of
// q (N, hq*D), of k (N, hk*D) and of lse (N, hq), (D+1) int32 each, and its rows, (D).
// The shape's heads are those of a row.
struct DocumentOffsets {
  Tensor q, k, v, out, lse, lengths;
};
DocumentOffsets document_offsets(DeviceContext& ctx, const AttentionShape& shape);

// How its gradients in a fixed order are cut (planner/spec/gpu_scratch.h): heads [first_head, +
// shape.num_heads) of some sequences or documents. Rows of tensors stay those of all heads.
struct AttentionPart {
  AttentionShape shape;
  int64_t first_row = 0, first_head = 0;
};
GradientCall gradient_call_of(const AttentionShape& shape);
// Throws ConfigError where a part wants more than half of the device.
void check_ordered_scratch(const GradientCall& call, const GradientPart& at_once,
                           int64_t device_bytes);
// Sequences in their order, all heads of some before those of the next.
std::vector<AttentionPart> parts_of(const AttentionShape& shape, const GradientPart& at_once);

// lse (B*T, H) and cuDNN's statistics (B, H, T), both fp32, one into the other.
void statistics_to_lse(const AttentionShape& shape, const Tensor& statistics, const Tensor& lse);
void lse_to_statistics(const AttentionShape& shape, const Tensor& lse, const Tensor& statistics);

}  // namespace argosy::ops::detail
