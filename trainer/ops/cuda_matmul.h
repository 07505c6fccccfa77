// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

namespace argosy::ops {

// Who multiplies groups of bf16: `chosen` is whichever should be faster.
enum class GroupedKernel { chosen, library, own };

// How a CUDA device multiplies; one for each device: cuda_of(ctx).state<CudaMatmulPolicy>().
struct CudaMatmulPolicy {
  // fp32 operands are rounded to TF32 (10 bits of mantissa) for the tensor cores: about 8 times the
  // rate and 3e-4 of relative error. Off: fp32 results are compared with the CPU's to 1e-5.
  bool allow_tf32 = false;
  GroupedKernel grouped = GroupedKernel::chosen;
};

}  // namespace argosy::ops
