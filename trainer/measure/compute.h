// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What ops take, by their size: curves as the planner's cost model reads them.
#pragma once

#include "planner/spec/cluster.h"
#include "trainer/measure/meter.h"

namespace argosy {

// Calls of Meter::seconds() that measure_compute() makes at most.
int64_t compute_jobs();

// Collective. Rates and curves of products in each dtype, of attention in fp32, of memory-bound
// ops, and what an op on one element costs. Sizes that do not fit the meter's share are left out:
// a curve ends before them.
void measure_compute(Meter& meter, Accelerator* core);

}  // namespace argosy
