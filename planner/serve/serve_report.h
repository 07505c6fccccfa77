// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Serving plans as text for a terminal of 100 columns, and as JSON for programs.
#pragma once

#include <string>

#include "planner/serve/serve.h"

namespace argosy {

std::string serve_text(const ServeJob& job, const ServeResult& result);

// {"plans": [...], "serve": {facts}, "search": {...}, "rejected": [...]}.
std::string serve_json(const ServeJob& job, const ServeResult& result);

}  // namespace argosy
