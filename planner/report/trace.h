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

// One process per timeline, named as given; a track per rank, and a second one for its transfers,
// which run beside its compute.
std::string trace_json(const std::vector<std::pair<std::string, Timeline>>& timelines);

}  // namespace argosy
