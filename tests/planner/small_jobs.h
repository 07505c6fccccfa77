// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Jobs small enough to be worked through point by point.
#pragma once

#include <string>

#include "planner/cost/job.h"

namespace argosy {

enum class SmallModel { llama, moe, mixed_moe, tied_gpt2 };

// `usable_bytes`: memory of a device that tensors may take. 4 devices a node.
Job small_job(SmallModel model, int64_t num_devices, int64_t global_batch,
              int64_t usable_bytes = int64_t{1} << 40);

}  // namespace argosy
