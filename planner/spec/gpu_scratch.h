// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What cuDNN holds while it adds attention's gradients in a fixed order, besides the workspaces of
// work.h, and how calls are cut so that it stays small: gradients of all scores in bf16, also of
// those that a mask hides (cuDNN 9.19 says so for an H200; in any order it takes none, as they are
// added to dq as they come). It grows with the square of the sequence: 2 GiB a head at 32,768.
#pragma once

#include <cstdint>

#include "planner/spec/plan.h"
#include "planner/spec/work.h"

namespace argosy {

// Sequences, or documents of up to seq_len rows, whose lengths cuDNN does not know.
struct GradientCall {
  int64_t count = 0, seq_len = 0, num_heads = 0, num_kv_heads = 0;
  bool has_documents = false;
};
// Of one head of one of them.
int64_t ordered_head_bytes(int64_t seq_len);

// Heads and sequences (or documents) of one of its parts.
struct GradientPart {
  int64_t heads = 0, count = 0;
};
// As many as `most_bytes` hold, in parts of about one size, documents by powers of two, since
// kernels are made for a number of them. Of heads all, or where even one sequence is too much as
// few as whole groups of a key/value head and accesses of 16 bytes allow.
GradientPart gradient_part(const GradientCall& call, int64_t most_bytes);
int64_t ordered_scratch_bytes(const GradientCall& call, const GradientPart& part);
// What a GPU of so many bytes lends to it: 4.4 GiB of an H200.
int64_t most_ordered_bytes(int64_t device_bytes);

// Columns of logits, of such elements, that a GPU's rows have beside each other: in bf16 whole 16
// bytes, as cuBLAS has no kernels of Hopper for others.
inline constexpr int64_t kGpuColumns = 8;
int64_t padded_gpu_columns(int64_t element_bytes, int64_t n);

// Upper bound for one rank in `layer` of a run on such a GPU; 0 where our plain kernel adds (fp32,
// rings) or nothing attends. For grouped queries dk and dv of all heads are in it.
int64_t ordered_attention_bytes(const Plan& plan, const LayerWork& layer, int64_t device_bytes);

}  // namespace argosy
