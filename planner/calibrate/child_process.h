// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A program that is run to its end, and that ends with us.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace argosy {

// The program of this name in the folders of PATH; none where there is none.
std::optional<std::filesystem::path> find_in_path(const std::string& name);

struct ChildCommand {
  std::vector<std::string> words;                                // the first: a path
  std::vector<std::pair<std::string, std::string>> environment;  // beside our own
  double time_limit_s = 0;
};

struct ChildEnd {
  int exit_code = 0;  // 128 + signal where a signal ended it
  bool timed_out = false;
  int interrupted_by = 0;  // SIGINT or SIGTERM that we got while it ran; 0: none
};

// Runs it in a process group of its own and waits. What it prints goes to our standard error; its
// standard input is empty. SIGINT, SIGTERM and the end of the time limit are passed on as SIGTERM
// to all of the group, a few seconds later as SIGKILL; it gets SIGTERM too if we are killed. Throws
// Error where it cannot be started.
ChildEnd run_child(const ChildCommand& command);

}  // namespace argosy
