// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Runs that stand in the notes of another: the same configuration with other releases of the
// framework.
#pragma once

#include <string>
#include <vector>

#include "planner/score/published_run.h"

namespace argosy {

// Of "container 26.06 (same config also 26.04: 1036 tok/s, 26.02: 988 tok/s)" the runs with 26.04
// and 26.02, in this order: tokens per second and device, nothing else was measured. Their id names
// the release: "MB-009@26.04".
std::vector<PublishedRun> other_releases(const PublishedRun& run);

// The id of the row whose notes tell of this run; of a row its own.
std::string row_of(const PublishedRun& run);

}  // namespace argosy
