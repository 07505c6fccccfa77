// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/check.h"

namespace argosy::detail {

void check_failed(const char* expression, const char* file, int line, const std::string& message) {
  throw std::logic_error(concat("broken invariant at ", file, ":", line, ": ", expression,
                                message.empty() ? "" : ": ", message));
}

}  // namespace argosy::detail
