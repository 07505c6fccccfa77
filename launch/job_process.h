// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A job as a child of this process: started, watched, sent the signals that are meant for it.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace argosy {

// Throws Error: `program` cannot be started, by the system's `code`; where it is to be found.
[[noreturn]] void throw_cannot_start(const std::string& program, const std::string& package,
                                     int code);

// While it lives, signals that ask for an end (SIGUSR1, SIGTERM, SIGINT, SIGHUP) and SIGCHLD wait
// until they are fetched. Those that were ignored stay so (nohup). For programs of one thread.
class JobSignals {
 public:
  JobSignals();
  JobSignals(const JobSignals&) = delete;
  JobSignals& operator=(const JobSignals&) = delete;
  ~JobSignals();

  int next() const;
  // The next but SIGCHLD; nothing where none comes within the time.
  std::optional<int> next_within(int64_t seconds) const;
  const sigset_t& mask_before() const { return before_; }

 private:
  sigset_t waited_for_ = {};
  sigset_t before_ = {};
};

struct JobEnd {
  int exit_code = 0;         // 128 + signal where one ended it
  bool was_stopped = false;  // this process was asked to end it
};

// Runs the words to their end, in a process group of their own: what a terminal sends comes here
// first. SIGUSR1 is handed on; so is the first of the others, as SIGUSR1, because mpirun gives its
// ranks no time to save after SIGTERM; every further one is handed on as SIGTERM. If this process
// is killed, the job gets SIGTERM. Throws Error where it cannot be started.
JobEnd run_job(const std::vector<std::string>& words, const JobSignals& signals);

// Ranks whose mpirun was killed live on for a moment, and must not write into the folder of the
// run that comes next. While this lives they become children of this process.
class Orphans {
 public:
  Orphans();
  // Returns when all are gone: those that do not go by themselves are killed. Throws Error when one
  // does not even end then.
  void wait_until_gone() const;

 private:
  std::vector<pid_t> strangers_;  // children from before, of another's making
};

}  // namespace argosy
