// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Two kernels for attention on CUDA: cuDNN's, fused, on tensor cores, for what it knows; and our
// own plain one, which knows every mask and span, as the fallback and to compare with.
#pragma once

#include <map>
#include <string>

#include "trainer/ops/attention.h"

namespace argosy::ops::detail {

// One for each device: cuda_of(ctx).state<CudaAttention>().
struct CudaAttention {
  bool plain_only = false;  // for tests: never ask the library
  // Off: gradients of queries may be added in any order, faster, and a second run gives other bits.
  bool is_deterministic = true;
  // Of the library's gradients in a fixed order; 0: not asked yet.
  int64_t most_scratch_bytes = 0;
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
struct DocumentOffsets {
  Tensor q, k, v, out, lse, lengths;
};
DocumentOffsets document_offsets(DeviceContext& ctx, const AttentionShape& shape);

// Scratch of cuDNN's gradients in a fixed order, of a sequence or of a document, whose length it
// does not know: gradients of all scores in bf16, also of those that a mask hides. (In any order it
// takes none: they are added to dq as they come.) So a call is given as many as have room.
int64_t ordered_scratch_bytes(const AttentionShape& shape);
// Of `count` sequences or documents, for `most_bytes` of scratch: parts of about one size; of
// documents, a power of two.
int64_t sequences_at_once(const AttentionShape& shape, int64_t most_bytes);

// lse (B*T, H) and cuDNN's statistics (B, H, T), both fp32, one into the other.
void statistics_to_lse(const AttentionShape& shape, const Tensor& statistics, const Tensor& lse);
void lse_to_statistics(const AttentionShape& shape, const Tensor& lse, const Tensor& statistics);

}  // namespace argosy::ops::detail
