// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Timelines as a trace for ui.perfetto.dev or chrome://tracing (the JSON of the Chrome trace event
// format, complete events).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "planner/spec/timeline.h"

namespace argosy {

// One process per timeline, named as given; a track per rank, others for its transfers and its
// collectives, which may run beside its compute and beside each other.
std::string trace_json(const std::vector<std::pair<std::string, Timeline>>& timelines);

}  // namespace argosy
