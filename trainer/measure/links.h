// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What our own collectives take between the ranks of this machine.
#pragma once

#include <vector>

#include "trainer/measure/fit.h"
#include "trainer/measure/meter.h"
#include "trainer/measure/sizes.h"

namespace argosy {

// Sizes of the groups that are measured: 2, 3, 4 and doubles of it, all ranks.
std::vector<int64_t> group_sizes(int64_t num_ranks);

// Calls of Meter::seconds() that measure_links() makes at most.
int64_t link_jobs(int64_t num_ranks, const MeasureSizes& sizes);

// Collective, on two ranks or more. Every kind of collective that a step has, in groups of each
// size, all groups at once, as in training. Messages that do not fit the meter's share are left
// out.
std::vector<TransferSample> measure_links(Meter& meter, const MeasureSizes& sizes);

}  // namespace argosy
