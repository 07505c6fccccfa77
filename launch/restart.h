// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// --max-restarts: what the end of an attempt means, and whether there is another. Values alone;
// supervisor.h starts the attempts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace argosy {

// What the folder of a run says from outside; of one that cannot be seen from here, nothing.
struct RunFacts {
  int64_t newest_step = 0;  // newest checkpoint; 0: none
  std::optional<std::filesystem::file_time_type> status_written;
  std::optional<int> exit_code;  // of status.json: unset while it runs, or where it was killed
  std::string message;           // of status.json
};
RunFacts facts_of_run(const std::filesystem::path& run_dir);

struct AttemptEnd {
  int exit_code = 0;   // 128 + signal where one ended it
  bool began = false;  // its ranks reached the run folder
  int64_t newest_step = 0;
  std::string message;  // the trainer's own; empty: it said nothing
};

// What is left to spend. A new checkpoint makes it whole again: a long run may fail more often than
// a short one, and what must end is a job that fails at the same place again and again.
struct RestartBudget {
  int max_restarts = 0;  // in a row, without a new checkpoint
  int restarts = 0;      // of them used
  int attempt = 1;       // the one that ended, or goes on
  int64_t newest_step = 0;
  bool has_begun = false;  // until then an attempt starts as the first: with the user's --resume
};

struct RestartDecision {
  bool starts_again = false;
  int64_t pause_s = 0;  // before it; for hosts that are not there (yet)
  std::string line;     // for the user; empty: all is said
};

// `mpirun_code` is what mpirun ended with. Launchers change codes: what status.json says counts,
// if the attempt has written it and mpirun does not say that all went well.
AttemptEnd end_of_attempt(int mpirun_code, const RunFacts& before, const RunFacts& after);

// Spends from the budget. A job that is done, made a mistake (kExitUserError) or asks for it
// (kExitDoNotRequeue) is not started again, nor is one that has used up its budget.
RestartDecision after_attempt(const AttemptEnd& end, RestartBudget* budget);

// The run folder that the trainer's arguments name, from whose checkpoints a restart goes on.
// Throws ConfigError where they name none, where no checkpoint would be written before the last
// step, and where --resume goes back behind one that a restart would take for the newest.
std::filesystem::path restartable_run_dir(const std::vector<std::string>& trainer_arguments,
                                          int max_restarts);

}  // namespace argosy
