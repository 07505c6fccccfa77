// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/report/timeline_kind.h"

#include "planner/spec/ledger.h"

namespace argosy {

EventKind event_kind(std::string_view name) {
  if (name.starts_with("wait")) return EventKind::wait;
  if (name == "reduce") return EventKind::reduce;
  if (name == "optimizer") return EventKind::optimizer;
  if (name.find("SEND") != name.npos || name.find("RECV") != name.npos) return EventKind::transfer;
  const size_t letter = name.find_first_not_of("0123456789");
  const bool is_action = letter != name.npos && letter > 0 && letter + 1 < name.size() &&
                         name.find_first_not_of("0123456789", letter + 1) == name.npos;
  if (is_action && name[letter] == 'F') return EventKind::forward;
  if (is_action && (name[letter] == 'B' || name[letter] == 'I' || name[letter] == 'W')) {
    return EventKind::backward;
  }
  const std::string_view first = name.substr(0, name.find(' '));
  for (int i = 0; i < kNumCollectiveKinds; ++i) {
    if (first == to_string(static_cast<CollectiveKind>(i))) return EventKind::collective;
  }
  return EventKind::other;
}

std::string_view to_string(EventKind kind) {
  switch (kind) {
    case EventKind::forward:
      return "forward";
    case EventKind::backward:
      return "backward";
    case EventKind::transfer:
      return "transfer";
    case EventKind::wait:
      return "wait";
    case EventKind::reduce:
      return "reduce";
    case EventKind::collective:
      return "collective";
    case EventKind::optimizer:
      return "optimizer";
    case EventKind::other:
      break;
  }
  return "other";
}

}  // namespace argosy
