// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/restart.h"

#include <string.h>

#include <algorithm>

#include "launch/words.h"
#include "planner/spec/check.h"
#include "planner/spec/checkpoint_names.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"
#include "planner/spec/number_text.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;

constexpr int kSignalCode = 128;  // a shell's code for a signal, and mpirun's

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name == nullptr ? concat("signal ", signal) : concat("SIG", name);
}

std::string reason_of(const AttemptEnd& end) {
  if (end.exit_code == kExitRequeue) return "was stopped by a signal and saved";
  if (!end.message.empty()) return concat("failed: ", end.message);
  if (end.exit_code > kSignalCode)
    return concat("was killed by ", signal_name(end.exit_code - kSignalCode));
  return concat("failed with exit code ", end.exit_code);
}

std::string start_of_next(const RestartBudget& budget) {
  if (!budget.has_begun) return "starts as the first";
  if (budget.newest_step == 0) return "begins at step 1: there is no checkpoint yet";
  return concat("goes on from step ", budget.newest_step);
}

// Hosts that come back take a while: 5 s, 10 s, ... 5 min.
int64_t pause_before(int restart) {
  constexpr int64_t kFirst_s = 5, kLongest_s = 300;
  constexpr int kDoublings = 6;
  return std::min(kFirst_s << std::min(restart - 1, kDoublings), kLongest_s);
}

}  // namespace

RunFacts facts_of_run(const fs::path& run_dir) {
  RunFacts facts;
  const std::vector<int64_t> steps = list_checkpoints(run_dir / "checkpoints");
  if (!steps.empty()) facts.newest_step = steps.back();
  const fs::path status_path = run_dir / "status.json";
  std::error_code code;
  const fs::file_time_type written = fs::last_write_time(status_path, code);
  if (code) return facts;
  facts.status_written = written;
  try {
    const Json status = parse_json(read_text_file(status_path), status_path.string());
    JsonObject object(status, status_path.string());
    if (object.has("exit_code")) facts.exit_code = static_cast<int>(object.integer("exit_code"));
    facts.message = object.text("message", "");
  } catch (const ConfigError&) {  // of another hand: mpirun's code is left
  }
  return facts;
}

AttemptEnd end_of_attempt(int mpirun_code, const RunFacts& before, const RunFacts& after) {
  AttemptEnd end{.exit_code = mpirun_code,
                 .began = after.status_written && after.status_written != before.status_written,
                 .newest_step = after.newest_step,
                 .message = {}};
  const bool is_told = end.began && after.exit_code && *after.exit_code != kExitDone;
  if (mpirun_code == kExitDone || !is_told) return end;
  end.exit_code = *after.exit_code;
  end.message = after.message;
  return end;
}

RestartDecision after_attempt(const AttemptEnd& end, RestartBudget* budget) {
  if (end.exit_code == kExitDone || end.exit_code == kExitUserError) return {};
  const std::string ended = concat("attempt ", budget->attempt, " ", reason_of(end));
  if (end.exit_code == kExitDoNotRequeue)
    return {.line = concat(ended, "; exit code ", kExitDoNotRequeue, " asks for no restart")};
  if (end.newest_step > budget->newest_step) budget->restarts = 0;
  budget->newest_step = end.newest_step;
  budget->has_begun = budget->has_begun || end.began;
  if (budget->restarts == budget->max_restarts) {
    return {.line = concat(ended, "; not started again: ", budget->max_restarts,
                           " restarts brought no checkpoint after step ", end.newest_step,
                           " (--max-restarts)")};
  }
  ++budget->restarts;
  ++budget->attempt;
  const int64_t pause_s = end.began ? 0 : pause_before(budget->restarts);
  return {
      .starts_again = true,
      .pause_s = pause_s,
      .line = concat(ended, "; attempt ", budget->attempt, " ", start_of_next(*budget),
                     " (restart ", budget->restarts, " of ", budget->max_restarts,
                     pause_s > 0 ? concat(", in ", pause_s, " s: no rank had begun") : "", ")")};
}

fs::path restartable_run_dir(const std::vector<std::string>& trainer_arguments, int max_restarts) {
  const std::string what = concat("--max-restarts ", max_restarts);
  const std::optional<std::string> run_dir = trainer_option(trainer_arguments, "run-dir");
  if (!run_dir) {
    throw ConfigError(concat(what, ": a restart goes on from the checkpoints of a run folder, and ",
                             "the trainer's arguments name none; valid: --run-dir DIR behind --"));
  }
  const std::string every = trainer_option(trainer_arguments, "checkpoint-every").value_or("0");
  if (every.find_first_not_of('0') == std::string::npos) {
    throw ConfigError(concat(what, ": nothing would be saved before the last step, and a restart ",
                             "would begin anew; valid: --checkpoint-every STEPS behind --"));
  }
  const std::string resume = trainer_option(trainer_arguments, "resume").value_or("none");
  const int64_t newest = facts_of_run(*run_dir).newest_step;
  if (const auto step = number_in<int64_t>(resume); step && *step < newest) {
    throw ConfigError(concat("--resume ", resume, ": ", *run_dir, " holds a checkpoint of step ",
                             newest, ", from which a restart would go on; valid with ", what,
                             ": --resume auto, or without the newer checkpoints"));
  }
  return *run_dir;
}

}  // namespace argosy
