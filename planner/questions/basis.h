// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the figures of a plan rest on: whose kernels and overlap, whose memory, which corrections,
// which prices.
#pragma once

#include <string>

#include "planner/cost/job.h"
#include "planner/report/text_table.h"

namespace argosy {

// A row each: what, and on what it rests. `corrections`: corrections_note(), empty where there are
// none.
TextTable basis_table(const Job& job, const std::string& corrections);

}  // namespace argosy
