// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run_report.h"

#include <sstream>

#include "planner/spec/check.h"

namespace argosy {

std::string timeline_to_text(const Timeline& timeline) {
  std::ostringstream text;
  text.precision(17);
  for (const TimelineEvent& event : timeline.events) {
    text << event.rank << '\t' << event.start_s << '\t' << event.end_s << '\t' << event.name
         << '\n';
  }
  return text.str();
}

void append_timeline(const std::string& text, Timeline* timeline) {
  std::istringstream lines(text);
  TimelineEvent event;
  while (lines >> event.rank >> event.start_s >> event.end_s) {
    lines.ignore(1);  // the tab
    std::getline(lines, event.name);
    timeline->events.push_back(event);
  }
}

void write_run_report(const RunDir&, const Plan&, const Timeline&) {}

}  // namespace argosy
