// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/report/trace.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "planner/report/timeline_kind.h"
#include "planner/spec/check.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

constexpr double kMicroseconds = 1e6;  // the format's unit of time

// Where an event is drawn: rank, row of the rank, and a lane of its own for what overlaps, since
// events of one track must not overlap.
struct Track {
  int rank = 0;
  enum class Row { compute, transfers, collectives } row = Row::compute;
  int lane = 0;
  auto operator<=>(const Track&) const = default;
};

std::string name_of(const Track& track) {
  std::string name = concat("rank ", track.rank);
  if (track.row == Track::Row::transfers) name += " transfers";
  if (track.row == Track::Row::collectives) name += " collectives";
  return track.lane > 0 ? concat(name, " (", track.lane + 1, ")") : name;
}

Track::Row row_of(const TimelineEvent& event) {
  const EventKind kind = event_kind(event.name);
  if (kind == EventKind::transfer) return Track::Row::transfers;
  return kind == EventKind::collective ? Track::Row::collectives : Track::Row::compute;
}

// One track per event. Computes never overlap; the others take the first lane that is free.
std::vector<Track> place(const std::vector<TimelineEvent>& events) {
  std::vector<size_t> by_start(events.size());
  std::iota(by_start.begin(), by_start.end(), size_t{0});
  std::stable_sort(by_start.begin(), by_start.end(),
                   [&](size_t a, size_t b) { return events[a].start_s < events[b].start_s; });
  std::map<std::pair<int, Track::Row>, std::vector<double>> busy_until_s;  // [lane]
  std::vector<Track> tracks(events.size());
  for (const size_t i : by_start) {
    tracks[i] = {events[i].rank, row_of(events[i]), 0};
    if (tracks[i].row == Track::Row::compute) continue;
    std::vector<double>& lanes = busy_until_s[{tracks[i].rank, tracks[i].row}];
    const auto free = std::find_if(lanes.begin(), lanes.end(),
                                   [&](double until_s) { return until_s <= events[i].start_s; });
    tracks[i].lane = static_cast<int>(free - lanes.begin());
    if (free == lanes.end()) lanes.push_back(0);
    lanes[static_cast<size_t>(tracks[i].lane)] = events[i].end_s;
  }
  return tracks;
}

Json name_event(const char* what, int process, int track, const std::string& name) {
  return {
      {"name", what}, {"ph", "M"}, {"pid", process}, {"tid", track}, {"args", {{"name", name}}}};
}

void add_timeline(Json& events, int process, const std::string& name, const Timeline& timeline) {
  events.push_back(name_event("process_name", process, 0, name));
  const std::vector<Track> tracks = place(timeline.events);
  std::map<Track, int> numbers;
  for (const Track& track : tracks) numbers[track] = 0;
  int next = 0;
  for (auto& [track, number] : numbers) {
    number = next++;
    events.push_back(name_event("thread_name", process, number, name_of(track)));
  }
  for (size_t i = 0; i < tracks.size(); ++i) {
    const TimelineEvent& event = timeline.events[i];
    events.push_back({{"name", event.name},
                      {"cat", to_string(event_kind(event.name))},
                      {"ph", "X"},
                      {"pid", process},
                      {"tid", numbers[tracks[i]]},
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
