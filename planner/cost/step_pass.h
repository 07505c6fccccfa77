// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What follows the micro-batches of a step: sums of gradients, the update, gathers.
#pragma once

#include <cstdint>
#include <vector>

#include "planner/cost/job.h"
#include "planner/cost/state_memory.h"

namespace argosy {

// What step_work() says of a rank with these buckets, without laying out its tensors (collectives
// of groups of one rank may be among them). Other frameworks: their bytes on the wire, in buckets
// of their size, and with ZeRO 2 and 3 without what belongs to the layers' passes.
Pass step_pass(const Job& job, const Candidate& candidate, const std::vector<StageBucket>& buckets);

// Of an element of a gradient, as the job's stack sends it.
int64_t gradient_wire_bytes(const Job& job);

}  // namespace argosy
