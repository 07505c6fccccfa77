// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/report/trace.h"

#include <set>

#include "planner/report/timeline_kind.h"
#include "planner/spec/check.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

constexpr double kMicroseconds = 1e6;  // the format's unit of time

// Tracks 2r and 2r + 1 of rank r.
int track_of(const TimelineEvent& event) {
  return 2 * event.rank + (event_kind(event.name) == EventKind::transfer ? 1 : 0);
}

Json name_event(const char* what, int process, int track, const std::string& name) {
  return {
      {"name", what}, {"ph", "M"}, {"pid", process}, {"tid", track}, {"args", {{"name", name}}}};
}

void add_timeline(Json& events, int process, const std::string& name, const Timeline& timeline) {
  events.push_back(name_event("process_name", process, 0, name));
  std::set<int> tracks;
  for (const TimelineEvent& event : timeline.events) tracks.insert(track_of(event));
  for (int track : tracks) {
    events.push_back(name_event("thread_name", process, track,
                                concat("rank ", track / 2, track % 2 == 1 ? " transfers" : "")));
  }
  for (const TimelineEvent& event : timeline.events) {
    events.push_back({{"name", event.name},
                      {"cat", to_string(event_kind(event.name))},
                      {"ph", "X"},
                      {"pid", process},
                      {"tid", track_of(event)},
                      {"ts", event.start_s * kMicroseconds},
                      {"dur", (event.end_s - event.start_s) * kMicroseconds}});
  }
}

}  // namespace

std::string trace_json(const std::vector<std::pair<std::string, Timeline>>& timelines) {
  Json events = Json::array();
  int process = 1;
  for (const auto& [name, timeline] : timelines) add_timeline(events, process++, name, timeline);
  const Json trace = {{"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}};
  return trace.dump() + "\n";
}

}  // namespace argosy
