// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What remains of a run for people: report.html and trace.json, with the predicted step beside the
// measured one.
#pragma once

#include <string>

#include "planner/spec/plan.h"
#include "planner/spec/timeline.h"
#include "trainer/run/run_dir.h"

namespace argosy {

// One event a line, for sending between ranks.
std::string timeline_to_text(const Timeline& timeline);
void append_timeline(const std::string& text, Timeline* timeline);

// Reads metrics.jsonl of the run: figures are of the last steps, those under this plan's layout;
// measured: the last step of all ranks.
void write_run_report(const RunDir& run_dir, const Plan& plan, const Timeline& measured);

}  // namespace argosy
