// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Serving plans as text for a terminal of 100 columns, and as JSON for programs.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "planner/serve/serve.h"

namespace argosy {

// The same question of changed machines; below, null where it was not asked.
struct ServeWhatIf {
  std::vector<std::pair<std::string, std::string>> changes;  // key and value as written
  ServeResult result;
};

std::string serve_text(const ServeJob& job, const ServeResult& result, const ServeWhatIf* what_if);

// {"plans": [...], "serve": {facts}, "search": {...}, "rejected": [...]}.
std::string serve_json(const ServeJob& job, const ServeResult& result, const ServeWhatIf* what_if);

}  // namespace argosy
