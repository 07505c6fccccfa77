// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Serving plans as text for a terminal of 100 columns, and as JSON for programs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "planner/questions/sensitivity.h"
#include "planner/questions/what_if.h"
#include "planner/serve/serve.h"

namespace argosy {

// What else was asked.
struct ServeAnswers {
  std::vector<MachineChange> changes;    // of the machines, for:
  std::optional<ServeResult> what_if;    // none: not asked
  std::vector<Sensitivity> sensitivity;  // serve_sensitivities(); empty: not asked, or no plan
};

std::string serve_text(const ServeJob& job, const ServeResult& result, const ServeAnswers& answers);

// {"plans": [...], "serve": {facts}, "search": {...}, "rejected": [...]}, and "what_if" and
// "sensitivity" where they were asked.
std::string serve_json(const ServeJob& job, const ServeResult& result, const ServeAnswers& answers);

}  // namespace argosy
