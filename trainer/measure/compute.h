// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What ops take, by their size: curves as the planner's cost model reads them.
#pragma once

#include "planner/spec/cluster.h"
#include "trainer/measure/meter.h"
#include "trainer/measure/sizes.h"

namespace argosy {

// Calls of Meter::seconds() that measure_compute() makes at most.
int64_t compute_jobs(const MeasureSizes& sizes);

// Collective. Rates and curves of products in each dtype, of attention, of memory-bound ops, and
// what an op on one element costs. Sizes that do not fit the meter's share are left out: a curve
// ends before them.
void measure_compute(Meter& meter, const MeasureSizes& sizes, Accelerator* core);

}  // namespace argosy
