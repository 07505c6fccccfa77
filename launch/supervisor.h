// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Starts a job again when it fails: --max-restarts with mpirun.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace argosy {

struct SupervisedJob {
  std::vector<std::string> first;  // mpirun and its arguments
  std::vector<std::string> again;  // the same, but resuming the newest checkpoint
  std::filesystem::path run_dir;
  int max_restarts = 1;
  std::function<void(const std::string&)> say;  // one line to the user
};

// Returns the exit code of the last attempt. restart.h says what is started again. A job that this
// process was asked to stop (job_process.h) is not: whoever asked wants it to end, or will start it
// again himself, as batch systems do after kExitRequeue. One that saved and ended with kExitRequeue
// unasked, because its ranks got the signal, goes on. Throws Error where mpirun cannot be started.
int supervise(const SupervisedJob& job);

}  // namespace argosy
