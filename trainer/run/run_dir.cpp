// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run/run_dir.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <optional>
#include <system_error>
#include <utility>

#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/host.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

// "2026-11-21T08:00:20Z"
std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

// What cannot be saved must not be found out after the steps.
void require_files_in(const std::filesystem::path& folder) {
  const std::string why = obstacle_to_files_in(folder);
  if (why.empty()) return;
  throw ConfigError(concat("--run-dir: no file can be made in ", folder.string(), ": ", why,
                           "; valid: a folder of yours, or a new one in it"));
}

void refuse_checkpoints(const std::filesystem::path& run_dir) {
  const std::filesystem::path checkpoints = run_dir / "checkpoints";
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(checkpoints, none)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("step_")) {
      throw ConfigError(concat("--run-dir ", run_dir.string(), ": holds checkpoints already (",
                               name, "); give --resume auto to go on with that run, or another ",
                               "folder for a new one"));
    }
  }
}

// Rewrites metrics.jsonl without the steps after `last_step` and without a line cut by a crash.
void drop_metrics_after(const std::filesystem::path& path, int64_t last_step) {
  const bool keeps_some = last_step > 0 && std::filesystem::exists(path);
  write_text_file(path, keeps_some ? metrics_lines_until(path, last_step) : "");
}

// Steps of an older version do not say which start made them: it was the first.
int64_t start_after(const std::optional<StepMetrics>& last) {
  return last ? std::max<int64_t>(last->start, 1) + 1 : 1;
}

// Messages may quote anything: bytes that are not UTF-8 are replaced, not fatal.
std::string dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::ofstream open_for_append(const std::filesystem::path& path) {
  std::ofstream out(path, std::ios::app);
  if (!out) throw Error(concat("cannot open ", path.string(), " for writing"));
  return out;
}

void append_line(std::ofstream& out, const std::string& line, const std::filesystem::path& path) {
  out << line << '\n' << std::flush;
  if (!out) throw Error(concat("writing to ", path.string(), " failed (is the disk full?)"));
}

}  // namespace

std::string_view to_string(RunState state) {
  switch (state) {
    case RunState::running:
      return "running";
    case RunState::done:
      return "done";
    case RunState::failed:
      return "failed";
    case RunState::requeue:
      return "requeue";
  }
  CHECK(false, "run state ", static_cast<int>(state));
}

RunDir::RunDir(std::filesystem::path path, bool is_resume)
    : path_(std::move(path)), started_(utc_now()) {
  std::error_code code;
  std::filesystem::create_directories(path_, code);
  if (code || !std::filesystem::is_directory(path_)) {
    throw ConfigError(concat("--run-dir ", path_.string(),
                             ": cannot be made a folder: ", code ? code.message() : "it is a file",
                             "; valid: a folder of yours, ", "or a new one in it"));
  }
  require_files_in(path_);
  if (std::filesystem::exists(checkpoints())) require_files_in(checkpoints());
  if (!is_resume) refuse_checkpoints(path_);
}

void RunDir::begin(std::string_view plan_json, std::string_view run_cfg, int64_t resume_step) {
  const bool has_plan = std::filesystem::exists(plan());
  if (!has_plan || read_text_file(plan()) != plan_json) {
    if (has_plan && resume_step > 0) {
      std::filesystem::rename(plan(), path_ / concat("plan.step_", resume_step, ".json"));
    }
    write_text_file(plan(), plan_json);
  }
  write_text_file(path_ / "run.cfg", run_cfg);
  drop_metrics_after(metrics(), resume_step);
  start_ = start_after(last_metrics(metrics()));
  metrics_ = open_for_append(metrics());
  events_ = open_for_append(path_ / "events.jsonl");
}

void RunDir::append(const StepMetrics& metrics_of_step) {
  CHECK(metrics_.is_open(), "begin() comes first");
  append_line(metrics_, to_json_line(metrics_of_step), metrics());
  constexpr double kBetweenUpdates_s = 1;  // of status.json: steps may take milliseconds
  if (seconds_since(status_written_) >= kBetweenUpdates_s)
    write_status(RunState::running, 0, metrics_of_step.step, "");
}

void RunDir::append_event(int64_t step, std::string_view event, std::string_view message) {
  CHECK(events_.is_open(), "begin() comes first");
  const Json line = {{"time", utc_now()}, {"step", step}, {"event", event}, {"message", message}};
  append_line(events_, dump(line, -1), path_ / "events.jsonl");
}

void RunDir::write_machine(const RunMachine& machine) const {
  Json json = {{"device", to_string(machine.device)},
               {"cpu", machine.cpu},
               {"cores", machine.cores},
               {"ranks", machine.ranks},
               {"local_ranks", machine.local_ranks},
               {"threads_per_rank", machine.threads_per_rank},
               {"peak_flops_per_s", machine.peak_flops_per_s},
               {"first_step", machine.first_step}};
  if (!machine.gpu.empty()) {
    json["gpu"] = machine.gpu;
    json["gpu_memory_bytes"] = machine.gpu_memory_bytes;
  }
  write_text_file(path_ / "machine.json", dump(json, 2) + "\n");
}

void RunDir::write_status(RunState state, int exit_code, int64_t step, std::string_view message) {
  status_written_ = Clock::now();
  const bool is_running = state == RunState::running;
  const Json status = {{"state", to_string(state)},
                       {"exit_code", is_running ? Json(nullptr) : Json(exit_code)},
                       {"step", step},
                       {"message", message},
                       {"started", started_},
                       {"ended", is_running ? Json(nullptr) : Json(utc_now())},
                       {"updated_unix_s", std::time(nullptr)},
                       {"host", host_name()},
                       {"pid", ::getpid()}};
  write_text_file(path_ / "status.json", dump(status, 2) + "\n");
}

void write_failure_of_rank(const std::filesystem::path& run_dir, int exit_code,
                           std::string_view message) noexcept {
  try {
    const std::filesystem::path path = run_dir / "status.json";
    Json status = parse_json(read_text_file(path), path.string());
    if (status.at("state") != to_string(RunState::running)) return;
    status["state"] = to_string(RunState::failed);
    status["exit_code"] = exit_code;
    status["message"] = message;
    status["ended"] = utc_now();
    status["updated_unix_s"] = std::time(nullptr);
    if (std::filesystem::exists(run_dir / "metrics.jsonl")) {
      if (const auto last = last_metrics(run_dir / "metrics.jsonl")) status["step"] = last->step;
    }
    write_text_file(path, dump(status, 2) + "\n");
  } catch (const std::exception&) {  // no such folder, or none that this machine can write to
  }
}

}  // namespace argosy
