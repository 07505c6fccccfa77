// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/messages.h"

#include <unistd.h>

#include <iostream>
#include <sstream>

#include "planner/report/text_table.h"

namespace argosy {

void tell(const std::string& message) {
  if (::isatty(STDERR_FILENO) == 0) {
    std::cerr << message << "\n";
    return;
  }
  std::istringstream lines(message);
  for (std::string line; std::getline(lines, line);) {
    std::cerr << (line.size() <= kTextColumns ? line + "\n" : wrap(line, kTextColumns, "    "));
  }
}

void warn(const std::string& message) {
  tell("warning: " + message);
}

}  // namespace argosy
