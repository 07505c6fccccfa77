// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Seconds of the ops of a pass of one layer as the job's stack runs them. Argosy's own trainer runs
// each as planner/spec lists it; other frameworks fuse and cast.
#pragma once

#include <array>

#include "planner/cost/job.h"
#include "planner/cost/layer_costs.h"

namespace argosy {

inline constexpr size_t kNumOpKinds = 3;

struct PassOps {
  std::array<double, kNumOpKinds>
      kind_s{};             // by OpKind; casts and scores in memory are with theirs
  double num_launches = 0;  // of the host

  double seconds() const { return kind_s[0] + kind_s[1] + kind_s[2]; }
  double products_s() const { return kind_s[static_cast<size_t>(OpKind::matmul)]; }
  double attention_s() const { return kind_s[static_cast<size_t>(OpKind::attention)]; }
};

// The job's accelerator as the stack's kernels see it: rates times shares.
struct SeenAccelerator {
  explicit SeenAccelerator(const Job& job);

  Accelerator plain, products, attention;
};

// `is_backward`: the pass begins with what recomputation runs again.
PassOps pass_ops(const Job& job, const SeenAccelerator& seen, Recompute recompute, int64_t tp,
                 const Pass& pass, bool is_backward);

}  // namespace argosy
